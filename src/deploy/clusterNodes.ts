import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { Node } from "../apply/probes.js";
import { TsdeployError } from "../model/errors.js";

/** A cluster's nodes, this one too; none from an API server that does not say. */
export async function clusterNodes(api: KubernetesClient, signal: AbortSignal): Promise<Node[]> {
  return api.list<Node>("/api/v1/nodes", { signal }).catch((error: unknown) => {
    if (error instanceof ApiError || (error instanceof TsdeployError && error.kind === "unreachable")) return [];
    throw error;
  });
}

/** Whether there are nodes besides this one. */
export function hasOthers(nodes: readonly Node[], own: string): boolean {
  return nodes.some(({ metadata }) => metadata.name !== own);
}
