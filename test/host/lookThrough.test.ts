import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it } from "vitest";
import { type ContainerEngine, EngineError, type Outages } from "../../src/docker/containerEngine.js";
import { openHelper } from "../../src/host/helperSession.js";
import { kubeletToLookThrough } from "../../src/host/lookThrough.js";
import type { ContainerSummary } from "../../src/model/dockerObjects.js";
import { labels } from "../../src/model/hostLayout.js";
import { imageLabels } from "../../src/model/imageLabels.js";

const kubelet: ContainerSummary = {
  id: "kubelet-id",
  name: "kube_kubelet_abc",
  image: "tsdeploy/hyperkube:v1.20.2",
  imageId: "sha256:1",
  labels: { [labels.component]: "kubelet", [imageLabels.cni]: "/usr/lib/cni" },
  state: "running",
  status: "Up 3 minutes",
  createdAt: 0,
};

describe("a run that only looks goes through the kubelet's container", () => {
  const through = (change: Partial<ContainerSummary>): string | undefined =>
    kubeletToLookThrough([{ ...kubelet, ...change }], "sha256:1");

  it("if that runs", () => {
    expect(through({})).toBe("kubelet-id");
    expect(through({ state: "restarting" })).toBeUndefined();
    expect(kubeletToLookThrough([], "sha256:1")).toBeUndefined();
  });

  it("from the image that a helper would have", () => {
    expect(through({ imageId: "sha256:2" })).toBeUndefined();
    // A published one: what it has in /opt is hidden by the host's.
    expect(through({ labels: { [labels.component]: "kubelet" } })).toBeUndefined();
  });
});

describe("a helper that is the kubelet's container", () => {
  let [started, removed]: [string[], string[]] = [[], []];
  let ran: { readonly id: string; readonly script: string }[] = [];
  let gone = new Set<string>();
  let returns: ((engine: ContainerEngine) => Promise<void>)[] = [];

  const outages: Outages = {
    recover: () => Promise.resolve(),
    onReturn: (act) => {
      returns.push(act);
      return () => undefined;
    },
  };
  const engine = {
    endpoint: "unix:///fake.sock",
    outages,
    runAttached: (name: string) => {
      started.push(name);
      return Promise.resolve({ id: `helper-${started.length}`, stdin: new PassThrough() });
    },
    removeContainer: (id: string) => Promise.resolve(removed.push(id)),
    waitUntilRemoved: (id: string) => Promise.resolve(removed.push(id)),
    inspectContainer: (id: string) => Promise.resolve(gone.has(id) ? undefined : { id, running: true }),
    exec: (id: string, [, , script = ""]: readonly string[]) => {
      ran.push({ id, script });
      if (gone.has(id)) return Promise.reject(new EngineError(404, `No such container: ${id}`));
      return Promise.resolve({ exitCode: 0, stdout: Buffer.from("10.5"), stderr: "" });
    },
  } as unknown as ContainerEngine;
  const open = () => openHelper(engine, "sha256:1", { through: "kubelet-id" });

  beforeEach(() => {
    [started, removed, ran, gone, returns] = [[], [], [], new Set(), []];
  });

  it("starts nothing, tells scripts where the host's root is, and removes nothing", async () => {
    const helper = await open();
    expect(await helper.clockMs()).toBe(10_500);
    await helper.close();
    expect({ started, removed }).toEqual({ started: [], removed: [] });
    expect(ran).toEqual([{ id: "kubelet-id", script: expect.stringMatching(/^export HOST_ROOT=\/proc\/1\/root\n/) as string }]);
  });

  it("is replaced by one of its own when that container fails it, once for all that fail", async () => {
    gone.add("kubelet-id");
    const helper = await open();
    expect(await Promise.all([helper.clockMs(), helper.clockMs()])).toEqual([10_500, 10_500]);
    expect(started).toHaveLength(1);
    const own = ran.filter(({ id }) => id === "helper-1").map(({ script }) => script.includes("export HOST_ROOT"));
    expect(own).toEqual([false, false]);
    await helper.close();
    expect(removed).toEqual(["helper-1"]);
  });

  it("leaves the kubelet alone when Docker comes back", async () => {
    const helper = await open();
    for (const act of returns) await act(engine);
    await helper.close();
    expect({ started, removed }).toEqual({ started: [], removed: [] });
  });
});
