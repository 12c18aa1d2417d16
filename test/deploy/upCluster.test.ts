import { beforeEach, describe, expect, it, vi } from "vitest";
import { up } from "../../src/commands/up.js";
import type { LookedAtCluster } from "../../src/deploy/lookAtHosts.js";
import type { ClusterHosts } from "../../src/model/clusterHosts.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { MasterOptions, UpOptions, WorkerOptions } from "../../src/model/options.js";
import type { HostState } from "../../src/plan/planCluster.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";

/** What the hosts are like, and what was done to them, in order. */
const world = vi.hoisted(() => ({
  looks: [] as LookedAtCluster[],
  done: [] as string[],
  /** By their owner. */
  cordoned: new Set<string>(),
  deployMaster: (name: string): Promise<unknown> => Promise.resolve({ kind: "changed", name }),
  /** Masters whose API server does not answer. */
  silent: new Set<string>(),
  joinWorker: (options: unknown): Promise<unknown> => Promise.resolve({ kind: "changed", options }),
  drain: (): Promise<void> => Promise.resolve(),
  removeMember: (): Promise<void> => Promise.resolve(),
}));

vi.mock("../../src/deploy/lookAtHosts.js", () => ({ lookAtHosts: () => Promise.resolve(world.looks.shift()) }));
// The way of an upgrade has tests of its own; here all hosts have the version that the file says.
vi.mock("../../src/deploy/prepareUpgrade.js", () => ({
  prepareUpgrade: () => Promise.resolve({ plan: { stops: [] }, blockers: [] }),
}));
vi.mock("../../src/deploy/deployMaster.js", () => ({
  deployMaster: ({ nodeName = "", join, token }: MasterOptions) => {
    // A single one is called m.
    const name = nodeName === "m" ? "" : ` ${nodeName}`;
    world.done.push(`master${name}${join === undefined ? "" : ` joins ${join} by ${token ?? ""}`}`);
    return world.deployMaster(nodeName);
  },
}));
vi.mock("../../src/deploy/joinWorker.js", () => ({
  joinWorker: async (options: WorkerOptions) => {
    world.done.push(`begin ${options.nodeName ?? ""} of ${options.master} by ${options.token ?? ""}`);
    await world.joinWorker(options);
    world.done.push(`end ${options.nodeName ?? ""}`);
    return { kind: "changed" };
  },
}));
vi.mock("../../src/deploy/bringImage.js", () => ({
  bringImage: (image: string, _master: unknown, { name }: { name: string }) => {
    world.done.push(`bring ${image} to ${name}`);
    return Promise.resolve();
  },
}));
vi.mock("../../src/config/acceptedOptions.js", async (original) => ({
  ...(await original<typeof import("../../src/config/acceptedOptions.js")>()),
  // Where a master itself is, by its name.
  acceptedNode: (files: Map<string, string>) => ({ ip: [files.get("name") ?? ""] }),
}));
vi.mock("../../src/deploy/withHelper.js", () => ({
  withHelper: ({ nodeName }: { nodeName: string }, _context: unknown, use: (host: unknown) => unknown) =>
    use({ helper: { readFiles: () => Promise.resolve(new Map([["name", nodeName]])), clockMs: () => Promise.resolve(0) } }),
}));
vi.mock("../../src/deploy/hostApi.js", () => ({
  adminApi: (_: unknown, files: Map<string, string>) => {
    const name = files.get("name") ?? "";
    const get = () => (world.silent.has(name) ? Promise.reject(new Error("no answer")) : Promise.resolve({}));
    const host = name === "m" ? "10.0.0.1" : name;
    return Promise.resolve({ server: `https://${host}:6443`, get, close: () => undefined });
  },
}));
vi.mock("../../src/kubernetes/bootstrapObjects.js", () => ({
  clusterConfigPath: "/",
  parseClusterConfig: () => ({
    ...{ version: "v1.20.2", image: "hyperkube", apiserver: "https://10.0.0.1:6443" },
    severalMasters: true,
  }),
}));
vi.mock("../../src/deploy/etcdMembers.js", () => ({
  removeLostMember: ({ name }: { name: string }) => {
    world.done.push(`remove member ${name}`);
    return world.removeMember();
  },
}));
vi.mock("../../src/deploy/joinTokens.js", () => ({
  makeToken: () => {
    world.done.push("token");
    return Promise.resolve({ id: "abcdef", joinToken: "SECRET" });
  },
  endToken: (_api: unknown, id: string) => {
    world.done.push(`revoke ${id}`);
    return Promise.resolve();
  },
}));
vi.mock("../../src/deploy/masterTokens.js", () => ({
  masterTokenMs: 1e9,
  makeMasterToken: () => {
    world.done.push("token for masters");
    return Promise.resolve({ id: "ghijkl", joinToken: "SECRET-KEY" });
  },
}));
vi.mock("../../src/apply/leaveCluster.js", () => ({
  drainNode: (_api: unknown, { node }: { node: string }) => {
    world.done.push(`drain ${node}`);
    return world.drain();
  },
  deleteNode: (_api: unknown, node: string) => {
    world.done.push(`delete ${node}`);
    return Promise.resolve();
  },
}));

vi.mock("../../src/apply/ownCordon.js", async (original) => ({
  ...(await original<typeof import("../../src/apply/ownCordon.js")>()),
  cordonForWork: (_api: unknown, node: string) => Promise.resolve(!world.cordoned.has(node)),
  endOwnCordon: (_api: unknown, node: string) => {
    world.done.push(`uncordon ${node}`);
    return Promise.resolve();
  },
}));

const same: HostState = { kind: "same" };
const fresh: HostState = { kind: "new" };
const different = (drains: boolean): HostState => ({ kind: "different", changes: ["replace container kubelet"], drains });
const refused: HostState = { kind: "refused" };

/** A look at a master `m`, or these masters, and these workers. */
function seen(
  master: HostState | Readonly<Record<string, HostState>>,
  workers: Readonly<Record<string, HostState>>,
  nodes: readonly string[] = [],
): LookedAtCluster {
  const look = (name: string, role: "master" | "worker", state: HostState) => {
    const options = { nodeName: name, timeoutMs: 1000, pullTimeoutMs: 1000, given: new Set<string>() };
    const failure = { exitCode: 3, problems: [{ code: "SWAP_ON", message: "swap is on" }] };
    const host = { name, role, options } as unknown;
    return { name, nodeName: name, state, warnings: [], host, ...(state.kind === "refused" && { failure }) };
  };
  return {
    masters: Object.entries("kind" in master ? { m: master as HostState } : master).map(([name, state]) =>
      look(name, "master", state),
    ),
    workers: Object.entries(workers).map(([name, state]) => look(name, "worker", state)),
    nodes: nodes.map((name) => ({ metadata: { name } })),
  } as unknown as LookedAtCluster;
}

let events: ReportEvent[];
let abort: AbortController;

beforeEach(() => {
  events = [];
  abort = new AbortController();
  world.done.length = 0;
  world.cordoned.clear();
  world.silent.clear();
  world.looks.length = 0;
  world.deployMaster = () => Promise.resolve({ kind: "changed" });
  world.joinWorker = () => Promise.resolve({ kind: "changed" });
  world.drain = () => Promise.resolve();
  world.removeMember = () => Promise.resolve();
});

async function run(look: LookedAtCluster, options: Partial<UpOptions> = {}, confirmed = true) {
  const hosts: ClusterHosts = {
    masters: look.masters.map(({ host }) => host) as unknown as ClusterHosts["masters"],
    workers: look.workers.map(({ host }) => host),
  };
  world.looks.unshift(look);
  const usual = { prune: false, continue: false, dryRun: false, yes: false, timeoutMs: 1000 };
  const all = { hosts, ...usual, ...options } as UpOptions;
  const result = await up(all, {
    report: (event: ReportEvent) => events.push(event),
    signal: abort.signal,
    env: {},
    isTTY: true,
    confirm: () => Promise.resolve(confirmed),
  } as unknown as RunContext);
  const data = result.data as { hosts: { host: string; outcome: string }[]; pruned?: string[] };
  const outcomes = Object.fromEntries(data.hosts.map(({ host, outcome }) => [host, outcome]));
  return { ...result, outcomes, pruned: data.pruned };
}

describe("up", () => {
  it("makes the master, then joins workers by one token that is revoked at the end and never shown", async () => {
    const { outcomes, exitCode, text, data } = await run(seen(fresh, { a: fresh, b: fresh }));
    expect(outcomes).toEqual({ m: "made", a: "joined", b: "joined" });
    expect(world.done.slice(0, 3)).toEqual(["master", "bring hyperkube to a", "bring hyperkube to b"]);
    expect(world.done).toContain("begin b of 10.0.0.1 by SECRET");
    expect(world.done.filter((what) => what === "token").length).toBe(1);
    expect(world.done.at(-1)).toBe("revoke abcdef");
    expect(exitCode).toBe(0);
    expect(JSON.stringify([events, text, data])).not.toContain("SECRET");
  });

  it("touches nothing where nothing differs, and makes no token", async () => {
    const { outcomes, text } = await run(seen(same, { a: same }));
    expect(outcomes).toEqual({ m: "same", a: "same" });
    expect(text).toContain("Nothing to change: 2 hosts are as the file says");
    expect(world.done).toEqual([]);
  });

  it("--dry-run says what would be done", async () => {
    const { text } = await run(seen(same, { a: fresh, b: different(false) }), { dryRun: true });
    expect(text).toMatch(/join\n {4}a\n {2}change\n {4}b\n {6}replace container kubelet/);
    expect(world.done).toEqual([]);
  });

  it("a worker that fails stops no other; the exit code is its own", async () => {
    world.joinWorker = (options) =>
      (options as WorkerOptions).nodeName === "a"
        ? Promise.reject(new TsdeployError("failed", { code: "KUBELET_DEAD", message: "it died", hint: "Look." }))
        : Promise.resolve();
    const { outcomes, exitCode } = await run(seen(same, { a: fresh, b: fresh }));
    expect(outcomes).toEqual({ m: "same", a: "failed", b: "joined" });
    expect(exitCode).toBe(6);
    expect(events).toContainEqual(expect.objectContaining({ kind: "host-failed", host: "a" }));
    expect(world.done.at(-1)).toBe("revoke abcdef");
  });

  it("no worker is touched when the master fails", async () => {
    world.deployMaster = () => Promise.reject(new TsdeployError("failed", { code: "ETCD_DEAD", message: "it died", hint: "Look." }));
    const { outcomes, exitCode } = await run(seen(fresh, { a: fresh }));
    expect(outcomes).toEqual({ m: "failed", a: "skipped" });
    expect([exitCode, world.done]).toEqual([6, ["master"]]);
  });

  it("a check that stands against one host stops all, but with --continue only that one", async () => {
    const stopped = await run(seen(fresh, { a: fresh, b: refused }));
    expect([stopped.outcomes, stopped.exitCode, world.done]).toEqual([{ m: "skipped", a: "skipped", b: "skipped" }, 3, []]);
    const { outcomes, exitCode } = await run(seen(same, { a: fresh, b: refused }), { continue: true });
    expect([outcomes, exitCode]).toEqual([{ m: "same", a: "joined", b: "skipped" }, 3]);
  });

  it("has further masters join one by one, by a token of theirs for this run alone, before workers do", async () => {
    const { outcomes, text, data } = await run(seen({ a: fresh, b: fresh, c: fresh }, { w: fresh }));
    expect(outcomes).toEqual({ a: "made", b: "joined", c: "joined", w: "joined" });
    expect(world.done).toEqual([
      ...["master a", "bring hyperkube to b", "token for masters", "master b joins a by SECRET-KEY"],
      ...["bring hyperkube to c", "master c joins a by SECRET-KEY"],
      ...["bring hyperkube to w", "token", "begin w of a by SECRET", "end w", "revoke abcdef", "revoke ghijkl"],
    ]);
    expect(JSON.stringify([events, text, data])).not.toContain("SECRET");
  });

  it("finds the cluster by any master that answers: the first one is lost, the next one is silent", async () => {
    world.silent.add("b");
    const look = seen({ a: { kind: "unreachable" }, b: same, c: same }, { w: fresh }, ["a", "b", "c"]);
    const { outcomes } = await run(look);
    expect(outcomes).toEqual({ a: "skipped", b: "same", c: "same", w: "joined" });
    expect(world.done).toContain("begin w of c by SECRET");
  });

  it("a new machine in place of the first master joins the others", async () => {
    await run(seen({ a: fresh, b: same, c: same }, {}, ["b", "c"]));
    expect(world.done.filter((what) => what.startsWith("master"))).toEqual(["master a joins b by SECRET-KEY"]);
  });

  it("after a master that fails no other one is touched, nor a worker", async () => {
    world.deployMaster = (name) =>
      name === "b"
        ? Promise.reject(new TsdeployError("failed", { code: "ETCD_DEAD", message: "it died", hint: "Look." }))
        : Promise.resolve({ kind: "changed" });
    const { outcomes, exitCode } = await run(seen({ a: fresh, b: fresh, c: fresh }, { w: fresh }));
    expect([outcomes, exitCode]).toEqual([{ a: "made", b: "failed", c: "skipped", w: "skipped" }, 6]);
    expect(world.done.at(-1)).toBe("revoke ghijkl");
  });

  it("warns of an even number of masters", async () => {
    await run(seen({ a: same, b: same }, {}));
    const warnings = events.flatMap((event) => (event.kind === "warning" ? event.message : []));
    expect(warnings).toEqual([expect.stringContaining("2 masters can lose none, no more than 1")]);
  });

  it("never works on more workers at once than --parallel", async () => {
    let [now, most] = [0, 0];
    world.joinWorker = async () => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
    };
    const workers = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`w${n}`, fresh]));
    const { outcomes } = await run(seen(same, workers), { parallel: 7 });
    expect(most).toBe(7);
    expect(Object.values(outcomes).filter((outcome) => outcome === "joined").length).toBe(200);
  });

  it("workers that change do so one by one, drained first if their minor version changes", async () => {
    await run(seen(same, { a: different(true), b: different(false) }));
    const course = world.done.filter((what) => !/^(token|bring|revoke)/.test(what));
    expect(course.map((what) => what.replace(/ of .*/, ""))).toEqual([
      ...["drain a", "begin a", "end a", "uncordon a"],
      ...["begin b", "end b"],
    ]);
  });

  it("a worker that cannot be drained is left as it was, and takes pods again", async () => {
    world.drain = () => Promise.reject(new TsdeployError("failed", { code: "DRAIN_TIMEOUT", message: "late", hint: "Look." }));
    const { outcomes } = await run(seen(same, { a: different(true) }));
    expect(outcomes).toEqual({ m: "same", a: "failed" });
    expect(world.done).toEqual(["drain a", "uncordon a"]);
  });

  it("a node that an earlier run had cordoned, and did not come to uncordon, takes pods again", async () => {
    const look = seen(same, { a: same, b: same }, ["m", "a", "b"]);
    const nodes = look.nodes.map((node, n) =>
      n === 1 ? { metadata: { ...node.metadata, annotations: { "io.tsdeploy.cordoned": "2026" } } } : node,
    );
    await run({ ...look, nodes });
    expect(world.done).toEqual(["uncordon a"]);
  });

  it("looks again at workers when the master has changed: they follow its configuration", async () => {
    world.looks.push(seen(same, { a: different(false) }));
    const { outcomes } = await run(seen(different(false), { a: same }));
    expect(outcomes).toEqual({ m: "changed", a: "changed" });
  });

  it("prunes what is not in the file after a yes", async () => {
    const { pruned } = await run(seen(same, { a: same }, ["m", "a", "old"]), { prune: true });
    expect([pruned, world.done]).toEqual([["old"], ["drain old", "delete old"]]);
    await expect(run(seen(same, {}, ["m", "old"]), { prune: true }, false)).rejects.toThrow("nothing was changed");
    const { text } = await run(seen(same, {}, ["m", "old"]));
    expect(text).toContain("in the cluster and not in the file: old");
  });

  describe("prunes a master that is not in the file", () => {
    const withLostMaster = (): LookedAtCluster => {
      const look = seen(same, {}, ["m", "lost"]);
      const labels = { "node-role.kubernetes.io/control-plane": "" };
      const nodes = look.nodes.map((node, n) => (n === 1 ? { metadata: { ...node.metadata, labels } } : node));
      return { ...look, nodes };
    };
    const problem = (code: string) => () => Promise.reject(new TsdeployError("usage", { code, message: "no", hint: "Look." }));

    it("with its member of etcd, without waiting for pods of a machine that is gone", async () => {
      const { pruned } = await run(withLostMaster(), { prune: true });
      expect([pruned, world.done]).toEqual([["lost"], ["remove member lost"]]);
    });

    it("as any node where etcd has no such member any more", async () => {
      world.removeMember = problem("NO_SUCH_MEMBER");
      const { pruned } = await run(withLostMaster(), { prune: true });
      expect([pruned, world.done]).toEqual([["lost"], ["remove member lost", "drain lost", "delete lost"]]);
    });

    it("not where its etcd answers after all", async () => {
      world.removeMember = problem("MEMBER_LIVES");
      const { pruned, exitCode } = await run(withLostMaster(), { prune: true });
      expect([pruned, exitCode, world.done]).toEqual([[], 2, ["remove member lost"]]);
    });
  });

  it("a node that cannot be drained stays in the cluster, cordoned only if it was so before; the exit code says so", async () => {
    world.drain = () => Promise.reject(new TsdeployError("failed", { code: "DRAIN_TIMEOUT", message: "late", hint: "Look." }));
    world.cordoned.add("old");
    const { pruned, exitCode } = await run(seen(same, {}, ["m", "old", "older"]), { prune: true });
    expect([pruned, exitCode]).toEqual([[], 6]);
    expect(world.done).toEqual(["drain old", "drain older", "uncordon older"]);
  });

  it("stopped by the person, leaves what has not begun and still revokes its token", async () => {
    world.joinWorker = () => {
      abort.abort();
      return Promise.reject(new Error("This operation was aborted"));
    };
    const { outcomes, exitCode } = await run(seen(same, { a: fresh, b: fresh }), { parallel: 1 });
    expect([outcomes, exitCode]).toEqual([{ m: "same", a: "failed", b: "skipped" }, 130]);
    expect(world.done.at(-1)).toBe("revoke abcdef");
  });
});
