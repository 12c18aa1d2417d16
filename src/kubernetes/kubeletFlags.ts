import type { ExtraArgs, NodeOptions, Taint } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import { paths } from "../plan/names.js";
import { type Flags, versionFlags } from "./commandFlags.js";
import { cniBinDirs } from "./podNetwork.js";
import type { VersionFeatures } from "./versions.js";

export interface KubeletFlagsInput {
  readonly role: "master" | "worker";
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "nodeLabels" | "nodeTaints">;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly pauseImage: string;
  readonly extraArgs: ExtraArgs;
}

/** What a kubelet is told on its command line because its configuration file has no field for it. */
export function kubeletFlags(input: KubeletFlagsInput): Flags {
  const { features, observed, options } = input;
  const flags: Record<string, string> = {
    config: paths.kubeletConfig,
    kubeconfig: paths.kubeletConf,
    ...(input.role === "worker" && { "bootstrap-kubeconfig": paths.bootstrapKubeletConf }),
    "hostname-override": input.nodeName,
    "node-ip": input.nodeIp,
    ...(Object.keys(options.nodeLabels).length > 0 && { "node-labels": labelList(options.nodeLabels) }),
    ...(options.nodeTaints.length > 0 && { "register-with-taints": options.nodeTaints.map(taintText).join(",") }),
    "root-dir": paths.kubeletRoot,
    "container-runtime": "docker",
    "docker-endpoint": "unix:///var/run/docker.sock",
    "pod-infra-container-image": input.pauseImage,
    "network-plugin": "cni",
    "cni-conf-dir": paths.cniConf,
    "cni-bin-dir": cniBinDirs(observed.host.imageCniDir).join(","),
  };
  return versionFlags("kubelet", flags, features, input.extraArgs.kubelet);
}

function labelList(nodeLabels: Readonly<Record<string, string>>): string {
  return Object.entries(nodeLabels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}

function taintText({ key, value, effect }: Taint): string {
  return `${key}=${value ?? ""}:${effect}`;
}
