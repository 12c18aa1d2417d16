import type { ClusterConfig } from "../kubernetes/clusterConfig.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { defaultRegistry } from "../kubernetes/versionTable.js";
import type { ObservedHost } from "../facts/hostFacts.js";

/** Labels of the hyperkube image that tell what else it holds. */
export const imageLabels = {
  /** Program that is its default command: the image can be a pod's sandbox. */
  pause: "io.tsdeploy.image.pause",
  /** Folder of the CNI plugins. */
  cni: "io.tsdeploy.image.cni",
} as const;

/** Images beside the hyperkube image; the same one where it holds all. */
export interface SideImages {
  readonly pause: string;
  readonly etcd: string;
}

/** An image of ours holds pause and etcd; with any other they are pulled from the registry. */
export function sideImages(config: ClusterConfig, features: VersionFeatures, observed: ObservedHost): SideImages {
  if (observed.image.labels[imageLabels.pause] !== undefined) return { pause: config.image, etcd: config.image };
  const registry = config.registry ?? defaultRegistry;
  return { pause: `${registry}/${features.images.pause}`, etcd: `${registry}/${features.images.etcd}` };
}
