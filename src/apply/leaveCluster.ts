import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { isPassingRefusal } from "./passingRefusal.js";
import { isReadyNode, nodeOf } from "./probes.js";
import { DeadlineError, type Sight, waitFor } from "./waitFor.js";

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string }[];
  };
  readonly status?: { readonly phase?: string };
}

/** `isRefused`: there is nothing to wait for, unless who refuses thinks better of it. */
type Look = Sight & { readonly isRefused?: boolean };

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
 * and those that are there are evicted, which respects disruption budgets. An API server that is away for a moment, and
 * a refusal that passes, are waited for: what would come after is that the pods are killed. One that is about rights
 * may pass as well, where roles are just being made. It ends the drain when there has been nothing else to wait for
 * during a twelfth of the time.
 *
 * @throws TsdeployError DRAIN_TIMEOUT with the pods that stayed; DRAIN_REFUSED with what was refused, and why
 */
export async function drainNode(api: KubernetesClient, options: DrainOptions): Promise<void> {
  const { node, timeoutMs, onSeen } = options;
  const evicted = new Set<string>();
  let isCordoned = false;
  let refusedSinceMs: number | undefined;
  const look = async (signal: AbortSignal): Promise<Look> => {
    if (!isCordoned) await setUnschedulable(api, node, true, signal);
    isCordoned = true;
    const pods = await evictablePods(api, node, signal);
    if (pods.length === 0) return { done: true };
    const staying = pods.filter(({ metadata: { uid, deletionTimestamp } }) => !evicted.has(uid) && !deletionTimestamp);
    const refused: { readonly pod: Pod; readonly refusal: TsdeployError }[] = [];
    await Promise.all(
      staying.map(async (pod) => {
        const refusal = await evict(api, pod, { ...options, signal });
        if (refusal) refused.push({ pod, refusal });
        else evicted.add(pod.metadata.uid);
      }),
    );
    if (refused.length > 0) {
      const why = refused.map(({ pod, refusal }) => `${nameOf(pod)} (${messageOf(refusal)})`);
      const isRefused = refused.filter(({ refusal }) => mayLast(refusal)).length === pods.length;
      return { done: false, seen: `pods that may not be evicted yet: ${why.join(", ")}`, isRefused };
    }
    // Without a kubelet nobody ends them.
    if (staying.length === 0 && !(await isReady(api, node, signal))) return { done: true };
    return { done: false, seen: `pods on their way: ${pods.map(nameOf).join(", ")}` };
  };
  const lookAgain = async (signal: AbortSignal): Promise<Sight> => {
    const sight = await look(signal).catch((error: unknown): Look => {
      if (!isRefusal(error)) throw error;
      return { done: false, seen: `the API server: ${messageOf(error)}`, isRefused: mayLast(error) };
    });
    if (sight.done || sight.isRefused !== true) {
      refusedSinceMs = undefined;
      return sight;
    }
    refusedSinceMs ??= performance.now();
    if (performance.now() - refusedSinceMs >= timeoutMs / 12) throw drainRefused(node, sight.seen);
    return sight;
  };
  try {
    await waitFor(lookAgain, { timeoutMs, signal: options.signal, onSeen, intervalMs: 250 });
  } catch (error) {
    if (!(error instanceof DeadlineError)) throw error;
    throw new TsdeployError("failed", {
      code: "DRAIN_TIMEOUT",
      message: `node ${node} could not be drained in ${Math.round(options.timeoutMs / 1000)} s; ${error.seen}`,
      hint: `See \`kubectl get poddisruptionbudgets -A\` and what else is named; \`kubectl uncordon ${node}\` keeps the node, --force does not drain it.`,
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

async function isReady(api: KubernetesClient, name: string, signal: AbortSignal): Promise<boolean> {
  const node = await nodeOf(api, name, signal);
  return node !== undefined && isReadyNode(node);
}

/** @returns why it may not be evicted now, such as a disruption budget; undefined if it is on its way */
async function evict(api: KubernetesClient, pod: Pod, options: DrainOptions): Promise<TsdeployError | undefined> {
  const { name, namespace } = pod.metadata;
  try {
    await api.post(
      `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
      { apiVersion: options.evictionApiVersion, kind: "Eviction", metadata: { name, namespace } },
      { signal: options.signal },
    );
    return undefined;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) {
      // It is gone, or v1.3, which knows no evictions.
      await deleteIfThere(api, `/api/v1/namespaces/${namespace}/pods/${name}`, options.signal);
      return undefined;
    }
    if (!isRefusal(error)) throw error;
    return error;
  }
}

/** The API server refuses, or is away. */
function isRefusal(error: unknown): error is TsdeployError {
  return error instanceof ApiError || isPassingRefusal(error);
}

/**
 * It is about rights. What protects a pod, a budget or a webhook, is waited for: it may take minutes until another pod
 * does its work. A namespace that is ending takes no evictions until its pods end.
 */
function mayLast(error: unknown): boolean {
  if (!(error instanceof ApiError) || ![401, 403].includes(error.status)) return false;
  return !/being terminated|denied (the )?request/.test(error.message);
}

function drainRefused(node: string, seen: string): TsdeployError {
  return new TsdeployError("failed", {
    code: "DRAIN_REFUSED",
    message: `node ${node} may not be drained; ${seen}`,
    hint: "Look at the role of who drains: `kubectl auth can-i create pods/eviction`.",
  });
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
