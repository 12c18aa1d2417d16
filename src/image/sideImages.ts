import { mirrored } from "../config/imageReference.js";
import { defaultRegistry, flannelImage, flannelVersion } from "../kubernetes/releaseTable.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { imageLabels } from "../model/imageLabels.js";
import type { RegistryMirrors } from "../model/options.js";
import { hasEtcd } from "./etcdVersion.js";

/** Images beside the hyperkube image; the same one where it holds all. */
export interface SideImages {
  readonly pause: string;
  readonly etcd: string;
  /** Of the pod network flannel. */
  readonly flannel: string;
}

/** The hyperkube image where that has pause and a fitting etcd; else those of the registry. */
export function sideImages(
  config: ClusterConfig,
  features: VersionFeatures,
  { image, host, engine }: ObservedHost,
  mirrors: RegistryMirrors,
): SideImages {
  const elsewhere = (name: string): string =>
    mirrored(`${config.registry ?? defaultRegistry}/${name.replace("{arch}", engine.version.architecture)}`, mirrors);
  return {
    pause: servesAsPause(image) ? config.image : elsewhere(features.images.pause),
    etcd: hasEtcd(features, host) ? config.image : elsewhere(features.images.etcd),
    flannel: host.imagePrograms.flanneld === undefined ? flannelElsewhere(config, mirrors) : config.image,
  };
}

function flannelElsewhere({ registry }: ClusterConfig, mirrors: RegistryMirrors): string {
  return mirrored(registry === undefined ? flannelImage : `${registry}/flannel:v${flannelVersion}`, mirrors);
}

/** A sandbox is started without a command, so that the image's own has to be a pause. */
export function servesAsPause({ labels, command }: Pick<ImageDetails, "labels" | "command">): boolean {
  return labels[imageLabels.pause] !== undefined || /(^|\/)pause$/.test(command[0] ?? "");
}
