import { beforeEach, expect, it, vi } from "vitest";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import type { WorkerExtras } from "../../src/deploy/joinWorker.js";
import { lookAtHosts } from "../../src/deploy/lookAtHosts.js";
import type { ClusterHosts, MasterHost } from "../../src/model/clusterHosts.js";
import { TsdeployError } from "../../src/model/errors.js";
import { labels, paths } from "../../src/model/hostLayout.js";
import type { MasterOptions, WorkerOptions } from "../../src/model/options.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";
import { engineFacts, observedHost } from "../host/fixtures.js";
import { config, masterOptions, workerOptions } from "../plan/fixtures.js";

/** By host: what runs there, and what was kept; which Dockers do not answer, and whose API server does. */
const world = vi.hoisted(() => ({
  role: new Map<string, "master" | "worker">(),
  accepted: new Map<string, string>(),
  away: new Set<string>(),
  answers: new Set<string>(),
  /** Masters by which workers were compared. */
  masters: [] as string[],
  /** Masters that a dry run of `master` was for. */
  dryRuns: [] as string[],
}));

vi.mock("../../src/deploy/withEngine.js", () => ({
  withEngine: ({ dockerHost = "" }: { dockerHost?: string }, _: unknown, use: (engine: unknown) => unknown) => {
    if (world.away.has(dockerHost)) {
      throw new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "nobody answers", hint: "Look." });
    }
    const role = world.role.get(dockerHost);
    const made = { [labels.cluster]: "c", [labels.component]: "kubelet", [labels.role]: role, [labels.version]: "v1.20.2" };
    const kubelet = { id: "k", name: "kubelet", state: "running", labels: made, mounts: [] };
    const image = fakeImage("tsdeploy/hyperkube:v1.20.2", { labels: hyperkubeLabels("v1.20.2") });
    const info = { ...engineFacts.info, id: dockerHost };
    return use({
      ...fakeEngine({ images: [image] }),
      endpoint: dockerHost,
      info: () => Promise.resolve(info),
      listContainers: () => Promise.resolve(role ? [kubelet] : []),
    });
  },
}));
vi.mock("../../src/deploy/withHelper.js", () => ({
  withLookOn: ({ endpoint }: { endpoint: string }, _: unknown, use: (host: unknown) => unknown) =>
    world.answers.has(endpoint)
      ? use({ helper: { readFiles: () => Promise.resolve(new Map([["name", endpoint]])) } })
      : Promise.reject(new Error("no API server")),
}));
vi.mock("../../src/deploy/hostApi.js", () => ({
  adminApi: (_: unknown, files: Map<string, string>) =>
    Promise.resolve({
      server: `https://${files.get("name") ?? ""}:6443`,
      list: () => Promise.resolve(["a", "b", "w"].map((name) => ({ metadata: { name } }))),
      close: () => undefined,
    }),
}));
vi.mock("../../src/deploy/deployMaster.js", () => ({
  deployMasterOn: (_: unknown, { dockerHost = "" }: MasterOptions) => {
    world.dryRuns.push(dockerHost);
    const difference = world.role.has(dockerHost) ? { changes: [] } : undefined;
    return Promise.resolve({ kind: "planned", plan: { nodeName: dockerHost, version: "v1.20.2" }, difference, config });
  },
}));
vi.mock("../../src/deploy/joinWorker.js", () => ({
  joinWorkerOn: async (_: unknown, { dockerHost = "" }: WorkerOptions, _context: unknown, extras: WorkerExtras) => {
    world.masters.push((await extras.cluster)?.master ?? "");
    return { kind: "planned", plan: { nodeName: dockerHost, version: "v1.20.2" }, difference: { changes: [] } };
  },
}));
vi.mock(import("../../src/deploy/hostSession.js"), async (original) => ({
  ...(await original()),
  openSession: ({ engine }) => {
    const content = world.accepted.get(engine.endpoint);
    const files = new Map(content === undefined ? [] : [[paths.options, { content, mode: 0o600 }]]);
    const observed = { ...observedHost, files, host: { ...observedHost.host, hostname: engine.endpoint } };
    return Promise.resolve({ helper: { close: () => Promise.resolve() }, observed } as never);
  },
}));

beforeEach(() => {
  for (const all of [world.role, world.accepted, world.away, world.answers]) all.clear();
  [world.masters, world.dryRuns] = [[], []];
});

async function look() {
  const masterOf = (name: string): MasterHost => {
    return { role: "master", name, place: "cluster.yaml:2:3", options: { ...masterOptions, dockerHost: name } };
  };
  const hosts: ClusterHosts = {
    masters: [masterOf("a"), masterOf("b")],
    workers: [{ role: "worker", name: "w", place: "cluster.yaml:4:3", options: { ...workerOptions, dockerHost: "w" } }],
  };
  const context: Partial<RunContext> = { report: () => undefined, signal: new AbortController().signal, env: {} };
  return lookAtHosts(hosts, context as RunContext);
}

it("a further master that is new is checked, and not compared with a cluster that it would be by itself", async () => {
  const { masters } = await look();
  expect(masters).toMatchObject([
    { state: { kind: "new" } },
    { nodeName: "b", state: { kind: "new" } },
  ]);
  expect(masters[1]?.failure).toBeUndefined();
  expect(world.dryRuns).toEqual(["a"]);
});

it("one that is a member is compared as the first is", async () => {
  world.role.set("b", "master");
  const { masters } = await look();
  expect(masters[1]?.state).toEqual({ kind: "different", changes: ["wait until node b is Ready"], drains: false });
  expect(world.dryRuns.sort()).toEqual(["a", "b"]);
});

it("one that keeps a cluster of its own is refused", async () => {
  const { content } = acceptedOptionsFile({ ...masterOptions, k8sVersion: "v1.20.2", ip: ["10.0.0.5"], nodeName: "b" });
  world.accepted.set("b", content);
  const { masters } = await look();
  expect(masters[1]).toMatchObject({ state: { kind: "refused" }, failure: { problems: [{ code: "ALREADY_MASTER" }] } });
});

it("the cluster is found by any master that answers, and workers are compared by its address", async () => {
  world.away.add("a");
  world.role.set("b", "master");
  world.role.set("w", "worker");
  world.answers.add("b");
  const { masters, nodes } = await look();
  expect(masters.map(({ state }) => state.kind)).toEqual(["unreachable", "different"]);
  expect([nodes.length, world.masters]).toEqual([3, ["b"]]);
});
