import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { Node } from "../apply/probes.js";
import { TsdeployError } from "../model/errors.js";

/** Names of a cluster's nodes besides this one; none from an API server that does not say. */
export async function otherNodes(api: KubernetesClient, own: string, signal: AbortSignal): Promise<string[]> {
  const nodes = await api.list<Node>("/api/v1/nodes", { signal }).catch((error: unknown) => {
    if (error instanceof ApiError || (error instanceof TsdeployError && error.kind === "unreachable")) return [];
    throw error;
  });
  return nodes.map(({ metadata }) => metadata.name).filter((name) => name !== own);
}
