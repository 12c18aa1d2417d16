import { mirrored } from "../config/imageReference.js";
import { defaultRegistry, flannelImage, flannelVersion } from "../kubernetes/releaseTable.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import type { HostFacts, ObservedHost } from "../model/hostFacts.js";
import { imageLabels } from "../model/imageLabels.js";
import type { RegistryMirrors } from "../model/options.js";
import { fitsCoredns } from "./corednsVersion.js";
import { hasEtcd } from "./etcdVersion.js";
import { imagePaths } from "./imageContents.js";

/** Images beside the hyperkube image; the same one where it holds all. */
export interface SideImages {
  readonly pause: string;
  readonly etcd: string;
  /** Of the pod network flannel. */
  readonly flannel: string;
  readonly coredns: SideProgram;
}

/** A program that images have in different places. */
export interface SideProgram {
  readonly image: string;
  /** Absolute path in the image. */
  readonly program: string;
}

/** The hyperkube image where that has pause, a fitting etcd, flannel, CoreDNS; else those of the registry. */
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
  const coredns = corednsIn(image, host, features);
  return {
    pause: servesAsPause(image) ? config.image : names.pause,
    etcd: hasEtcd(features, host) ? config.image : names.etcd,
    flannel: host.imagePrograms.flanneld === undefined ? names.flannel : config.image,
    coredns:
      coredns === undefined
        ? { image: names.coredns, program: "/coredns" }
        : { image: config.image, program: coredns },
  };
}

/** Where the projects' images are, as machines of an architecture pull them. */
export function sideImageNames(
  { images }: VersionFeatures,
  of: {
    readonly architecture: string;
    readonly registry?: string | undefined;
    readonly registryMirrors: RegistryMirrors;
  },
): Readonly<Record<keyof SideImages, string>> {
  const { architecture, registry, registryMirrors } = of;
  const at = (name: string): string =>
    mirrored(`${registry ?? defaultRegistry}/${name.replace("{arch}", architecture)}`, registryMirrors);
  return {
    pause: at(images.pause),
    etcd: at(images.etcd),
    flannel: mirrored(registry === undefined ? flannelImage : `${registry}/flannel:v${flannelVersion}`, registryMirrors),
    coredns: at(images.coredns),
  };
}

/** Where the hyperkube image has a CoreDNS that can serve this version; undefined if it has none. */
function corednsIn(
  { labels }: ImageDetails,
  { imagePrograms, imageCorednsVersion = labels[imageLabels.coredns] }: HostFacts,
  features: VersionFeatures,
): string | undefined {
  if (!fitsCoredns(imageCorednsVersion, features)) return undefined;
  const labelled = labels[imageLabels.coredns] === undefined ? undefined : `/${imagePaths.programs}/coredns`;
  return imagePrograms["coredns"] ?? labelled;
}

/** A sandbox is started without a command, so that the image's own has to be a pause. */
export function servesAsPause({ labels, command }: Pick<ImageDetails, "labels" | "command">): boolean {
  return labels[imageLabels.pause] !== undefined || /(^|\/)pause$/.test(command[0] ?? "");
}
