import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import { isOurs } from "../model/ownership.js";

/**
 * An image here that a helper can run from, for whoever does not yet know, or care, of which version it is: that of our
 * own containers, else any hyperkube.
 */
export async function helperImage(
  engine: ContainerEngine,
  containers: readonly ContainerSummary[],
): Promise<string | undefined> {
  const ours = containers.find(isOurs);
  // By id: the tag may have gone on to another image.
  if (ours) return ours.imageId;
  const images = await engine.listImages([]);
  const named = (name: RegExp): string | undefined => images.find(({ tags }) => tags.some((tag) => name.test(tag)))?.id;
  const labelled = images.find(({ labels, tags }) => labels[imageLabels.pause] !== undefined && tags.length > 0);
  return labelled?.id ?? named(/(^|\/)hyperkube(-[a-z0-9]+)?:/);
}
