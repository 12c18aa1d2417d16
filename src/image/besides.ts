import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import type { NetworkName } from "../model/podNetwork.js";
import { fitsCoredns } from "./corednsVersion.js";
import { type ImagePlace, servesAsPause, type SideImageNames } from "./sideImages.js";

/** What of a cluster decides which programs it runs. */
export interface ClusterParts {
  readonly network: NetworkName;
  /** Whether it has CoreDNS. */
  readonly dns: boolean;
}

/** What may be in the hyperkube image, or in an image of its own beside it. */
export type Beside = keyof SideImageNames;

/** An image that no hyperkube image holds, and what it is for. */
export interface FurtherImage {
  readonly what: string;
  readonly reference: string;
}

/** Those that a cluster of a version needs; may throw a TsdeployError of kind usage. */
export type FurtherImages = (features: VersionFeatures, place: ImagePlace) => readonly FurtherImage[];

/** What a cluster needs besides Kubernetes, whatever is in which image. */
export function neededBesides({ network, dns }: ClusterParts): readonly Beside[] {
  return ["pause", "etcd", ...(network === "flannel" ? ["flannel" as const] : []), ...(dns ? ["coredns" as const] : [])];
}

/** What of that the hyperkube image has not, as far as it says. */
export function besides(
  image: Pick<ImageDetails, "labels" | "command">,
  features: VersionFeatures,
  parts: ClusterParts,
): readonly Beside[] {
  const { labels } = image;
  const has: Readonly<Record<Beside, boolean>> = {
    pause: servesAsPause(image),
    // An image without labels would have to be run to find out; ours without an etcd do not exist.
    etcd: [imageLabels.etcd, imageLabels.pause].some((label) => label in labels),
    flannel: imageLabels.flannel in labels,
    coredns: imageLabels.coredns in labels && fitsCoredns(labels[imageLabels.coredns], features),
  };
  return neededBesides(parts).filter((part) => !has[part]);
}
