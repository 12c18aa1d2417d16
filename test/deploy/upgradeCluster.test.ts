import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Blocker, Upgrade } from "../../src/deploy/prepareUpgrade.js";
import { carryOutUpgrade, refuseUpgrade, type UpgradeOutcome } from "../../src/deploy/upgradeCluster.js";
import type { ClusterHost } from "../../src/model/clusterHosts.js";
import { TsdeployError } from "../../src/model/errors.js";
import { planUpgrade, type UpgradeHost } from "../../src/plan/planUpgrade.js";
import type { RunContext } from "../../src/report/runContext.js";

/** The hosts as they are, what was done to them, and where that fails. */
const world = vi.hoisted(() => ({
  versions: new Map<string, string>(),
  cordoned: new Set<string>(),
  done: [] as string[],
  /** Called before each thing that is done. */
  before: undefined as ((what: string) => void) | undefined,
}));

function act(what: string, change: () => void = () => undefined): Promise<void> {
  return new Promise((resolve) => {
    world.before?.(what);
    world.done.push(what);
    change();
    resolve();
  });
}

interface Named {
  readonly nodeName?: string;
  readonly k8sVersion?: string;
}

vi.mock("../../src/deploy/deployMaster.js", () => ({
  deployMaster: async ({ nodeName = "", k8sVersion = "" }: Named) => {
    await act(`master ${nodeName} ${k8sVersion}`, () => world.versions.set(nodeName, k8sVersion));
    return { kind: "changed" };
  },
}));
vi.mock("../../src/deploy/joinWorker.js", () => ({
  joinWorker: async ({ nodeName = "" }: Named) => {
    const version = world.versions.get("a") ?? "";
    await act(`worker ${nodeName} ${version}`, () => world.versions.set(nodeName, version));
  },
}));
vi.mock("../../src/deploy/bringImage.js", () => ({ bringImage: () => Promise.resolve() }));
vi.mock("../../src/deploy/upgradeImages.js", () => ({
  bringUpgradeImage: ({ name }: { name: string }, { version }: { version: string }) => act(`image ${name} ${version}`),
}));
vi.mock("../../src/deploy/runningCluster.js", () => ({
  withCluster: (_host: unknown, _context: unknown, use: (cluster: unknown) => Promise<void>) => {
    const config = { version: world.versions.get("a"), image: "hyperkube", apiserver: "https://10.0.0.1:6443" };
    return use({ api: {}, config, token: () => Promise.resolve("SECRET") });
  },
}));
vi.mock("../../src/apply/leaveCluster.js", () => ({
  drainNode: (_api: unknown, { node }: { node: string }) => act(`drain ${node}`),
}));
vi.mock("../../src/apply/ownCordon.js", () => ({
  cordonForWork: async (_api: unknown, node: string) => {
    await act(`cordon ${node}`, () => world.cordoned.add(node));
    return true;
  },
  endOwnCordon: (_api: unknown, node: string) => act(`uncordon ${node}`, () => world.cordoned.delete(node)),
  leftCordons: (nodes: readonly { metadata: { name: string } }[]) => nodes.map(({ metadata }) => metadata.name),
}));

const masters = ["a", "b", "c"];
const workers = ["w", "x"];
let abort: AbortController;

function sightOf(name: string, role: ClusterHost["role"]): unknown {
  const options = { nodeName: name, given: new Set<string>(), timeoutMs: 1000, pullTimeoutMs: 1000 };
  const there = { nodeName: name, version: world.versions.get(name) ?? "", isWhole: true };
  return { name, host: { role, name, options }, there };
}

/** What a look would say of the world now. */
function upgradeTo(target: string, blockers: readonly Blocker[] = []): Upgrade {
  const now = (name: string): UpgradeHost => {
    return { name, version: world.versions.get(name) ?? "", isWhole: !world.cordoned.has(name) };
  };
  const input = { masters: masters.map(now), workers: workers.map(now), others: [], target };
  const plan = planUpgrade({ ...input, releaseOf: (minorVersion) => `v${minorVersion}.0` });
  const images = plan.stops.flatMap(({ version, masters: inTurn, workers: after }) =>
    [...inTurn, ...after].map((host) => ({ host, version, reference: "hyperkube", how: "pull" })),
  );
  const nodes = [...world.cordoned].map((name) => ({ metadata: { name } }));
  const sights = masters.map((name) => sightOf(name, "master"));
  return {
    masters: sights,
    workers: workers.map((name) => sightOf(name, "worker")),
    use: { nodes, config: {} },
    from: "v1.20.2",
    plan,
    images,
    blockers,
    warnings: [],
    first: { sight: sights[0], images: [] },
  } as unknown as Upgrade;
}

async function run(target: string, blockers: readonly Blocker[] = []): Promise<UpgradeOutcome> {
  const options = { continue: true, force: false, timeoutMs: 1000 };
  const context = { report: () => undefined, signal: abort.signal, env: {}, isTTY: false } as unknown as RunContext;
  return carryOutUpgrade(upgradeTo(target, blockers), options, context);
}

function failAt(pattern: RegExp): void {
  world.before = (what) => {
    if (pattern.test(what)) throw new TsdeployError("failed", { code: "BROKEN", message: what, hint: "Look." });
  };
}

beforeEach(() => {
  abort = new AbortController();
  for (const name of [...masters, ...workers]) world.versions.set(name, "v1.20.2");
  world.cordoned.clear();
  world.done.length = 0;
  world.before = undefined;
});

describe("an upgrade", () => {
  it("brings all images, then changes the masters in turn, then each worker while it is drained", async () => {
    const { hosts, failures } = await run("v1.21.0");
    expect(failures).toEqual([]);
    expect(hosts.map(({ outcome }) => outcome)).toEqual(["upgraded", "upgraded", "upgraded", "upgraded", "upgraded"]);
    expect(world.done).toEqual([
      ...["image a v1.21.0", "image b v1.21.0", "image c v1.21.0", "image w v1.21.0", "image x v1.21.0"],
      ...["master a v1.21.0", "master b v1.21.0", "master c v1.21.0"],
      ...["cordon w", "drain w", "worker w v1.21.0", "uncordon w"],
      ...["cordon x", "drain x", "worker x v1.21.0", "uncordon x"],
    ]);
  });

  it("drains nobody for another patch version", async () => {
    await run("v1.20.15");
    expect(world.done.filter((what) => /cordon|drain/.test(what))).toEqual([]);
    expect(new Set(world.versions.values())).toEqual(new Set(["v1.20.15"]));
  });

  it("changes nothing if one image cannot be had", async () => {
    failAt(/^image x/);
    await expect(run("v1.21.0")).rejects.toThrow("x: image x v1.21.0");
    expect(world.done.filter((what) => !what.startsWith("image"))).toEqual([]);
  });

  it("ends when a master fails; when a worker does, the others go on, and no API server goes further", async () => {
    failAt(/^master b/);
    expect((await run("v1.21.0")).hosts.map(({ outcome }) => outcome)).toEqual([
      ...["upgraded", "failed", "skipped"],
      ...["skipped", "skipped"],
    ]);
    failAt(/^worker w v1.22/);
    const { hosts } = await run("v1.23.0");
    expect(hosts.map(({ outcome }) => outcome)).toEqual(["upgraded", "upgraded", "upgraded", "failed", "upgraded"]);
    expect([...world.versions.values()]).toEqual(["v1.22.0", "v1.22.0", "v1.22.0", "v1.20.2", "v1.22.0"]);
    expect(world.cordoned).toEqual(new Set());
  });

  it("goes on without a worker that a check stands against, if that was said", async () => {
    const blocker: Blocker = { host: "w", code: "SWAP_ON", message: "swap is on", hint: "Look.", exitCode: 3, unless: "--continue" };
    expect(() => {
      refuseUpgrade({ blockers: [blocker] }, { continue: false, force: true });
    }).toThrow("SWAP_ON: w: swap is on");
    await run("v1.21.0", [blocker]);
    expect(world.versions.get("w")).toBe("v1.20.2");
    expect(world.versions.get("x")).toBe("v1.21.0");
  });

  it("says all that stands against it at once", () => {
    const blockers: Blocker[] = [
      { code: "API_REMOVED", message: "no ingresses", hint: "Look.", exitCode: 4, unless: "--force" },
      { host: "x", code: "DOCKER_UNREACHABLE", message: "no answer", hint: "Look.", exitCode: 5, unless: "--continue" },
    ];
    const refuse = (options: { continue: boolean; force: boolean }) => () => {
      refuseUpgrade({ blockers }, options);
    };
    expect(refuse({ continue: false, force: false })).toThrow(/API_REMOVED: .*\n.*DOCKER_UNREACHABLE: x: no answer/);
    expect(refuse({ continue: true, force: false })).toThrow(/^API_REMOVED/);
    expect(refuse({ continue: true, force: true })).not.toThrow();
  });

  // The way from v1.20 to v1.23 has some 30 of them.
  it.each(Array.from({ length: 34 }, (_, n) => n))("killed before thing %d: the same command brings it to its end", async (at) => {
    let count = 0;
    const dead = new Error("killed");
    world.before = () => {
      // A process that is dead does nothing any more, no undo either.
      if (count++ >= at) throw dead;
    };
    await run("v1.23.0").catch(() => undefined);
    world.before = undefined;
    const { failures } = await run("v1.23.0");
    expect(failures).toEqual([]);
    expect(new Set(world.versions.values())).toEqual(new Set(["v1.23.0"]));
    expect(world.cordoned).toEqual(new Set());
  });
});
