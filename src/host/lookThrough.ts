import type { ContainerSummary } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import { kubeletOf } from "../model/ownership.js";

/**
 * The kubelet's container, if scripts that only look see there what they would see in a helper of that image: it runs
 * from the same one, in the host's own namespaces and with all privileges. Kubelets have the host's /opt; so the image
 * itself has to say where its CNI plugins are.
 *
 * @returns its id
 */
export function kubeletToLookThrough(containers: readonly ContainerSummary[], imageId: string): string | undefined {
  const kubelet = kubeletOf(containers);
  if (kubelet?.state !== "running" || kubelet.imageId !== imageId) return undefined;
  // Containers carry their images' labels.
  return kubelet.labels[imageLabels.cni] === undefined ? undefined : kubelet.id;
}
