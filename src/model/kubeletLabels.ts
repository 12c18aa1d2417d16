/** Labels that kubelets give to the containers they make. */
export const kubeletLabels = {
  containerName: "io.kubernetes.container.name",
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
} as const;

/** The sandbox of a pod carries this instead of a container name. */
export const sandboxName = "POD";
