import type { ImageDetails } from "../model/dockerObjects.js";
import { labelledVersions } from "../model/imageLabels.js";

/**
 * The version of Kubernetes in an image: as the label of one of ours says, else as its tag does.
 *
 * @param image undefined if it is not here
 * @returns such as `v1.20.2`; undefined if neither says one
 */
export function imageVersion(reference: string, image: Pick<ImageDetails, "labels"> | undefined): string | undefined {
  return labelledVersions(image?.labels ?? {}).kubelet ?? /:(v\d+\.\d+\.\d+[\w.-]*)$/.exec(reference)?.[1];
}
