import { expect, it, vi } from "vitest";
import { lookAtHosts } from "../../src/deploy/lookAtHosts.js";
import type { ClusterHosts } from "../../src/model/clusterHosts.js";
import type { ImageDetails } from "../../src/model/dockerObjects.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";
import { engineFacts, observedHost } from "../host/fixtures.js";
import { config, masterOptions, workerOptions } from "../plan/fixtures.js";

const world = vi.hoisted(() => ({ images: [] as ImageDetails[], version: "" }));

vi.mock("../../src/deploy/withEngine.js", () => ({
  withEngine: ({ dockerHost }: { dockerHost: string }, _: unknown, use: (engine: unknown) => unknown) => {
    const info = { ...engineFacts.info, id: dockerHost };
    const engine = fakeEngine({ images: world.images });
    return use({ ...engine, info: () => Promise.resolve(info), listContainers: () => Promise.resolve([]) });
  },
}));
vi.mock("../../src/deploy/withHelper.js", () => ({ withHelper: () => Promise.reject(new Error("no API server")) }));
vi.mock("../../src/deploy/deployMaster.js", () => ({
  deployMasterOn: () => {
    const { version } = world;
    const image = `tsdeploy/hyperkube:${version}`;
    return Promise.resolve({ kind: "planned", plan: { nodeName: "one" }, config: { ...config, version, image } });
  },
}));
vi.mock(import("../../src/deploy/hostSession.js"), async (original) => ({
  ...(await original()),
  openSession: () => {
    const observed = { ...observedHost, host: { ...observedHost.host, hostname: "two" } };
    return Promise.resolve({ helper: { close: () => Promise.resolve() }, observed } as never);
  },
}));

it("a worker that has the image of another version only is a new one: it gets the cluster's when it joins", async () => {
  const old = fakeImage("tsdeploy/hyperkube:v1.20.2", { labels: hyperkubeLabels("v1.20.2") });
  world.images = [old];
  world.version = "v1.21.0";
  const hosts: ClusterHosts = {
    masters: [{ role: "master", name: "one", place: "cluster.yaml:2:3", options: { ...masterOptions, dockerHost: "tcp://one" } }],
    workers: [{ role: "worker", name: "two", place: "cluster.yaml:3:3", options: { ...workerOptions, dockerHost: "tcp://two" } }],
  };
  const context: Partial<RunContext> = { report: () => undefined, signal: new AbortController().signal, env: {} };
  const { workers } = await lookAtHosts(hosts, context as RunContext);
  expect(workers[0]?.failure).toBeUndefined();
  expect(workers).toMatchObject([{ nodeName: "two", state: { kind: "new" }, warnings: [] }]);
});
