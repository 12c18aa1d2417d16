import { paths } from "../model/hostLayout.js";
import type { ExtraArgs, NodeOptions } from "../model/options.js";
import { cniBinDirs, hostCniBin } from "./cniFolders.js";
import { type FlagContext, type Flags, versionFlags } from "./commandFlags.js";
import { kubeletFieldFlags } from "./fieldFlags.js";
import { type ConfigurationDocument, fieldOf, flagText, refuseOtherFields } from "./fieldValues.js";
import { type KubeletConfigurationInput, settingsBesideFile } from "./kubeletConfiguration.js";
import { apiserverOf } from "./networks.js";
import type { VersionFeatures } from "./versions.js";

export interface KubeletFlagsInput extends KubeletConfigurationInput {
  readonly options: Pick<NodeOptions, "nodeLabels" | "nodeTaints">;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** With dual stack. */
  readonly nodeIpv6?: string;
  readonly pauseImage: string;
  /** What `kubeletConfiguration` made: the file's content, or what becomes flags here. */
  readonly document: ConfigurationDocument;
  readonly extraArgs: ExtraArgs;
}

/**
 * The kubelet's command line: what its configuration file has no field for, and all of its configuration where the
 * version has no such file.
 *
 * @throws TsdeployError of kind usage, `PATCH_FIELD`, for a patched field that would have to be a flag and has none
 */
export function kubeletFlags(input: KubeletFlagsInput): Flags {
  const { role, config, features, options } = input;
  const { insecureApi } = config;
  const isFile = features.kubeletConfigured === "file";
  const flags: Record<string, string> = {
    ...(isFile && { config: paths.kubeletConfig }),
    kubeconfig: paths.kubeletConf,
    ...(role === "worker" && {
      "bootstrap-kubeconfig": paths.bootstrapKubeletConf,
      "experimental-bootstrap-kubeconfig": paths.bootstrapKubeletConf,
    }),
    "hostname-override": input.nodeName,
    "node-ip": [input.nodeIp, input.nodeIpv6].filter((address) => address !== undefined).join(","),
    ...(Object.keys(options.nodeLabels).length > 0 && { "node-labels": labelList(options.nodeLabels) }),
    "root-dir": paths.kubeletRoot,
    ...configurationFlags(isFile ? settingsBesideFile(input) : input.document, features),
    "docker-endpoint": "unix:///var/run/docker.sock",
    "pod-infra-container-image": input.pauseImage,
    "cni-conf-dir": paths.cniConf,
    "cni-bin-dir": pluginFolders(input).join(","),
  };
  const context: FlagContext = { insecureApi, values: { apiserver: apiserverOf(role, config) } };
  return { ...withoutCni(versionFlags("kubelet", flags, features, {}, context), input), ...input.extraArgs.kubelet };
}

/** Whether a kubelet of this version can give its node taints, by file or by flag. */
export function registersTaints(features: VersionFeatures): boolean {
  const isField = features.kubeletConfigured === "file" && features.field("kubelet", "registerWithTaints")?.kind !== "absent";
  return isField || features.flag("kubelet", "register-with-taints")?.kind !== "absent";
}

/** A document as the flags that this version has for its fields. */
function configurationFlags(document: ConfigurationDocument, features: VersionFeatures): Flags {
  const said = Object.entries(kubeletFieldFlags).filter(
    ([flag, { field }]) =>
      features.flag("kubelet", flag)?.kind !== "absent" && fieldOf(document, field) !== undefined,
  );
  if (features.kubeletConfigured === "flags") {
    refuseOtherFields("kubelet", document, said.map(([, { field }]) => field), features.version);
  }
  return Object.fromEntries(said.map(([flag, { field, type }]) => [flag, flagText(fieldOf(document, field), type)]));
}

/** Where only one folder may be named: that of our own pod network, or of the one that a person brings. */
function pluginFolders({ config, features, observed }: KubeletFlagsInput): string[] {
  const { imageCniDir } = observed.host;
  const folders = cniBinDirs(imageCniDir);
  if (features.cniBinDirList) return folders;
  return config.network !== "none" ? folders.slice(0, 1) : [hostCniBin(imageCniDir)];
}

/** v1.3 ends without a CNI configuration; pods are then on Docker's own bridge, as docker-multinode had them. */
function withoutCni(flags: Flags, { config, features }: KubeletFlagsInput): Flags {
  if (config.network !== "none" || features.podCidrDelivery !== "file-before-kubelet") return flags;
  return Object.fromEntries(Object.entries(flags).filter(([flag]) => !flag.startsWith("network-plugin")));
}

function labelList(nodeLabels: Readonly<Record<string, string>>): string {
  return Object.entries(nodeLabels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
}
