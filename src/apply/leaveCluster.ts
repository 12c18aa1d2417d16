import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import { TsdeployError } from "../model/errors.js";
import { DeadlineError, waitFor } from "./waitFor.js";

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string }[];
  };
  readonly status?: { readonly phase?: string };
}

export interface DrainOptions {
  readonly node: string;
  /** `policy/v1` from Kubernetes v1.22 on, `policy/v1beta1` before. */
  readonly evictionApiVersion: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onSeen: (seen: string) => void;
}

/**
 * What `kubectl drain --ignore-daemonsets --delete-emptydir-data` does, with the node's own credential: no new pods,
 * and those that are there are evicted, which respects disruption budgets.
 *
 * @throws TsdeployError DRAIN_TIMEOUT with the pods that stayed
 */
export async function drainNode(api: KubernetesClient, options: DrainOptions): Promise<void> {
  const { node, signal } = options;
  await setUnschedulable(api, node, true, signal);
  const evicted = new Set<string>();
  try {
    await waitFor(
      async () => {
        const pods = await evictablePods(api, node, signal);
        if (pods.length === 0) return { done: true };
        await Promise.all(
          pods
            .filter(({ metadata }) => !evicted.has(metadata.uid))
            .map(async (pod) => {
              if (await evict(api, pod, options)) evicted.add(pod.metadata.uid);
            }),
        );
        return { done: false, seen: `pods on their way: ${pods.map(nameOf).join(", ")}` };
      },
      { timeoutMs: options.timeoutMs, signal, onSeen: options.onSeen, intervalMs: 250 },
    );
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new TsdeployError("failed", {
      code: "DRAIN_TIMEOUT",
      message: `node ${node} could not be drained in ${Math.round(options.timeoutMs / 1000)} s; ${error.seen}`,
      hint: `See \`kubectl get poddisruptionbudgets -A\`; \`kubectl uncordon ${node}\` keeps the node, --force does not drain it.`,
    });
  }
}

/** Whether new pods may come to the node. */
export async function setUnschedulable(
  api: KubernetesClient,
  node: string,
  unschedulable: boolean,
  signal: AbortSignal,
): Promise<void> {
  await api.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable } }, { signal });
}

/** Deletes the Node object; one that is not there is fine. */
export async function deleteNode(api: KubernetesClient, node: string, signal: AbortSignal): Promise<void> {
  await deleteIfThere(api, `/api/v1/nodes/${node}`, signal);
}

/** Deletes an object; one that is not there is fine. */
export async function deleteIfThere(api: KubernetesClient, path: string, signal: AbortSignal): Promise<void> {
  await api.delete(path, { signal }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });
}

/** DaemonSets' pods would come back at once, and static pods belong to the kubelet. */
async function evictablePods(api: KubernetesClient, node: string, signal: AbortSignal): Promise<Pod[]> {
  const path = `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`;
  const { items } = await api.get<{ items: Pod[] }>(path, { signal });
  return items.filter(({ metadata, status }) => {
    const isStatic = metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined;
    const isDaemon =
      (metadata.ownerReferences?.some(({ kind }) => kind === "DaemonSet") ?? false) ||
      // Until v1.7: a reference to who has made it, as JSON.
      /"kind":"DaemonSet"/.test(metadata.annotations?.["kubernetes.io/created-by"] ?? "");
    const isOver = status?.phase === "Succeeded" || status?.phase === "Failed";
    return !isStatic && !isDaemon && !isOver;
  });
}

/** @returns false if a disruption budget does not allow it now */
async function evict(api: KubernetesClient, pod: Pod, options: DrainOptions): Promise<boolean> {
  const { name, namespace } = pod.metadata;
  try {
    await api.post(
      `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
      { apiVersion: options.evictionApiVersion, kind: "Eviction", metadata: { name, namespace } },
      { signal: options.signal },
    );
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 429) return false;
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    // It is gone, or v1.3, which knows no evictions.
    await deleteIfThere(api, `/api/v1/namespaces/${namespace}/pods/${name}`, options.signal);
    return true;
  }
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
