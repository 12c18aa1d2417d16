import { describe, expect, test } from "vitest";
import { ApiError, type KubernetesClient } from "../../src/api/kubernetesClient.js";
import { pathOf } from "../../src/api/pathOf.js";
import { type DeadlineError, waitFor } from "../../src/apply/waitFor.js";
import { waitInVain } from "../../src/apply/waitInVain.js";
import { ContainerWatch } from "../../src/apply/containerWatch.js";
import { probeObjectsGone, probeWorkloads } from "../../src/apply/workloadProbes.js";
import type { KubernetesObject } from "../../src/model/kubernetesObject.js";
import { fakeEngine } from "../docker/fakeEngine.js";

const never = new AbortController().signal;
const metadata = { name: "metrics-server", namespace: "kube-system" };
const labels = { "k8s-app": "metrics-server" };
const reference = { apiVersion: "apps/v1", kind: "Deployment", metadata };

function deployment(status: object, spec: object = {}): KubernetesObject {
  const generation = { generation: 2 };
  const whole = { selector: { matchLabels: labels }, ...spec };
  return { ...reference, metadata: { ...metadata, ...generation }, spec: whole, status };
}

function pod(name: string, status: object, nodeName = "machine-1"): KubernetesObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "kube-system" }, spec: { nodeName }, status };
}

function node(name: string, ready: string): KubernetesObject {
  return { apiVersion: "v1", kind: "Node", metadata: { name }, status: { conditions: [{ type: "Ready", status: ready }] } };
}

/** An API server with these objects. */
function apiOf(...objects: readonly KubernetesObject[]): KubernetesClient {
  const byPath = new Map(objects.map((object) => [pathOf(object), object]));
  const get = (path: string): Promise<unknown> => {
    const found = byPath.get(path);
    return found ? Promise.resolve(found) : Promise.reject(new ApiError(404, "NotFound", "not found"));
  };
  const list = (path: string, { query }: { readonly query?: { readonly labelSelector: string } }): Promise<unknown> => {
    expect(query?.labelSelector ?? "k8s-app=metrics-server").toBe("k8s-app=metrics-server");
    const kind = path.endsWith("/nodes") ? "Node" : "Pod";
    return Promise.resolve(objects.filter((object) => object.kind === kind));
  };
  const remove = (path: string): Promise<void> => {
    byPath.delete(path);
    return Promise.resolve();
  };
  return { get, list, delete: remove } as unknown as KubernetesClient;
}

const waiting = (reason: string, message?: string) => ({
  containerStatuses: [{ state: { waiting: { reason, message } } }],
});

describe("an add-on is available", () => {
  test.each([
    ["a Deployment", deployment({ observedGeneration: 2, updatedReplicas: 1, availableReplicas: 1 })],
    ["one of no replicas", deployment({ observedGeneration: 2 }, { replicas: 0 })],
    [
      "a DaemonSet",
      {
        ...deployment({ observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 2 }),
        kind: "DaemonSet",
      },
    ],
  ])("when all its pods take requests: %s", async (_, object) => {
    expect(await probeWorkloads(apiOf(object), [object], never)).toEqual({ done: true });
  });

  test.each([
    ["its controller has not seen the change", { observedGeneration: 1, updatedReplicas: 1, availableReplicas: 1 }],
    ["only the pods of its last release run", { observedGeneration: 2, updatedReplicas: 0, availableReplicas: 1 }],
    ["its pod takes none yet", { observedGeneration: 2, updatedReplicas: 1 }],
  ])("not while %s", async (_, status) => {
    expect(await probeWorkloads(apiOf(deployment(status)), [reference], never)).toMatchObject({ done: false });
  });

  test.each([
    [waiting("ContainerCreating"), "ContainerCreating", undefined],
    [{ phase: "Running", containerStatuses: [{ state: {} }] }, "runs, but is not ready", undefined],
    [{ conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }] }, "0/1 nodes", undefined],
    [waiting("ErrImagePull", "no such host"), "no such host", "image"],
    [waiting("ImagePullBackOff"), "ImagePullBackOff", "image"],
    [{ containerStatuses: [{ restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: { exitCode: 2 } } }] }, "ended with status 2 3 times", "crash"],
    [{ containerStatuses: [{ restartCount: 1, state: {}, lastState: { terminated: { exitCode: 2 } } }] }, "ended with status 2", "crash"],
  ])("and what keeps a pod of %o is told", async (status, words, trouble) => {
    const api = apiOf(deployment({ observedGeneration: 2 }), pod("metrics-server-1-a", status));
    const sight = await probeWorkloads(api, [reference], never);
    expect(sight).toMatchObject({ done: false, seen: expect.stringContaining(words) as unknown });
    expect((sight as { readonly trouble?: string }).trouble).toBe(trouble);
  });

  test("and a Deployment that may not make pods says so", async () => {
    const conditions = [{ type: "ReplicaFailure", status: "True", message: "exceeded quota" }];
    const sight = await probeWorkloads(apiOf(deployment({ observedGeneration: 2, conditions })), [reference], never);
    expect(sight).toMatchObject({ seen: "exceeded quota" });
  });

  test.each([
    ["image", "POD_IMAGE", "image copy"],
    ["crash", "POD_CRASH", "logs --previous"],
    [undefined, "WAIT_TIMEOUT", "--timeout"],
  ] as const)("a wait in vain for pods of trouble %s ends with %s", async (trouble, code, hint) => {
    const look = () => Promise.resolve({ done: false, seen: "as it is", ...(trouble && { trouble }) } as const);
    const wait = waitFor(look, { timeoutMs: 20, intervalMs: 1, signal: never });
    const error = await wait.then(() => undefined, (thrown: unknown) => thrown as DeadlineError);
    const engine = Object.assign(fakeEngine({}), { listContainers: () => Promise.resolve([]) });
    const vain = { phase: "add-ons", seen: error?.seen ?? "", trouble: error?.trouble, timeoutMs: 20 };
    const [problem] = (await waitInVain(vain, engine, new ContainerWatch(engine, []))).problems;
    expect(problem?.code).toBe(code);
    expect(problem?.message).toContain("as it is");
    expect(problem?.hint).toContain(hint);
  });
});

describe("an add-on is gone", () => {
  const report = (revision: string) => ({
    apiVersion: "v1", kind: "ConfigMap", data: { revision },
    metadata: { name: "tsdeploy-addons", namespace: "kube-system" },
  });
  const revision = "two";
  const gone = { revision, objects: [reference], pods: [{ deployment: "metrics-server", namespace: "kube-system", labels }] };
  const look = (...objects: readonly KubernetesObject[]) =>
    probeObjectsGone(apiOf(report(revision), ...objects), gone, never);

  test("when neither its objects nor its pods are there", async () => {
    expect(await look()).toEqual({ done: true });
    expect(await look(deployment({}))).toMatchObject({ seen: "Deployment metrics-server is still there" });
    const ending = pod("metrics-server-7d4b-x2x9z", {});
    expect(await look(ending, node("machine-1", "True"))).toMatchObject({ seen: "pod metrics-server-7d4b-x2x9z is ending" });
  });

  test("when what the add-on manager has made again is deleted again", async () => {
    const api = apiOf(report(revision), deployment({}));
    expect(await probeObjectsGone(api, gone, never)).toMatchObject({ done: false });
    expect(await probeObjectsGone(api, gone, never)).toEqual({ done: true });
  });

  test("though somebody else's pods have its labels, or a node that is gone has one of its own", async () => {
    const theirs = pod("metrics-server-of-mine-7d4b-x2x9z", {});
    expect(await look(theirs, node("machine-1", "True"))).toEqual({ done: true });
    const stuck = pod("metrics-server-7d4b-x2x9z", {}, "machine-2");
    expect(await look(stuck, node("machine-1", "True"), node("machine-2", "Unknown"))).toEqual({ done: true });
  });

  test("though configuration that a person has edited stays", async () => {
    const edited = {
      apiVersion: "v1", kind: "ConfigMap", data: { Corefile: "mine" },
      metadata: { name: "coredns", namespace: "kube-system", annotations: { "io.tsdeploy.spec": "another" } },
    };
    const probe = { revision, objects: [edited], pods: [] };
    expect(await probeObjectsGone(apiOf(report(revision), edited), probe, never)).toEqual({ done: true });
  });

  test("not before the add-on manager has read its folder without it: a pass of before may make it again", async () => {
    for (const objects of [[], [report("one")]]) {
      const sight = await probeObjectsGone(apiOf(...objects), gone, never);
      expect(sight).toMatchObject({ done: false, seen: expect.stringContaining("add-on manager") as string });
    }
  });
});
