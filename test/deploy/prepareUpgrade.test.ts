import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ClusterUse } from "../../src/deploy/clusterUse.js";
import type { NodeThere } from "../../src/deploy/nodeSight.js";
import { prepareUpgrade, type UpgradeWish } from "../../src/deploy/prepareUpgrade.js";
import type { UpgradeImage } from "../../src/deploy/upgradeImages.js";
import type { MasterHost, WorkerHost } from "../../src/model/clusterHosts.js";
import type { RunContext } from "../../src/report/runContext.js";

/** What looks at the hosts and the cluster find. */
const world = vi.hoisted(() => ({
  there: new Map<string, Partial<NodeThere> | undefined>(),
  unreachable: new Set<string>(),
  use: undefined as Partial<ClusterUse> | undefined,
  etcd: new Map<string, string>(),
  etcdNow: "3.5.26",
  /** Of the checks of each host. */
  findings: [] as { kind: string; code: string; message: string }[],
}));

vi.mock("../../src/deploy/nodeSight.js", () => ({
  lookAtNode: (host: { name: string }) => {
    const failure = { exitCode: 5, problems: [{ code: "DOCKER_UNREACHABLE", message: "no answer" }] };
    if (world.unreachable.has(host.name)) return Promise.resolve({ host, name: host.name, failure });
    const there = world.there.get(host.name);
    const containers = [{ labels: { "io.tsdeploy.component": "etcd" }, state: "running", image: `etcd:${world.etcdNow}-0` }];
    const observed = { engine: { containers }, files: new Map() };
    const seen = { nodeName: host.name, isWhole: true, imageVersions: [], observed, ...there };
    return Promise.resolve({ host, name: host.name, ...(there && { there: seen }) });
  },
}));
vi.mock("../../src/deploy/clusterUse.js", () => ({
  askCluster: () => (world.use ? Promise.resolve(world.use) : Promise.reject(new Error("connection refused"))),
}));
vi.mock("../../src/deploy/upgradeImages.js", () => ({
  masterImages: ({ name }: { name: string }, versions: string[]) =>
    Promise.resolve(versions.map((version) => ({ host: name, version, how: "pull", etcd: world.etcd.get(version) }))),
  workerImages: ({ name }: { name: string }, versions: string[]) =>
    Promise.resolve(versions.map((version): UpgradeImage => ({ host: name, version, reference: "x", how: "present" }))),
}));
vi.mock("../../src/deploy/settleMaster.js", () => ({
  follow: (options: unknown) => ({ options }),
  wantedOfMaster: () => ({ role: "master" }),
}));
vi.mock("../../src/deploy/settleWorker.js", () => ({
  followWorker: (options: unknown) => options,
  wantedOfWorker: () => ({ role: "worker" }),
}));
vi.mock("../../src/preflight/runPreflight.js", () => ({ runPreflight: () => ({ errors: world.findings, warnings: [] }) }));

/** A node of each host that is there, Ready. */
function cluster(more: Partial<ClusterUse> = {}): Partial<ClusterUse> {
  const nodes = [...world.there].map(([name, there]) => ({
    metadata: { name },
    status: { conditions: [{ type: "Ready", status: "True" }], nodeInfo: { kubeletVersion: there?.version ?? "" } },
  }));
  return { nodes, lostApis: [], tightBudgets: [], config: {} as ClusterUse["config"], ...more };
}

async function prepare(said: string | undefined, wish: Partial<UpgradeWish> = {}) {
  const options = { given: new Set(), ...(said !== undefined && { k8sVersion: said }) };
  const host = (name: string, role: string) => ({ name, role, options }) as unknown;
  const workers = [...world.there.keys(), ...world.unreachable].filter((name) => name !== "m");
  const context = { signal: new AbortController().signal, report: () => undefined } as unknown as RunContext;
  return prepareUpgrade(
    { masters: [host("m", "master") as MasterHost], workers: workers.map((name) => host(name, "worker") as WorkerHost), ...wish },
    context,
  );
}

function run(versions: Readonly<Record<string, string>>): void {
  for (const [name, version] of Object.entries(versions)) world.there.set(name, { version });
  world.use = cluster();
}

beforeEach(() => {
  world.there.clear();
  world.unreachable.clear();
  world.etcd.clear();
  world.etcdNow = "3.5.26";
  world.findings = [];
});

describe("where an upgrade goes", () => {
  it("is what was said, else what the file says, else the next minor version", async () => {
    run({ m: "v1.25.2", w: "v1.25.2" });
    expect((await prepare(undefined, { targetVersion: "v1.27.1" })).plan.target).toBe("v1.27.1");
    expect((await prepare("v1.26.3")).plan.target).toBe("v1.26.3");
    expect((await prepare(undefined)).plan.target).toBe("v1.26.0");
    // Of which the master has an image.
    world.there.set("m", { version: "v1.25.2", imageVersions: ["v1.26.5", "v1.26.14", "v1.27.0"] });
    expect((await prepare("v1.25.2")).plan.target).toBe("v1.26.14");
    // Or that was tried.
    run({ m: "v1.20.2" });
    expect((await prepare(undefined)).plan.target).toBe("v1.21.2");
  });

  it("is the masters' version while a worker is behind, whatever the file still says", async () => {
    run({ m: "v1.21.0", w: "v1.20.2", x: "v1.21.0" });
    for (const said of [undefined, "v1.20.2", "v1.21.0"]) {
      const { plan } = await prepare(said);
      expect(plan.target).toBe("v1.21.0");
      expect(plan.stops).toEqual([{ version: "v1.21.0", masters: [], workers: ["w"] }]);
    }
  });

  it("is nowhere by itself for `up`", async () => {
    run({ m: "v1.20.2" });
    expect((await prepare(undefined, { onlyAsSaid: true })).plan).toMatchObject({ target: "v1.20.2", stops: [] });
    expect((await prepare("v1.19.0", { onlyAsSaid: true })).blockers).toMatchObject([{ code: "DOWNGRADE" }]);
  });

  it("works again on a node that is not Ready, runs another version than it should, or was left cordoned", async () => {
    run({ m: "v1.21.0", w: "v1.21.0", x: "v1.21.0", y: "v1.21.0" });
    const { nodes = [] } = cluster();
    const changed = nodes.map((node) => {
      if (node.metadata.name === "w") return { ...node, status: { ...node.status, nodeInfo: { kubeletVersion: "v1.20.2" } } };
      if (node.metadata.name !== "x") return node;
      return { ...node, metadata: { name: "x", annotations: { "io.tsdeploy.cordoned": "2026" } } };
    });
    world.use = cluster({ nodes: changed });
    const { plan } = await prepare(undefined, { targetVersion: "v1.21.0" });
    expect(plan.stops).toEqual([{ version: "v1.21.0", masters: [], workers: ["w", "x"] }]);
  });
});

describe("what stands against an upgrade", () => {
  it("is an API server that does not answer, unless a run was cut short on the master", async () => {
    run({ m: "v1.20.2" });
    world.use = undefined;
    expect((await prepare(undefined)).blockers).toMatchObject([{ code: "API_UNREACHABLE", exitCode: 5 }]);
    world.there.set("m", { version: "v1.21.0", isWhole: false });
    const { blockers, plan } = await prepare(undefined, { targetVersion: "v1.21.0" });
    expect(blockers).toEqual([]);
    expect(plan.stops).toMatchObject([{ version: "v1.21.0", masters: ["m"] }]);
  });

  it("is a use of an API that goes, unless forced; a file that has it is a warning", async () => {
    run({ m: "v1.21.0" });
    const lost = { api: "extensions/v1beta1 ingresses", removedIn: "1.22", replacement: "networking.k8s.io/v1" };
    const asked = { ...lost, isRequested: true, isAskedByControlPlane: false, objects: ["default/web"] };
    world.use = cluster({ lostApis: [asked] });
    const { blockers, warnings } = await prepare(undefined, { targetVersion: "v1.22.0" });
    expect(blockers).toMatchObject([{ code: "API_REMOVED", unless: "--force" }]);
    expect(warnings).toEqual([
      "v1.22 has no extensions/v1beta1 ingresses any more: the files of default/web have to say networking.k8s.io/v1",
    ]);
  });

  it("is no use of an API that goes by Kubernetes' own controllers, unless objects are there or were applied by it", async () => {
    run({ m: "v1.21.0" });
    const ingresses = { api: "extensions/v1beta1 ingresses", removedIn: "1.22", replacement: "networking.k8s.io/v1" };
    const policies = { api: "policy/v1beta1 podsecuritypolicies", removedIn: "1.25" };
    const asked = { isRequested: true, isAskedByControlPlane: true, objects: [] };
    world.use = cluster({ lostApis: [{ ...ingresses, ...asked }, { ...policies, ...asked }] });
    const target = { targetVersion: "v1.25.0" };
    const { blockers, warnings } = await prepare(undefined, target);
    expect(blockers).toEqual([]);
    expect(warnings.map((warning) => / has no (.*) any more: Kubernetes' own/.exec(warning)?.[1])).toEqual([
      ingresses.api,
      policies.api,
    ]);
    world.use = cluster({
      lostApis: [{ ...ingresses, ...asked, objects: ["default/web"] }, { ...policies, ...asked, objects: ["strict"] }],
    });
    const way = "Or go on all the same by `tsdeploy upgrade apply --force`.";
    expect((await prepare(undefined, target)).blockers).toMatchObject([
      { code: "API_REMOVED", hint: `Write networking.k8s.io/v1 into their files, and apply those again. ${way}` },
      { code: "API_REMOVED", hint: `Delete it, if nobody needs it. ${way}` },
    ]);
  });

  it("is a manifest of a master that was edited, unless it is to be overwritten", async () => {
    const path = "/etc/kubernetes/manifests-multi/master-multi.json";
    const files = new Map([[path, { content: '{"kind":"Pod"}', mode: 0o600 }]]);
    const observed = { engine: { containers: [] }, files } as unknown as NodeThere["observed"];
    world.there.set("m", { version: "v1.20.2", observed });
    world.use = cluster();
    const edited = { host: "m", code: "MANIFEST_EDITED", exitCode: 4, message: expect.stringContaining(path) as string };
    expect((await prepare(undefined, { targetVersion: "v1.21.0" })).blockers).toMatchObject([edited]);
    expect((await prepare(undefined, { targetVersion: "v1.20.2" })).blockers).toEqual([]);
    const options = { given: new Set(), overwrite: true };
    const masters = [{ name: "m", role: "master", options } as unknown as MasterHost];
    expect((await prepare(undefined, { targetVersion: "v1.21.0", masters })).blockers).toEqual([]);
  });

  it("is a worker that is not reached, unless it may stay behind", async () => {
    run({ m: "v1.20.2", w: "v1.20.2" });
    world.unreachable.add("far");
    const { blockers, plan } = await prepare(undefined);
    expect(blockers).toMatchObject([{ host: "far", code: "DOCKER_UNREACHABLE", exitCode: 5, unless: "--continue" }]);
    expect(plan.stops).toMatchObject([{ masters: ["m"], workers: ["w"] }]);
  });

  it("is what a host's checks find, but not of the image that is to be replaced", async () => {
    run({ m: "v1.33.3" });
    world.findings = ["SWAP_ON", "IMAGE_UNFIT", "ETCD_DOWNGRADE", "ETCD_UPGRADE_UNSAFE", "FOREIGN_ETCD"].map((code) => ({
      kind: "conflict",
      code,
      message: code,
    }));
    const { blockers } = await prepare(undefined, { targetVersion: "v1.34.2" });
    expect(blockers.map(({ code }) => code)).toEqual(["SWAP_ON", "FOREIGN_ETCD"]);
  });

  it("is an etcd that must not follow the one that runs", async () => {
    run({ m: "v1.33.1" });
    world.etcdNow = "3.5.24";
    world.etcd.set("v1.34.0", "3.6.5");
    expect((await prepare(undefined, { targetVersion: "v1.34.0" })).blockers).toMatchObject([{ code: "ETCD_UPGRADE_UNSAFE" }]);
    world.etcdNow = "3.5.26";
    expect((await prepare(undefined, { targetVersion: "v1.34.0" })).blockers).toEqual([]);
  });

  it("budgets that allow no eviction are told where a worker is drained", async () => {
    run({ m: "v1.20.2", w: "v1.20.2" });
    world.use = cluster({ tightBudgets: ["default/web"] });
    expect((await prepare(undefined)).warnings).toEqual([
      "the disruption budget default/web allows no eviction now: a drain waits for it",
    ]);
  });
});
