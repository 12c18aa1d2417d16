import type { NodeOptions } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import type { ClusterConfig } from "../kubernetes/clusterConfig.js";
import { type Flags, toArguments } from "../kubernetes/commandFlags.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { configLabel, containerLabels } from "./containerLabels.js";
import type { Bind, ContainerSpec } from "./containerSpec.js";
import { paths } from "./names.js";
import { sha256, withSpecLabel } from "./specDigest.js";
import { startCommand } from "./startCommand.js";

export interface KubeletInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly flags: Flags;
  /** Content of its configuration file. */
  readonly configuration: string;
}

/** The kubelet: privileged, in the host's own namespaces, with all that it has to see of the host. */
export function kubeletContainer(input: KubeletInput): ContainerSpec {
  const { config, features, observed } = input;
  const start = startCommand({
    iptables: observed.host.iptablesBackend,
    ...(config.network === "bridge" && { forward: config.podCidr }),
  });
  return withSpecLabel({
    component: "kubelet",
    image: config.image,
    command: [...start, "/hyperkube", features.programs.kubelet, ...toArguments(input.flags)],
    binds: kubeletBinds(observed.engine.info.dockerRootDir, features),
    labels: {
      ...containerLabels(input.role, "kubelet", config),
      [configLabel]: sha256(input.configuration).slice(0, 40),
    },
    hostPid: true,
    privileged: true,
    hostCgroupNamespace: true,
    restartPolicy: input.options.restartPolicy,
    stopGraceSeconds: 10,
  });
}

/**
 * Where a host's users keep what pods get by hostPath. Docker mounts it without the kubelet, but `subPath` and the
 * checks of a volume's `type` are the kubelet's. A fixed list: a new folder is no reason to replace a kubelet.
 */
const userFolders = ["/home", "/media", "/mnt", "/opt", "/srv", "/tmp"];

function kubeletBinds(dockerRootDir: string, features: VersionFeatures): Bind[] {
  const same = (path: string): Bind => ({ source: path, target: path });
  return [
    same("/sys"),
    same("/dev"),
    same("/run"),
    same("/var/run"),
    same(dockerRootDir),
    // Mounts for pods are made in here, and have to be seen by Docker.
    { ...same(paths.kubeletRoot), propagation: "rshared" },
    same("/var/log/containers"),
    same("/var/log/pods"),
    same(paths.kubernetes),
    same(paths.cniConf),
    same(paths.cniState),
    same(paths.cniBin),
    { ...same("/lib/modules"), readOnly: true },
    ...userFolders.map(same),
    // Without its checkpoints a replaced container would forget its sandboxes.
    ...(features.runtime === "dockershim" ? [same("/var/lib/dockershim")] : []),
  ];
}
