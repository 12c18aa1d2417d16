import { defined } from "../model/defined.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import { imageVersion } from "./imageVersion.js";

/** What a person wants to know of an image that nodes run from. */
export interface ImageRow {
  readonly reference: string;
  readonly id: string;
  /** Of Kubernetes: as its label says, else as its tag does. */
  readonly version?: string;
  readonly architecture: string;
  readonly sizeBytes: number;
  /** What else is in it, with its version if it says so. */
  readonly contents: readonly string[];
  /** RFC 3339; undefined for images without a time, as reproducible ones are. */
  readonly created?: string;
}

/** Whether a node can run from it: one of ours, or one that is called hyperkube. */
export function isHyperkube({ labels, tags }: ImageDetails): boolean {
  return labels[imageLabels.pause] !== undefined || tags.some((tag) => /(^|\/)hyperkube(-[a-z0-9]+)?:/.test(tag));
}

/** The image under one of its names. */
export function imageRow(reference: string, image: ImageDetails): ImageRow {
  const { labels } = image;
  const version = imageVersion(reference, image);
  const named = (name: string, label: string): string[] =>
    labels[label] === undefined ? [] : [`${name} ${labels[label]}`];
  // A program's file cannot be older.
  const hasTime = Date.parse(image.createdAt) > Date.parse("1980-01-02");
  return {
    reference,
    id: image.id,
    ...defined({ version }),
    architecture: image.architecture,
    sizeBytes: image.sizeBytes,
    contents: [
      ...named("etcd", imageLabels.etcd),
      ...named("cri-dockerd", imageLabels.criDockerd),
      ...named("flannel", imageLabels.flannel),
      ...named("CoreDNS", imageLabels.coredns),
      ...(labels[imageLabels.cni] === undefined ? [] : ["CNI"]),
      ...(labels[imageLabels.pause] === undefined ? [] : ["pause"]),
    ],
    ...(hasTime ? { created: image.createdAt } : {}),
  };
}
