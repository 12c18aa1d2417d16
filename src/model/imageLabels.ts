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

/** Those programs of a hyperkube image whose version matters. */
type VersionedProgram = "kubelet" | "etcd" | "cri-dockerd" | "coredns";

/**
 * Their versions, such as `v1.20.2` and `3.4.23`, as the labels of an image of ours say; undefined where they do not.
 * Another image's label is its own version, or that of the distribution below it.
 */
export function labelledVersions(
  labels: Readonly<Record<string, string>>,
): Readonly<Record<VersionedProgram, string | undefined>> {
  const isOurs = labels[imageLabels.pause] !== undefined;
  const said = (label: string): string | undefined => {
    const version = isOurs ? labels[label] : undefined;
    // The label is `unknown` where the build had only the program.
    return version !== undefined && /^v?\d/.test(version) ? version : undefined;
  };
  return {
    kubelet: said(imageLabels.version),
    etcd: said(imageLabels.etcd),
    "cri-dockerd": said(imageLabels.criDockerd),
    coredns: said(imageLabels.coredns),
  };
}
