import { Readable } from "node:stream";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { statusRows } from "../../src/commands/clusterStatus.js";
import { exec } from "../../src/commands/exec.js";
import { logs } from "../../src/commands/logs.js";
import { watchStatus } from "../../src/commands/watchStatus.js";
import type { LookedAtCluster } from "../../src/deploy/lookAtHosts.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import type { ClusterHosts } from "../../src/model/clusterHosts.js";
import { TsdeployError } from "../../src/model/errors.js";
import { labels } from "../../src/model/hostLayout.js";
import type { ExecOptions, LogsOptions } from "../../src/model/options.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";

/** What the hosts' Dockers do, by host, and how many are open. */
const world = vi.hoisted(() => ({
  engines: new Map<string, unknown>(),
  open: 0,
  mostOpen: 0,
  looks: [] as (() => Promise<unknown>)[],
}));

vi.mock("../../src/deploy/withEngine.js", () => ({
  withEngine: async (
    { dockerHost }: { dockerHost: string },
    _: unknown,
    use: (engine: unknown) => Promise<unknown>,
  ) => {
    world.mostOpen = Math.max(world.mostOpen, ++world.open);
    try {
      const engine = world.engines.get(dockerHost);
      if (engine === undefined) {
        throw new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "nobody answers", hint: "Look." });
      }
      return await use(engine);
    } finally {
      world.open--;
    }
  },
}));
// A pause is over at once.
vi.mock("node:timers/promises", () => ({ setTimeout: () => Promise.resolve() }));
vi.mock("../../src/deploy/lookAtHosts.js", () => ({ lookAtHosts: () => world.looks.shift()?.() }));

let out: string;
let err: string;
let events: ReportEvent[];
let abort: AbortController;

beforeEach(() => {
  [out, err, events, abort] = ["", "", [], new AbortController()];
  world.engines.clear();
  [world.open, world.mostOpen, world.looks.length] = [0, 0, 0];
});

function context(more: Partial<RunContext> = {}): RunContext {
  return {
    report: (event: ReportEvent) => events.push(event),
    signal: abort.signal,
    env: {},
    write: (text: string) => Promise.resolve(void (out += text)),
    writeError: (text: string) => Promise.resolve(void (err += text)),
    ...more,
  } as unknown as RunContext;
}

/** With these components. A program says its first word on stdout, its second on stderr; its third is its code. */
function docker(name: string, components: readonly string[] = ["kubelet"]): void {
  const containers = components.map((component) => ({
    id: component,
    name: component,
    state: "running",
    status: "Up",
    createdAt: 1,
    labels: { [labels.cluster]: "c", [labels.component]: component },
  }));
  const engine: Partial<ContainerEngine> = {
    endpoint: name,
    listContainers: () => Promise.resolve(containers as never),
    containerLogs: (id) => Promise.resolve(`${id} one\n${id} two\n`),
    followLogs: () => Promise.resolve(Readable.from(["half of ", "a line\nlast"])),
    execFollowed: async (_, [said = "", complained = "", code = "0"], { onOutput }) => {
      if (said !== "") await onOutput(Buffer.from(said), "stdout");
      if (complained !== "") await onOutput(Buffer.from(complained), "stderr");
      return Number(code);
    },
  };
  world.engines.set(name, engine);
}

function hostsOf(...names: readonly string[]): ClusterHosts {
  const [master, ...workers] = names.map((name) => ({ name, options: { dockerHost: name } }));
  return { masters: [master], workers } as unknown as ClusterHosts;
}

const execOptions = { onHosts: [], all: true, component: "kubelet", output: "text" } as unknown as ExecOptions;
const logsOptions = { onHosts: [], component: "kubelet", tail: 10, follow: false, output: "text" } as unknown as LogsOptions;

describe("exec", () => {
  it("on one host passes on what the program says, byte for byte, and its exit code", async () => {
    for (const name of ["a", "b"]) docker(name);
    const options = { ...execOptions, hosts: hostsOf("a", "b"), onHosts: ["b"], argv: ["no newline", "oops\n", "7"] };
    const { exitCode, text } = await exec(options, context());
    expect([exitCode, text, out, err]).toEqual([7, "", "no newline", "oops\n"]);
  });

  it("on many says of each line whose it is, and ends with the highest exit code", async () => {
    for (const name of ["a", "b"]) docker(name);
    const { exitCode } = await exec({ ...execOptions, hosts: hostsOf("a", "b"), argv: ["1\n2", "", "3"] }, context());
    expect([exitCode, out.split("\n").sort()]).toEqual([3, ["", "[a] 1", "[a] 2", "[b] 1", "[b] 2"]]);
    expect(events).toContainEqual({ kind: "notice", host: "a", message: "exit code 3" });
  });

  it("a host that is not reached stops no other, and the exit code says so", async () => {
    docker("b");
    const { exitCode } = await exec({ ...execOptions, hosts: hostsOf("a", "b"), argv: ["1"] }, context());
    expect([exitCode, out]).toEqual([5, "[b] 1\n"]);
    expect(events).toContainEqual(expect.objectContaining({ kind: "problems", host: "a" }));
  });

  it("refuses names that no host of the file has, all at once", async () => {
    const options = { ...execOptions, hosts: hostsOf("node-1"), onHosts: ["node-2", "zebra"], argv: ["1"] };
    await expect(exec(options, context())).rejects.toMatchObject({
      problems: [{ hint: "Did you mean node-1?" }, { code: "NO_SUCH_HOST" }],
    });
  });

  it("reaches a thousand hosts by few connections at a time", async () => {
    const names = Array.from({ length: 1000 }, (_, n) => `h${n}`);
    for (const name of names) docker(name);
    const { exitCode } = await exec({ ...execOptions, hosts: hostsOf(...names), argv: ["1"] }, context());
    expect([exitCode, out.split("\n").length]).toEqual([0, 1001]);
    expect(world.mostOpen).toBeLessThanOrEqual(16);
    expect(world.open).toBe(0);
  });
});

describe("logs of many hosts", () => {
  it("say of each line whose it is; hosts without the component are passed over", async () => {
    docker("m", ["kubelet", "etcd"]);
    docker("w");
    const etcd = await logs({ ...logsOptions, hosts: hostsOf("m", "w"), component: "etcd" }, context());
    expect([etcd.exitCode, out, events]).toEqual([0, "[m] etcd one\n[m] etcd two\n", []]);
    const nowhere = await logs({ ...logsOptions, hosts: hostsOf("m", "w"), component: "novel" }, context());
    expect(nowhere.exitCode).toBe(2);
  });

  it("keep lines whole that come in pieces when they are followed", async () => {
    docker("m");
    await logs({ ...logsOptions, hosts: hostsOf("m"), follow: true }, context());
    expect(out).toBe("[m] half of a line\n[m] last\n");
  });

  it("refuse to follow more hosts than there may be connections", async () => {
    const names = Array.from({ length: 65 }, (_, n) => `h${n}`);
    const following = logs({ ...logsOptions, hosts: hostsOf(...names), follow: true }, context());
    await expect(following).rejects.toMatchObject({ problems: [{ code: "TOO_MANY_HOSTS" }] });
  });
});

it("status shows all masters, each compared with the file, and nodes that are none of the file's", () => {
  const master = (name: string) => ({ name, nodeName: name, host: { role: "master" }, state: { kind: "same" }, warnings: [] });
  const nodes = ["a", "b", "c"].map((name) => ({ metadata: { name } }));
  const rows = statusRows({ masters: [master("a"), master("b")], workers: [], nodes } as unknown as LookedAtCluster);
  expect(rows.map(({ host, role, node, state }) => [host, role, node, state])).toEqual([
    ["a", "master", "a", "same"],
    ["b", "master", "b", "same"],
    [undefined, undefined, "c", "no host known by this name"],
  ]);
});

describe("status --watch", () => {
  const look = (kind: string, ready = "True"): LookedAtCluster =>
    ({
      masters: [{ name: "m", nodeName: "m", host: { role: "master" }, state: { kind }, warnings: [] }],
      workers: [],
      nodes: [{ metadata: { name: "m" }, status: { conditions: [{ type: "Ready", status: ready }] } }],
    }) as unknown as LookedAtCluster;

  /** These looks, then Ctrl-C. */
  async function watch(looks: readonly LookedAtCluster[], output: "text" | "json", more: Partial<RunContext> = {}) {
    world.looks = [
      ...looks.map((one) => () => Promise.resolve(one)),
      () => {
        abort.abort();
        return Promise.reject(new Error("This operation was aborted"));
      },
    ];
    return watchStatus(hostsOf("m"), output, context(more));
  }

  it("writes a line when something has changed, and none else, for a host that goes away and comes back", async () => {
    const looks = [look("same"), look("same"), look("unreachable", "False"), look("same")];
    const result = await watch(looks, "json");
    const lines = out.trimEnd().split("\n").map((line) => JSON.parse(line) as { state: string; ready: boolean });
    expect(lines.map(({ state, ready }) => [state, ready])).toEqual([["same", true], ["unreachable", false], ["same", true]]);
    expect([result.exitCode ?? 0, result.isWritten]).toEqual([0, true]);
  });

  it("draws the whole table anew on a terminal", async () => {
    const drawn: string[] = [];
    await watch([look("same"), look("same")], "text", { redraw: (text) => Promise.resolve(void drawn.push(text)) });
    expect(drawn.length).toBe(2);
    expect(drawn[1]).toMatch(/HOST +ROLE +NODE.*\nm +master +m +Ready/);
  });
});
