import type { ContainerSummary } from "./dockerObjects.js";
import { labels } from "./hostLayout.js";

/** A container that tsdeploy started; helpers, which end by themselves, are not counted. */
export function isOurs(container: ContainerSummary): boolean {
  const component = container.labels[labels.component];
  return component !== undefined && component !== "helper";
}

/** A container that a kubelet made for a pod, through dockershim or cri-dockerd. */
export function isKubeletMade(container: ContainerSummary): boolean {
  return container.name.startsWith("k8s_") && container.labels["io.kubernetes.pod.uid"] !== undefined;
}

/**
 * Whether pods here are our kubelet's. Two kubelets on one Docker kill each other's pods, so that ours never shares it:
 * a container of ours, even a stopped one, or a pod from a manifest that we rendered is proof.
 */
export function hasOurKubelet(containers: readonly ContainerSummary[]): boolean {
  return containers.some(
    (container) => isOurs(container) || (isKubeletMade(container) && container.labels[labels.spec] !== undefined),
  );
}

/** Our kubelet's container, running or not. */
export function kubeletOf(containers: readonly ContainerSummary[]): ContainerSummary | undefined {
  return containers.find((container) => isOurs(container) && container.labels[labels.component] === "kubelet");
}
