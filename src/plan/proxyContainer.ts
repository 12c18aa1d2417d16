import { type Flags, toArguments } from "../kubernetes/commandFlags.js";
import { programCommands } from "../kubernetes/programCommands.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { NodeOptions } from "../model/options.js";
import { sha256, withSpecLabel } from "../model/specDigest.js";
import { configLabel, containerLabels } from "./containerLabels.js";
import { startCommand } from "./startCommand.js";

export interface ProxyInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly flags: Flags;
  /** Content of its configuration file, if it has one. */
  readonly configuration: string | undefined;
}


/**
 * A worker's kube-proxy, with the kubelet's own kubeconfig. A kubelet that bootstraps writes the kubeconfig first and
 * gets the certificate that it names later: kube-proxy waits for both. One with a token has its kubeconfig from us.
 */
export function proxyContainer(input: ProxyInput): ContainerSpec {
  const { config, features, observed, configuration } = input;
  const bootstraps = features.nodeCredentials === "bootstrap-token";
  const start = startCommand({
    iptables: observed.host.iptablesBackend,
    files: [paths.kubeletConf, ...(bootstraps ? [`${paths.kubeletPki}/${features.kubeletClientCertificate}`] : [])],
  });
  return withSpecLabel({
    component: "proxy",
    image: config.image,
    command: [...start, ...programCommands(features, observed.host).proxy, ...toArguments(input.flags)],
    binds: [
      { source: paths.kubernetes, target: paths.kubernetes, readOnly: true },
      ...(bootstraps ? [{ source: paths.kubeletPki, target: paths.kubeletPki, readOnly: true }] : []),
      { source: "/lib/modules", target: "/lib/modules", readOnly: true },
      // For xtables.lock; the file itself may not be there yet, and Docker would make a folder of it.
      { source: "/run", target: "/run" },
    ],
    labels: {
      ...containerLabels("worker", "proxy", config),
      ...(configuration !== undefined && { [configLabel]: sha256(configuration).slice(0, 40) }),
    },
    hostPid: false,
    privileged: true,
    hostCgroupNamespace: true,
    restartPolicy: input.options.restartPolicy,
    stopGraceSeconds: 5,
  });
}
