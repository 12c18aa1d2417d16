import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import { messageOf, TsdeployError } from "../errors.js";
import type { Helper } from "../facts/helperSession.js";
import { apiserverPort } from "../plan/names.js";
import type { Sight } from "./waitFor.js";

/** What we read of a Node object. */
export interface Node {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: { readonly podCIDR?: string; readonly taints?: readonly unknown[]; readonly unschedulable?: boolean };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
      readonly lastHeartbeatTime?: string;
    }[];
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly nodeInfo?: { readonly kubeletVersion: string };
  };
}

/** @returns undefined if there is no such node */
export async function nodeOf(api: KubernetesClient, name: string, signal: AbortSignal): Promise<Node | undefined> {
  try {
    return await api.get<Node>(`/api/v1/nodes/${name}`, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** One exec waits inside the host until the port accepts, instead of one exec a try; then `/healthz` decides. */
export async function probeApi(api: KubernetesClient, helper: Helper, signal: AbortSignal): Promise<Sight> {
  const script = `until (exec 3<>/dev/tcp/127.0.0.1/${apiserverPort}) 2>/dev/null; do sleep 0.05; done`;
  await helper.run(script, [], { signal });
  try {
    await api.healthz({ signal });
    return { done: true };
  } catch (error) {
    return { done: false, seen: `the API server: ${messageOf(error)}` };
  }
}

export async function probeNodeRegistered(api: KubernetesClient, name: string, signal: AbortSignal): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const node = await nodeOf(api, name, signal);
    return node ? { done: true } : { done: false, seen: `node ${name} has not registered` };
  });
}

export async function probeNodeReady(
  api: KubernetesClient,
  name: string,
  notBeforeMs: number,
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const node = await nodeOf(api, name, signal);
    if (!node) return { done: false, seen: `node ${name} has not registered` };
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    if (!ready) return { done: false, seen: `node ${name} has not reported its state` };
    // Kubernetes tells whole seconds, cut off.
    const heartbeatMs = Date.parse(ready.lastHeartbeatTime ?? "") + 999;
    if (heartbeatMs < notBeforeMs) return { done: false, seen: `node ${name} has not reported since its kubelet started` };
    if (ready.status === "True") return { done: true };
    return { done: false, seen: `node ${name} is not Ready: ${ready.message ?? "no reason given"}` };
  });
}

export async function probeClusterInfo(api: KubernetesClient, tokenId: string, signal: AbortSignal): Promise<Sight> {
  return tolerant("cluster-info", async () => {
    const path = "/api/v1/namespaces/kube-public/configmaps/cluster-info";
    const { data } = await api.get<{ data?: Record<string, string> }>(path, { signal });
    if (data?.[`jws-kubeconfig-${tokenId}`] !== undefined) return { done: true };
    return { done: false, seen: "the controller-manager has not signed cluster-info" };
  });
}

/** A probe goes on through an API server that restarts, and through credentials that are not yet known to it. */
async function tolerant(subject: string, look: () => Promise<Sight>): Promise<Sight> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ApiError || (error instanceof TsdeployError && error.kind === "unreachable")) {
      return { done: false, seen: `${subject}: ${messageOf(error)}` };
    }
    throw error;
  }
}
