import { describe, expect, it } from "vitest";
import { ApiError, type KubernetesClient } from "../../src/api/kubernetesClient.js";
import { drainNode as drainAction } from "../../src/apply/actions/drainNode.js";
import { drainNode } from "../../src/apply/leaveCluster.js";
import type { StepTools } from "../../src/apply/planRun.js";
import { TsdeployError } from "../../src/model/errors.js";

const node = "worker-1";

interface Pod {
  metadata: { name: string; namespace: string; uid: string; deletionTimestamp?: string };
}

/** An API server with one node and its pods; an eviction takes the pod away at once, unless it says something else. */
class Cluster {
  pods: Pod[] = ["a", "b"].map((name) => ({ metadata: { name, namespace: "default", uid: name } }));
  isReady = true;
  cordoned = false;
  /** What goes wrong with one request. */
  fault: (what: string) => void = () => undefined;
  evict = (name: string): void => {
    this.pods = this.pods.filter(({ metadata }) => metadata.name !== name);
  };
  readonly seen: string[] = [];

  async #answer<T>(what: string, effect: () => T): Promise<T> {
    await Promise.resolve();
    this.fault(what);
    return effect();
  }

  get api(): KubernetesClient {
    const client = {
      get: (path: string) =>
        this.#answer(`GET ${path}`, () =>
          path.startsWith("/api/v1/nodes/")
            ? { metadata: { name: node }, status: { conditions: [{ type: "Ready", status: this.isReady ? "True" : "Unknown" }] } }
            : { items: this.pods },
        ),
      patch: (path: string, body: { spec: { unschedulable: boolean } }) =>
        this.#answer(`PATCH ${path}`, () => (this.cordoned = body.spec.unschedulable)),
      post: (path: string) =>
        this.#answer(`POST ${path}`, () => {
          this.evict(path.split("/")[6] ?? "");
        }),
    };
    return client as unknown as KubernetesClient;
  }

  drain(timeoutMs = 5_000): Promise<void> {
    const onSeen = (what: string): unknown => this.seen.push(what);
    const signal = new AbortController().signal;
    return drainNode(this.api, { node, evictionApiVersion: "policy/v1", timeoutMs, signal, onSeen });
  }
}

const unreachable = new TsdeployError("unreachable", { code: "API_UNREACHABLE", message: "no answer", hint: "Look." });

/** Throws this the first time that such a request is made. */
function once(which: string, error: Error): (what: string) => void {
  let isOver = false;
  return (what) => {
    if (isOver || !what.startsWith(which)) return;
    isOver = true;
    throw error;
  };
}

describe("a drain", () => {
  it.each([
    ["PATCH", "an API server that is away for a moment", unreachable],
    ["GET /api/v1/pods", "a list that is not answered", unreachable],
    ["POST", "an eviction that is not answered", unreachable],
    ["POST", "a webhook that fails", new ApiError(500, "InternalError", "failed calling webhook")],
    ["POST", "a role that is just being made", new ApiError(403, "Forbidden", "User cannot create pods/eviction")],
    ["POST", "a namespace that is ending", new ApiError(403, "Forbidden", "is being terminated")],
  ])("(%s) waits for %s", async (which, _, error) => {
    const cluster = new Cluster();
    cluster.fault = once(which, error);
    await cluster.drain();
    expect(cluster.cordoned).toBe(true);
    expect(cluster.pods).toEqual([]);
  });

  it.each([
    ["PATCH", "the API server: ", new ApiError(403, "Forbidden", "User \"system:node:worker-1\" cannot patch nodes")],
    ["GET /api/v1/pods?", "the API server: ", new ApiError(401, "Unauthorized", "Unauthorized")],
    ["POST", "default/a (", new ApiError(403, "Forbidden", "User cannot create pods/eviction")],
  ])("(%s) that is refused for good ends long before its deadline, and says why", async (which, what, error) => {
    const cluster = new Cluster();
    cluster.fault = (request) => {
      if (request.startsWith(which)) throw error;
    };
    const began = performance.now();
    const drained = cluster.drain(6_000);
    await expect(drained).rejects.toMatchObject({ problems: [{ code: "DRAIN_REFUSED" }] });
    await expect(drained).rejects.toThrow(`${what}${error.message}`);
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  it.each([
    new ApiError(403, "Forbidden", 'admission webhook "w" denied the request: replicas are on their way'),
    new ApiError(422, "Invalid", "ValidatingAdmissionPolicy 'p' denied request: replicas are on their way"),
  ])("waits for what protects a pod, and kills none: %s", async (error) => {
    const cluster = new Cluster();
    cluster.fault = (what) => {
      if (what.startsWith("POST")) throw error;
    };
    await expect(cluster.drain(1_000)).rejects.toThrow(/DRAIN_TIMEOUT.*replicas are on their way/);
    expect(cluster.pods).toHaveLength(2);
  });

  it("that is refused one pod for good still waits for another that a budget holds back", async () => {
    const cluster = new Cluster();
    cluster.evict = (name) => {
      if (name === "a") throw new ApiError(403, "Forbidden", "User cannot create pods/eviction");
      throw new ApiError(429, "TooManyRequests", "would violate the disruption budget");
    };
    await expect(cluster.drain(1_000)).rejects.toMatchObject({ problems: [{ code: "DRAIN_TIMEOUT" }] });
  });

  it("waits as long as a pod's namespace is ending", async () => {
    const cluster = new Cluster();
    const began = performance.now();
    cluster.fault = (what) => {
      const isEnding = performance.now() - began < 1_000;
      if (what.includes("/pods/a/") && isEnding) throw new ApiError(403, "Forbidden", "default is being terminated");
    };
    await cluster.drain();
    expect(cluster.pods).toEqual([]);
  });

  it("that may not evict a pod ends with it, and why", async () => {
    const cluster = new Cluster();
    cluster.evict = () => {
      throw new ApiError(500, "InternalError", "This pod has more than one PodDisruptionBudget");
    };
    await expect(cluster.drain(400)).rejects.toThrow(/DRAIN_TIMEOUT.*default\/a \(.*more than one PodDisruptionBudget/);
    expect(cluster.pods).toHaveLength(2);
  });

  it("of a node whose kubelet is gone does not wait for the pods' end, that of another does", async () => {
    const cluster = new Cluster();
    cluster.evict = (name) => {
      const pod = cluster.pods.find(({ metadata }) => metadata.name === name);
      if (pod) pod.metadata.deletionTimestamp = "2026-12-01T00:00:00Z";
    };
    await expect(cluster.drain(400)).rejects.toThrow(/DRAIN_TIMEOUT.*pods on their way/);
    cluster.isReady = false;
    await cluster.drain();
    expect(cluster.pods).toHaveLength(2);
  });
});

describe("the step that drains", () => {
  interface Tools {
    readonly tools: StepTools;
    readonly run: { readonly clusterIsGone: boolean };
    readonly warnings: readonly unknown[];
  }
  const toolsFor = (cluster: Cluster, timeoutMs = 400): Tools => {
    const warnings: unknown[] = [];
    const report = (event: unknown): unknown => warnings.push(event);
    const context = { signal: new AbortController().signal, timeoutMs, report };
    const run = { clusterIsGone: false, api: cluster.api, context };
    return { tools: { run, step: { phase: "drain" }, leave: () => undefined } as unknown as StepTools, run, warnings };
  };
  const action = { kind: "drain-node", node, evictionApiVersion: "policy/v1" } as const;

  it("fails if the cluster stops to answer after it had begun: its pods are not to be killed", async () => {
    const cluster = new Cluster();
    cluster.fault = (what) => {
      if (what.includes("/pods")) throw unreachable;
    };
    const { tools, run } = toolsFor(cluster);
    await expect(drainAction(action, tools)).rejects.toThrow("DRAIN_TIMEOUT");
    expect(run.clusterIsGone).toBe(false);
  });

  it("goes on, with a warning, if its evictions are refused for good, and the Node can still be deleted", async () => {
    const cluster = new Cluster();
    cluster.fault = (what) => {
      if (what.startsWith("POST")) throw new ApiError(403, "Forbidden", "User cannot create pods/eviction");
    };
    const { tools, run, warnings } = toolsFor(cluster, 1_000);
    await drainAction(action, tools);
    expect(run.clusterIsGone).toBe(false);
    expect(JSON.stringify(warnings)).toContain("cannot create pods/eviction");
  });

  it("goes on, with a warning, if no cluster answers at all", async () => {
    const cluster = new Cluster();
    cluster.fault = () => {
      throw unreachable;
    };
    const { tools, run, warnings } = toolsFor(cluster);
    await drainAction(action, tools);
    expect(run.clusterIsGone).toBe(true);
    expect(warnings).toHaveLength(1);
  });
});
