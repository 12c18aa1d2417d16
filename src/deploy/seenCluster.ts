import type { Node } from "../apply/probes.js";
import type { Helper } from "../host/helperSession.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { namedAddress } from "../kubernetes/networks.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { adminApi } from "./hostApi.js";
import { type FollowedCluster, followedCluster } from "./membership.js";

/** A cluster as a master sees it now: asked once, for all hosts that are compared with it. */
export interface SeenCluster {
  /** Address of the master that answered. */
  readonly master: string;
  readonly nodes: readonly Node[];
  /** Undefined if it cannot say what its workers follow: each then asks by itself. */
  readonly followed?: FollowedCluster & { readonly caPem: string };
}

/** By the administrator's kubeconfig on that master. @throws TsdeployError, ApiError if it does not answer */
export async function seeCluster(
  helper: Helper,
  files: ReadonlyMap<string, ExistingFile>,
  signal: AbortSignal,
): Promise<SeenCluster> {
  const api = await adminApi(helper, files);
  try {
    const nodes = await api.list<Node>("/api/v1/nodes", { signal });
    const master = namedAddress(api.server);
    const follow = async (): Promise<SeenCluster["followed"]> => {
      const caPem = files.get(`${paths.pki}/ca.crt`)?.content;
      if (caPem === undefined) return undefined;
      const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
      return { ...(await followedCluster(api, config, master, signal)), caPem };
    };
    const followed = await follow().catch(() => undefined);
    return { master, nodes, ...(followed && { followed }) };
  } finally {
    api.close();
  }
}
