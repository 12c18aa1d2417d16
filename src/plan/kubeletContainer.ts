import { type Flags, toArguments } from "../kubernetes/commandFlags.js";
import { forcedDockerApi, needsOldRuntime } from "../kubernetes/dockerApi.js";
import { programCommands } from "../kubernetes/programCommands.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { Bind, ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { criSocket, paths } from "../model/hostLayout.js";
import type { NodeOptions } from "../model/options.js";
import { sha256, withSpecLabel } from "../model/specDigest.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { cniBinds } from "./cniBinds.js";
import { configLabel, containerLabels } from "./containerLabels.js";
import { startCommand } from "./startCommand.js";

export interface KubeletInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly flags: Flags;
  /** Content of its configuration file, if it has one. */
  readonly configuration: string | undefined;
}

/** The kubelet: privileged, in the host's own namespaces, with all that it has to see of the host. */
export function kubeletContainer(input: KubeletInput): ContainerSpec {
  const { config, features, observed, configuration } = input;
  const { imageCniDir, iptablesBackend } = observed.host;
  const hasPluginsElsewhere = imageCniDir !== undefined && imageCniDir !== paths.cniBin;
  const start = startCommand({
    iptables: iptablesBackend,
    ...(podNetworkOf(config).forwardsPods && { forward: config.podCidr }),
    ...(!features.kubeletAuthenticates && { closeKubelet: new URL(config.apiserver).hostname }),
    ...(!features.kubeletProtectsLoopback && { closeLoopback: "127.0.0.0/8" }),
    ...(hasPluginsElsewhere && !features.kubeletCniBinDir && { plugins: imageCniDir }),
    certificate: input.flags["hostname-override"],
    ...(features.runtime === "cri-dockerd" && { socket: criSocket }),
  });
  const forcedApi = forcedDockerApi(features, observed.engine.version);
  const flags = {
    ...input.flags,
    // Only without an endpoint the environment is looked at; the socket is then the usual one.
    ...(forcedApi !== undefined && { "docker-endpoint": "" }),
    ...(needsOldRuntime(features, observed.engine.version) && { "enable-cri": "false" }),
  };
  return withSpecLabel({
    component: "kubelet",
    image: config.image,
    command: [...start, ...programCommands(features, observed.host).kubelet, ...toArguments(flags)],
    ...(forcedApi !== undefined && { env: { DOCKER_API_VERSION: forcedApi } }),
    binds: kubeletBinds(observed, features),
    labels: {
      ...containerLabels(input.role, "kubelet", config),
      ...(configuration !== undefined && { [configLabel]: sha256(configuration).slice(0, 40) }),
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

function kubeletBinds({ engine, host }: ObservedHost, features: VersionFeatures): Bind[] {
  const { imageCniDir, privateFolders } = host;
  // A disk that is mounted while the kubelet runs has to be there for it as for Docker, and go when it is unmounted.
  const following = (path: string): Bind =>
    privateFolders.includes(path) ? same(path) : { ...same(path), propagation: "rslave" };
  // With dockershim a kubelet runs containers and makes pods' networks itself.
  const isRuntime = features.runtime === "dockershim";
  const same = (path: string): Bind => ({ source: path, target: path });
  return [
    same("/sys"),
    same("/dev"),
    same("/run"),
    same("/var/run"),
    same(engine.info.dockerRootDir),
    // Mounts for pods are made in here, and have to be seen by Docker.
    { ...same(paths.kubeletRoot), propagation: "rshared" },
    same("/var/log/containers"),
    same("/var/log/pods"),
    same(paths.kubernetes),
    ...(isRuntime ? cniBinds(imageCniDir) : []).filter(
      // Where the image's plugins have to be, the host's cannot.
      ({ source }) => source !== paths.cniBin || features.kubeletCniBinDir,
    ),
    { ...same("/lib/modules"), readOnly: true },
    ...userFolders.filter((folder) => folder !== "/opt" || !hidesPlugins(imageCniDir, features)).map(following),
    // A kubelet says of its node what it finds there; the image has its own, or none.
    ...host.identityFiles.map((path): Bind => ({ ...same(path), readOnly: true })),
    // Without its checkpoints a replaced container would forget its sandboxes.
    ...(isRuntime ? [same("/var/lib/dockershim")] : []),
  ];
}

/** Whether the host's /opt would lie over the CNI plugins that this kubelet calls. */
function hidesPlugins(imageCniDir: string | undefined, { runtime, kubeletCniBinDir }: VersionFeatures): boolean {
  return runtime === "dockershim" && (imageCniDir?.startsWith("/opt/") === true || !kubeletCniBinDir);
}
