import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { deleteIfThere } from "../apply/leaveCluster.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { publicApiserver } from "../kubernetes/networks.js";
import { clusterInfoPath, clusterInfoSignature, readClusterInfo, tokenSecret } from "../kubernetes/clusterInfo.js";
import { TsdeployError } from "../model/errors.js";
import { formatJoinToken, makeJoinToken } from "../pki/joinToken.js";
import { noSuchToken } from "./fixedToken.js";

/** A join token that the cluster knows. */
export interface MadeToken {
  readonly id: string;
  /** A secret. */
  readonly joinToken: string;
  /** `https://10.0.0.5:6443` */
  readonly apiserver: string;
}

/**
 * Makes a join token by which workers can join at once.
 *
 * @param expiresMs by the master's clock, which ends it
 * @throws TsdeployError of kind conflict, `NOT_TSDEPLOY`, for a cluster without cluster-info
 */
export async function makeToken(
  api: KubernetesClient,
  { expiresMs, description }: { readonly expiresMs: number; readonly description: string },
  signal: AbortSignal,
): Promise<MadeToken> {
  const [infoMap, configMap] = await Promise.all([
    api.get(clusterInfoPath, { signal }),
    api.get(clusterConfigPath, { signal }),
  ]);
  const info = readClusterInfo(infoMap);
  const apiserver = publicApiserver(parseClusterConfig(configMap));
  if (!info) throw notTsdeploy();
  const token = makeJoinToken(info.caPem);
  await api.create(tokenSecret(token, { expiresMs, description }), { signal });
  // The controller-manager would sign it, too, a little later.
  await api.patch(clusterInfoPath, { data: clusterInfoSignature(info.kubeconfig, token) }, { signal });
  return { id: token.id, joinToken: formatJoinToken(token), apiserver };
}

/** Nodes that have joined by it stay. @throws TsdeployError of kind usage, `NO_SUCH_TOKEN` */
export async function revokeToken(api: KubernetesClient, id: string, signal: AbortSignal): Promise<void> {
  await api.delete(secretPath(id), { signal }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
    throw noSuchToken(id);
  });
}

/** The same; one that has ended, and that the cluster has removed by itself, is fine. */
export async function endToken(api: KubernetesClient, id: string, signal: AbortSignal): Promise<void> {
  await deleteIfThere(api, secretPath(id), signal);
}

function secretPath(id: string): string {
  return `/api/v1/namespaces/kube-system/secrets/bootstrap-token-${id}`;
}

function notTsdeploy(): TsdeployError {
  return new TsdeployError("conflict", {
    code: "NOT_TSDEPLOY",
    message: "the cluster has no cluster-info to sign",
    hint: "Run `tsdeploy master` again: it makes what is missing.",
  });
}
