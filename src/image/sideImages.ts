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

/** The projects' own images. */
export interface SideImageNames extends SideImages {
  readonly coredns: string;
}

/** The hyperkube image where that has pause, a fitting etcd and flannel; else those of the registry. */
export function sideImages(
  config: ClusterConfig,
  features: VersionFeatures,
  { image, host, engine }: ObservedHost,
  mirrors: RegistryMirrors,
): SideImages {
  const names = sideImageNames(features, {
    architecture: engine.version.architecture,
    registry: config.registry,
    registryMirrors: mirrors,
  });
  return {
    pause: servesAsPause(image) ? config.image : names.pause,
    etcd: hasEtcd(features, host) ? config.image : names.etcd,
    flannel: host.imagePrograms.flanneld === undefined ? names.flannel : config.image,
  };
}

/** For which machines images are, and where those pull them from. */
export interface ImagePlace {
  readonly architecture: string;
  readonly registry?: string | undefined;
  readonly registryMirrors: RegistryMirrors;
}

/** Where the projects' images are, as machines of an architecture pull them. */
export function sideImageNames({ images }: VersionFeatures, place: ImagePlace): SideImageNames {
  const { architecture, registry, registryMirrors } = place;
  const at = (name: string): string => registryImage(name, { registry }, architecture, registryMirrors);
  return {
    pause: at(images.pause),
    etcd: at(images.etcd),
    flannel: mirrored(registry === undefined ? flannelImage : `${registry}/flannel:v${flannelVersion}`, registryMirrors),
    coredns: at(images.coredns),
  };
}

/**
 * An image of the cluster's registry, or where a mirror has it. A registry of one's own has each by the last part of
 * its name, as kubeadm's `imageRepository` (`GetDNSImage` in cmd/kubeadm/app/images): `coredns/coredns` is
 * `REGISTRY/coredns`.
 *
 * @param name may have `{arch}` in it
 */
export function registryImage(
  name: string,
  { registry = defaultRegistry }: { readonly registry?: string | undefined },
  architecture: string,
  mirrors: RegistryMirrors,
): string {
  const full = name.replace("{arch}", architecture);
  const image = registry === defaultRegistry ? full : full.slice(full.lastIndexOf("/") + 1);
  return mirrored(`${registry}/${image}`, mirrors);
}

/** A sandbox is started without a command, so that the image's own has to be a pause. */
export function servesAsPause({ labels, command }: Pick<ImageDetails, "labels" | "command">): boolean {
  return labels[imageLabels.pause] !== undefined || /(^|\/)pause$/.test(command[0] ?? "");
}
