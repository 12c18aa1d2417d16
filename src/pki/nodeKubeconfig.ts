import { makeKubeconfig } from "../kubernetes/kubeconfig.js";
import { workerApiserver } from "../kubernetes/networks.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { JoinToken } from "../model/identity.js";
import { bootstrapToken } from "./joinToken.js";

/**
 * The kubeconfig that a join token gives a new worker: by which its kubelet gets a certificate of its own, or, where
 * versions know tokens of a file alone, the one that the kubelet goes by for good.
 *
 * @param caPem the cluster's CA
 */
export function nodeKubeconfig(
  config: Pick<ClusterConfig, "clusterName" | "apiserver" | "version" | "severalMasters" | "controlPlaneEndpoint">,
  caPem: string,
  token: JoinToken,
): HostFile {
  const isFixed = featuresOf(config.version).nodeCredentials === "token-file";
  return {
    path: isFixed ? paths.kubeletConf : paths.bootstrapKubeletConf,
    mode: 0o600,
    content: makeKubeconfig({
      clusterName: config.clusterName,
      server: workerApiserver(config),
      caPem,
      user: isFixed ? "kubelet" : "tls-bootstrap-token-user",
      credentials: { token: bootstrapToken(token) },
    }),
    secret: true,
  };
}
