import { loopbackApiserver } from "../kubernetes/networks.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { HostFile } from "../model/hostFile.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import type { NodeOptions } from "../model/options.js";
import { withSpecLabel } from "../model/specDigest.js";
import { containerLabels } from "./containerLabels.js";

export interface BalancerInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly options: Pick<NodeOptions, "restartPolicy">;
}


/**
 * HAProxy on a worker's loopback, in place of an API server that a master has there: it brings the node's programs to
 * any master that is well. By the kubelet's own certificate it follows which masters there are.
 */
export function balancerContainer({ config, features, options }: BalancerInput): ContainerSpec {
  const certificate = `${paths.kubeletPki}/${features.kubeletClientCertificate}`;
  const ca = `${paths.pki}/ca.crt`;
  return withSpecLabel({
    component: "haproxy",
    image: config.image,
    command: [
      `${paths.scripts}/balance.sh`,
      ...["--listen", loopbackApiserver],
      ...["--list", paths.mastersList],
      ...["--certificate", certificate],
      ...["--ca", ca],
    ],
    binds: [
      { source: paths.scripts, target: paths.scripts, readOnly: true },
      { source: paths.masters, target: paths.masters },
      { source: paths.pki, target: paths.pki, readOnly: true },
      // A kubelet renews its certificate there, by a rename.
      { source: paths.kubeletPki, target: paths.kubeletPki, readOnly: true },
    ],
    labels: containerLabels("worker", "haproxy", config),
    hostPid: false,
    privileged: false,
    hostCgroupNamespace: false,
    restartPolicy: options.restartPolicy,
    stopGraceSeconds: 2,
  });
}

/** Which masters there were when a run last looked. The container keeps it. @param hosts addresses */
export function mastersFile(hosts: readonly string[]): HostFile {
  const lines = [...new Set(hosts)].map((host) => `${host}:${apiserverPort}\n`).sort();
  return { path: paths.mastersList, mode: 0o644, content: lines.join(""), secret: false };
}
