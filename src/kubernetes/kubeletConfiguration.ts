import type { Patch } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import { paths } from "../plan/names.js";
import type { ClusterConfig } from "./clusterConfig.js";
import { patchConfiguration } from "./renderManifests.js";
import type { VersionFeatures } from "./versions.js";

export interface KubeletConfigurationInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly patches: readonly Patch[];
}

/** The kubelet's configuration file as an object: the cluster's values, then the node's own facts, then patches. */
export function kubeletConfiguration(input: KubeletConfigurationInput): unknown {
  const { config, features, observed } = input;
  const staticPods =
    input.role === "master" && "field" in features.manifestFolder
      ? { [features.manifestFolder.field]: paths.manifests }
      : {};
  const document = {
    apiVersion: features.apis.kubeletConfiguration,
    kind: "KubeletConfiguration",
    ...staticPods,
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
    cgroupDriver: observed.engine.info.cgroupDriver,
    resolvConf: observed.host.resolvConf,
    failSwapOn: observed.host.swapBytes === 0,
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
  };
  return patchConfiguration("kubelet", document, input.patches);
}

/** `/healthz` of the kubelet, on loopback. */
export const kubeletHealthPort = 10248;
