import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import { isOurs, kubeletOf } from "../model/ownership.js";

/** Such as `registry.k8s.io/hyperkube-amd64:v1.6.13`. */
const hyperkube = /(^|\/)hyperkube(-[a-z0-9]+)?:/;

/**
 * An image here that a helper can run from, for whoever does not yet know, or care, of which version it is: that of our
 * own containers, else any hyperkube. Not every container of ours is of a hyperkube image: etcd and flannel have their
 * own where that lacks them.
 */
export async function helperImage(
  engine: Pick<ContainerEngine, "listImages">,
  containers: readonly ContainerSummary[],
): Promise<string | undefined> {
  const ours = containers.filter(isOurs);
  // Containers carry their images' labels.
  const fit =
    kubeletOf(containers) ??
    ours.find(({ image, labels }) => labels[imageLabels.pause] !== undefined || hyperkube.test(image));
  // By id: the tag may have gone on to another image.
  if (fit) return fit.imageId;
  const images = await engine.listImages([]);
  const named = images.find(({ tags }) => tags.some((tag) => hyperkube.test(tag)));
  const labelled = images.find(({ labels, tags }) => labels[imageLabels.pause] !== undefined && tags.length > 0);
  return labelled?.id ?? named?.id ?? ours[0]?.imageId;
}
