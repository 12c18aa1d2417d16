import type { ImageDetails } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";

/**
 * The version of Kubernetes in an image: as the label of one of ours says, else as its tag does.
 *
 * @param image undefined if it is not here
 * @returns such as `v1.20.2`; undefined if neither says one
 */
export function imageVersion(reference: string, image: Pick<ImageDetails, "labels"> | undefined): string | undefined {
  return labelledVersion(image?.labels ?? {}) ?? /:(v\d+\.\d+\.\d+[\w.-]*)$/.exec(reference)?.[1];
}

/** The version of Kubernetes that the labels of an image of ours say. */
export function labelledVersion(labels: ImageDetails["labels"]): string | undefined {
  // Another image's label is its own version, or that of the distribution below it.
  return labels[imageLabels.pause] === undefined ? undefined : labels[imageLabels.version];
}
