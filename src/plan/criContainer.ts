import { cniBinDirs } from "../kubernetes/cniFolders.js";
import { toArguments } from "../kubernetes/commandFlags.js";
import { isDualStack } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { Bind, ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { criSocket, paths } from "../model/hostLayout.js";
import type { NodeOptions } from "../model/options.js";
import { withSpecLabel } from "../model/specDigest.js";
import { cniBinds } from "./cniBinds.js";
import { containerLabels } from "./containerLabels.js";
import { startCommand } from "./startCommand.js";

export interface CriInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly pauseImage: string;
}

/** Where kubelets keep seccomp profiles of type Localhost: cri-dockerd reads them to give them to Docker. */
const seccompProfiles = `${paths.kubeletRoot}/seccomp`;

/**
 * cri-dockerd: the container runtime interface of kubelets that know Docker no more. It makes pods' networks, so it is
 * in the host's namespaces, privileged, and has what dockershim had in the kubelet's container.
 */
export function criContainer({ role, config, observed, options, pauseImage }: CriInput): ContainerSpec {
  const { host, engine } = observed;
  const flags = {
    "container-runtime-endpoint": `unix://${criSocket}`,
    "docker-endpoint": "unix:///var/run/docker.sock",
    "cri-dockerd-root-directory": paths.criRoot,
    "pod-infra-container-image": pauseImage,
    "network-plugin": "cni",
    "cni-conf-dir": paths.cniConf,
    "cni-bin-dir": cniBinDirs(host.imageCniDir).join(","),
    "cni-cache-dir": `${paths.cniState}/cache`,
    // Whoever reaches it may run anything in any container: the kubelet alone does, and authenticates people.
    "streaming-bind-addr": "127.0.0.1:0",
    // Without it pods' second addresses are told to nobody.
    ...(isDualStack(config) && { "ipv6-dual-stack": "true" }),
  };
  const same = (path: string): Bind => ({ source: path, target: path });
  return withSpecLabel({
    component: "cri",
    image: config.image,
    // The plugin for hostPorts writes rules.
    command: [
      ...startCommand({ iptables: host.iptablesBackend }),
      host.imagePrograms["cri-dockerd"] ?? "/usr/local/bin/cri-dockerd",
      ...toArguments(flags),
    ],
    binds: [
      same("/run"),
      same("/var/run"),
      // Pods' resolv.conf is written into the folders of their containers.
      same(engine.info.dockerRootDir),
      // Without its checkpoints a replaced container would forget its sandboxes.
      same(paths.criRoot),
      ...cniBinds(host.imageCniDir),
      // Links to the containers' logs.
      same("/var/log/pods"),
      { ...same(seccompProfiles), readOnly: true },
      { ...same(paths.scripts), readOnly: true },
      { ...same("/lib/modules"), readOnly: true },
    ],
    labels: containerLabels(role, "cri", config),
    hostPid: true,
    privileged: true,
    hostCgroupNamespace: true,
    restartPolicy: options.restartPolicy,
    stopGraceSeconds: 10,
  });
}
