import { isDualStack } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { criSocket, paths } from "../model/hostLayout.js";
import type { NodeOptions, Patch } from "../model/options.js";
import { kubeletFieldFlags } from "./fieldFlags.js";
import { asDocument, type ConfigurationDocument, mergeDocuments, withFields, withoutField } from "./fieldValues.js";
import { fieldTable } from "./flagTable.js";
import { podResolvConf } from "./podResolver.js";
import { patchConfiguration } from "./renderManifests.js";
import type { VersionFeatures } from "./versions.js";

/** What a kubelet's configuration is made of, whether it reaches the kubelet by file or by flags. */
export interface KubeletConfigurationInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "nodeTaints">;
  readonly patches: readonly Patch[];
  /** The cluster's configuration as its ConfigMap has it, perhaps edited, and written for another version. */
  readonly base?: ConfigurationDocument;
}

/** `/healthz` of the kubelet, on loopback. */
export const kubeletHealthPort = 10248;

/** What all kubelets of a cluster share; the ConfigMap `kubelet-config` has it. */
export function clusterKubeletConfiguration(config: ClusterConfig, features: VersionFeatures): ConfigurationDocument {
  return inForce(clusterSettings(config, features), features);
}

/**
 * A kubelet's configuration: our values for the cluster, those of its ConfigMap, the node's own facts, then patches. An
 * edited ConfigMap is never written anew: what a later version needs beside it comes from our values. Without the
 * fields that the version has neither in its file nor as a flag, if it has no file.
 *
 * @throws TsdeployError of kind usage, `PATCH_FAILED`
 */
export function kubeletConfiguration(input: KubeletConfigurationInput): ConfigurationDocument {
  const { config, features, base = {} } = input;
  const shared = mergeDocuments(clusterSettings(config, features), base);
  const document = inForce({ ...shared, ...nodeSettings(input) }, features);
  return asDocument(patchConfiguration("kubelet", document, input.patches));
}

/** Those settings of ours that this version's configuration file has no field for; flags may say them. */
export function settingsBesideFile(input: KubeletConfigurationInput): ConfigurationDocument {
  const { config, features } = input;
  const all = { ...clusterSettings(config, features), ...nodeSettings(input) };
  const inFile = Object.keys(inForce(all, features));
  return inFile.reduce<ConfigurationDocument>(withoutField, all);
}

function clusterSettings(config: ClusterConfig, features: VersionFeatures): ConfigurationDocument {
  const settings = {
    apiVersion: features.apis.kubeletConfiguration,
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${paths.pki}/ca.crt` },
    },
    authorization: { mode: "Webhook" },
    readOnlyPort: 0,
    healthzBindAddress: "127.0.0.1",
    healthzPort: kubeletHealthPort,
    tlsMinVersion: "VersionTLS12",
    rotateCertificates: true,
    clusterDNS: [config.clusterDns],
    clusterDomain: config.clusterDomain,
    // Each node says it by itself as well; workers that an earlier tsdeploy makes know it from here alone.
    ...runtimeEndpoint(features),
    // In the kubelet's own container the default folder would be gone with it.
    volumePluginDir: `${paths.kubeletRoot}/volume-plugins`,
    // A user's own images are not the kubelet's to delete; its eviction for want of disk would do that, too.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      "memory.available": "100Mi",
      "nodefs.available": "0%",
      "nodefs.inodesFree": "0%",
      "imagefs.available": "0%",
    },
    // A node whose CSINode object is not there at its first report is Ready only with the next one. The frequency of
    // reports without news would follow if it were not said.
    nodeStatusUpdateFrequency: "1s",
    nodeStatusReportFrequency: "5m0s",
    ...(isDualStack(config) && { featureGates: { IPv6DualStack: true } }),
  };
  return withFields(settings, features.ownFields("kubelet"));
}

function runtimeEndpoint({ runtime }: VersionFeatures): ConfigurationDocument {
  return runtime === "cri-dockerd" ? { containerRuntimeEndpoint: `unix://${criSocket}` } : {};
}

function nodeSettings({ role, config, features, observed, options }: KubeletConfigurationInput): ConfigurationDocument {
  const { engine, host } = observed;
  return {
    ...runtimeEndpoint(features),
    ...(role === "master" && { staticPodPath: paths.manifests }),
    cgroupDriver: engine.info.cgroupDriver,
    resolvConf: podResolvConf(host, config),
    failSwapOn: host.swapBytes === 0,
    ...(host.cgroupVersion === "1" && { failCgroupV1: false }),
    ...(options.nodeTaints.length > 0 && { registerWithTaints: options.nodeTaints }),
  };
}

/** Without what the version does not have: in its file, or as flags where there is no file. */
function inForce(document: ConfigurationDocument, features: VersionFeatures): ConfigurationDocument {
  return ownFields.filter((path) => !hasField(path, features)).reduce<ConfigurationDocument>(withoutField, document);
}

const ownFields = [
  ...new Set([...Object.values(kubeletFieldFlags).map(({ field }) => field), ...Object.keys(fieldTable.kubelet)]),
];

function hasField(path: string, features: VersionFeatures): boolean {
  if (features.kubeletConfigured === "file") return features.field("kubelet", path)?.kind !== "absent";
  return Object.entries(kubeletFieldFlags).some(
    ([flag, { field }]) => field === path && features.flag("kubelet", flag)?.kind !== "absent",
  );
}
