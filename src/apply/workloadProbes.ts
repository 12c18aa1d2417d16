import type { KubernetesClient } from "../api/kubernetesClient.js";
import { pathOf } from "../api/pathOf.js";
import type { KubernetesObject, ObjectReference } from "../model/kubernetesObject.js";
import type { Probe } from "../model/plan.js";
import { isKept } from "./actions/deleteObjects.js";
import { getIfThere } from "./getIfThere.js";
import { deleteIfThere } from "./leaveCluster.js";
import { type Pod, sightOf } from "./podState.js";
import { isReadyNode, type Node, tolerant } from "./probes.js";
import type { Sight } from "./waitFor.js";

/** What we read of a Deployment or a DaemonSet. */
interface Workload extends KubernetesObject {
  readonly metadata: KubernetesObject["metadata"] & { readonly generation?: number };
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly desiredNumberScheduled?: number;
    readonly updatedNumberScheduled?: number;
    readonly numberReady?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

/** Whether the controllers say of each that all of its pods take requests; else what keeps them. */
export async function probeWorkloads(
  api: KubernetesClient,
  workloads: readonly ObjectReference[],
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant("the API server", async () => {
    for (const reference of workloads) {
      const sight = await look(api, reference, signal);
      if (!sight.done) return sight;
    }
    return { done: true };
  });
}

async function look(api: KubernetesClient, reference: ObjectReference, signal: AbortSignal): Promise<Sight> {
  const { kind, metadata } = reference;
  const workload = await getIfThere<Workload>(api, pathOf(reference), signal);
  if (!workload) return { done: false, seen: `${kind} ${metadata.name} is not there` };
  if (isAvailable(workload)) return { done: true };
  const { matchLabels = {} } = workload.spec?.selector ?? {};
  const pods = await podsWith(api, metadata.namespace, matchLabels, signal);
  const refused = workload.status?.conditions?.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  const ifNone = refused?.message ?? `${kind} ${metadata.name} is starting`;
  return sightOf(pods, ifNone);
}

function isAvailable({ kind, metadata, spec, status = {} }: Workload): boolean {
  // Until its controller has seen it, the status is that of nothing, or of what it was before.
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 1)) return false;
  if (kind === "DaemonSet") {
    const { desiredNumberScheduled: wanted = 0, updatedNumberScheduled = wanted, numberReady = 0 } = status;
    return updatedNumberScheduled >= wanted && numberReady >= wanted;
  }
  const wanted = spec?.replicas ?? 1;
  return (status.updatedReplicas ?? 0) >= wanted && (status.availableReplicas ?? 0) >= wanted;
}

async function podsWith(
  api: KubernetesClient,
  namespace = "default",
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Pod[]> {
  const labelSelector = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",");
  return api.list<Pod>(`/api/v1/namespaces/${namespace}/pods`, { signal, query: { labelSelector } });
}

interface Deletable extends KubernetesObject {
  /** `deletionTimestamp` is there when it is being deleted. */
  readonly metadata: KubernetesObject["metadata"] & { readonly deletionTimestamp?: string };
}

type GoneProbe = Extract<Probe, { readonly kind: "objects-gone" }>;

/** Where the add-on manager says which revision of its folder it has read (`kube-addons.sh`). */
const addonReport = "/api/v1/namespaces/kube-system/configmaps/tsdeploy-addons";

/** Whether nothing is left of deleted objects, the pods of Deployments included; what has come back is deleted. */
export async function probeObjectsGone(
  api: KubernetesClient,
  { objects, pods, revision }: Pick<GoneProbe, "objects" | "pods" | "revision">,
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant("the API server", async () => {
    // Before the objects: what is not there after this does not come back.
    const report = await getIfThere<{ readonly data?: { readonly revision?: string } }>(api, addonReport, signal);
    if (report?.data?.revision !== revision) {
      const older = "if it is that of an earlier tsdeploy, run `tsdeploy master` first";
      return { done: false, seen: `the add-on manager has not read its folder yet (${older})` };
    }
    for (const reference of objects) {
      const left = await getIfThere<Deletable>(api, pathOf(reference), signal);
      const { kind, metadata } = reference;
      if (!left || isKept(left)) continue;
      // The add-on manager, in the middle of a pass, may have made it again; what it only makes it never deletes.
      if (left.metadata.deletionTimestamp === undefined) await deleteIfThere(api, pathOf(reference), signal);
      return { done: false, seen: `${kind} ${metadata.name} is still there` };
    }
    for (const { deployment, namespace, labels } of pods) {
      const left = (await podsWith(api, namespace, labels, signal)).filter(({ metadata }) =>
        isPodOf(deployment, metadata.name),
      );
      const ending = left.length === 0 ? [] : await onLivingNodes(api, left, signal);
      if (ending[0]) return { done: false, seen: `pod ${ending[0].metadata.name} is ending` };
    }
    return { done: true };
  });
}

/** Others may have pods with the same labels. */
function isPodOf(deployment: string, pod: string): boolean {
  return pod.startsWith(`${deployment}-`) && /^[a-z0-9]+-[a-z0-9]+$/.test(pod.slice(deployment.length + 1));
}

/** On a node that does not report, nobody can end a pod. */
async function onLivingNodes(api: KubernetesClient, pods: readonly Pod[], signal: AbortSignal): Promise<Pod[]> {
  const nodes = await api.list<Node>("/api/v1/nodes", { signal });
  const living = nodes.filter(isReadyNode);
  return pods.filter(({ spec }) => living.some(({ metadata }) => metadata.name === spec?.nodeName));
}
