import type { VersionFeatures } from "../kubernetes/versions.js";
import type { PodCidrDelivery } from "../kubernetes/versionTable.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { isDualStack } from "../model/addressRanges.js";

/**
 * How a node's pod CIDRs reach CNI. Of two neither dockershim nor cri-dockerd makes two ranges: they fill in both as
 * one subnet (`buildCNIRuntimeConf` in network/cni/cni.go).
 */
export function podCidrDeliveryOf(
  config: Pick<ClusterConfig, "podCidr">,
  features: Pick<VersionFeatures, "podCidrDelivery">,
): PodCidrDelivery {
  return isDualStack(config) ? "file-after-registration" : features.podCidrDelivery;
}
