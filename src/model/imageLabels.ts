/** Labels of the hyperkube image that say what else it holds. */
export const imageLabels = {
  /** Program that is its default command: the image can be a pod's sandbox. */
  pause: "io.tsdeploy.image.pause",
  /** Folder of the CNI plugins. */
  cni: "io.tsdeploy.image.cni",
  /** Version of Kubernetes. */
  version: "org.opencontainers.image.version",
  /** Versions of what else is in it. */
  etcd: "io.tsdeploy.image.etcd",
  criDockerd: "io.tsdeploy.image.cri-dockerd",
  flannel: "io.tsdeploy.image.flannel",
  coredns: "io.tsdeploy.image.coredns",
} as const;
