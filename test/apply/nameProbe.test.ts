import { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import type { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { probeNameResolves } from "../../src/apply/nameProbe.js";
import { dnsConnection } from "./memory/dns.js";

const probe = {
  kind: "name-resolves",
  name: "kubernetes.default.svc.cluster.local",
  address: "10.96.0.1",
  server: "10.96.0.10",
} as const;
const ready = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };

/** What the probe sees with pods of these states and this connection, and where it asked. */
async function look(
  statuses: readonly object[],
  connection: () => Duplex = () => dnsConnection(probe.address),
): Promise<{ readonly sight: unknown; readonly asked: readonly string[] }> {
  const asked: string[] = [];
  const pods = statuses.map((status, index) => ({ metadata: { name: `coredns-${index}` }, status }));
  const api = { list: () => Promise.resolve(pods) } as unknown as KubernetesClient;
  const openTcp = (host: string, port: number): Promise<Duplex> => {
    asked.push(`${host}:${port}`);
    return Promise.resolve(connection());
  };
  const sight = await probeNameResolves(api, { openTcp }, probe, new AbortController().signal);
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
