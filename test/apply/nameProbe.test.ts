import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import type { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { probeNameResolves } from "../../src/apply/nameProbe.js";
import type { ReportEvent } from "../../src/report/events.js";
import { dnsConnection } from "./memory/dns.js";

const probe = {
  kind: "name-resolves",
  name: "kubernetes.default.svc.cluster.local",
  address: "10.96.0.1",
  server: "10.96.0.10",
  node: "machine-1",
  network: "bridge",
} as const;
const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };

/** What the probe sees with pods of these states and this connection, and where it asked. */
async function look(
  statuses: readonly object[],
  connection: () => Duplex = () => dnsConnection(probe.address),
): Promise<{ readonly sight: unknown; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const pods = statuses.map((status, index) => ({ metadata: { name: `coredns-${index}` }, status }));
  const api = { list: (path: string) => Promise.resolve(path.endsWith("/pods") ? pods : []) } as unknown as KubernetesClient;
  const openTcp = (host: string, port: number): Promise<Duplex> => {
    asked.push(`${host}:${port}`);
    return Promise.resolve(connection());
  };
  const run = () => Promise.reject(new Error("no pod is on another node"));
  const means = { api, helper: { openTcp, run }, report: () => undefined, timeoutMs: 1000 };
  const sight = await probeNameResolves(means, probe, new AbortController().signal);
  return { sight, asked };
}

function seen(sight: unknown): string {
  return (sight as { readonly seen: string }).seen;
}

describe("a name resolves", () => {
  test("when the cluster's DNS answers with the address", async () => {
    expect(await look([{ phase: "Pending" }, ready])).toEqual({ sight: { done: true }, asked: ["10.96.0.10:53"] });
  });

  test("not while it answers with another one, or with none", async () => {
    expect(seen((await look([ready], () => dnsConnection("10.96.0.2"))).sight)).toContain("says of kubernetes.default");
    expect(seen((await look([ready], () => dnsConnection("10.96.0.2"))).sight)).toContain("10.96.0.2");
    const none = await look([ready], () => dnsConnection(undefined));
    expect(none.sight).toMatchObject({ done: false, seen: expect.stringMatching(/: nothing$/) as unknown });
  });

  test("not while the connection breaks", async () => {
    const broken = (): Duplex => {
      const stream = new Duplex({ read: () => undefined, write: () => stream.destroy(new Error("reset")) });
      return stream;
    };
    expect(seen((await look([ready], broken)).sight)).toContain("reset");
  });

  test("though the answer comes in pieces", async () => {
    const inPieces = (): Duplex => {
      const whole = dnsConnection(probe.address);
      const stream = new Duplex({
        read: () => undefined,
        write(chunk: Buffer, encoding, done) {
          whole.write(chunk, encoding, done);
        },
      });
      whole.on("data", (answer: Buffer) => {
        for (const byte of answer) stream.push(Buffer.from([byte]));
      });
      return stream;
    };
    expect((await look([ready], inPieces)).sight).toEqual({ done: true });
  });

  test.each([
    ["there is no pod", []],
    [
      'coredns-0 is not ready: ImagePullBackOff, Back-off pulling image "coredns"',
      [{ containerStatuses: [{ state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling image "coredns"' } } }] }],
    ],
    [
      "coredns-0 is not ready: CrashLoopBackOff, ended with status 1 4 times",
      [{ containerStatuses: [{ restartCount: 4, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: { exitCode: 1 } } }] }],
    ],
    [
      "coredns-0 is not ready: 0/1 nodes are available",
      [{ phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }] }],
    ],
    ["coredns-0 runs, but is not ready", [{ phase: "Running", containerStatuses: [{ state: {} }] }]],
  ])("and nobody is asked before: %s", async (words, statuses) => {
    const { sight, asked } = await look(statuses);
    expect(asked).toEqual([]);
    expect(seen(sight)).toContain(words);
  });
});

describe("where DNS runs on another node, and does not answer", () => {
  const nodes = ["machine-1", "machine-2"].map((name, index) => ({
    metadata: { name },
    spec: { podCIDR: `10.244.${index}.0/24` },
    status: { addresses: [{ type: "InternalIP", address: `10.0.0.${5 + index}` }] },
  }));

  interface Case {
    readonly on: readonly string[];
    readonly reached?: string;
    readonly network?: "bridge" | "flannel";
    readonly local?: string;
  }

  async function answer({ on, reached = "", network = "bridge", local = probe.address }: Case) {
    const pods = on.map((nodeName, index) => ({
      metadata: { name: `coredns-${index}` },
      spec: { nodeName },
      status: { ...ready, podIP: `10.244.${nodeName.slice(-1)}.2` },
    }));
    const api = { list: (path: string) => Promise.resolve(path.endsWith("/pods") ? pods : nodes) };
    const warnings: string[] = [];
    const tried: string[] = [];
    const helper = {
      openTcp: (host: string) => Promise.resolve(dnsConnection(host === "10.244.1.2" ? local : undefined)),
      run: (_: string, [address = ""]: readonly string[] = []) => {
        tried.push(address);
        return Promise.resolve({ exitCode: 0, stdout: Buffer.from(reached), stderr: "" });
      },
    };
    const report = (event: ReportEvent): void => {
      if (event.kind === "warning") warnings.push(event.message);
    };
    const means = { api: api as unknown as KubernetesClient, helper, report, timeoutMs: 1000 };
    const sight = await probeNameResolves(means, { ...probe, network }, new AbortController().signal);
    return { done: sight.done, warning: warnings.join(), tried };
  }

  test("the routes that the owner's network lacks are named, and the run goes on", async () => {
    const { done, warning } = await answer({ on: ["machine-2"] });
    expect(done).toBe(true);
    expect(warning).toContain("coredns-0 on machine-2");
    expect(warning).toContain("`ip route add 10.244.1.0/24 via 10.0.0.6`");
    expect(warning).not.toContain("10.244.0.0/24");
  });

  test("and beside one that answers on this node", async () => {
    expect(await answer({ on: ["machine-1", "machine-2"] })).toMatchObject({
      done: true,
      warning: expect.stringContaining("only now and then") as unknown,
      tried: ["10.244.2.2"],
    });
  });

  test.each<Case>([
    { on: ["machine-2"], reached: "reached\n" },
    { on: ["machine-2"], network: "flannel" },
    { on: ["machine-1"] },
    { on: ["machine-1", "machine-2"], local: "10.96.0.2" },
  ])("but with %o it is waited for: routes are not what it lacks", async (of) => {
    expect(await answer(of)).toMatchObject({ done: false, warning: "" });
  });
});
