import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";

/** @returns undefined if there is no such object */
export async function getIfThere<T>(api: KubernetesClient, path: string, signal: AbortSignal): Promise<T | undefined> {
  return api.get<T>(path, { signal }).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });
}
