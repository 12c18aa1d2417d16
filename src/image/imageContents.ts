/** What a node's image holds, and where in it. */

/** Kubernetes' own programs. */
export const kubernetesPrograms = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubectl",
  "kubelet",
] as const;

export type KubernetesProgram = (typeof kubernetesPrograms)[number];

/** What of a node's image may come from a folder, from the base or by a download. */
export type Part = KubernetesProgram | "etcd" | "cni-plugins" | "cri-dockerd" | OptionalPart;

/** What an image may lack, since nodes can pull an image of it, and the program's name. */
export const optionalPrograms = { flannel: "flanneld", coredns: "coredns" } as const;

export type OptionalPart = keyof typeof optionalPrograms;

export const optionalParts = ["flannel", "coredns"] as const satisfies readonly OptionalPart[];

/** Paths in the image, as a layer has them: without the leading slash. */
export const imagePaths = {
  front: "hyperkube",
  pause: "pause",
  programs: "usr/local/bin",
  /** Not below /opt: the host's covers that in the kubelet's container. */
  cni: "usr/local/lib/cni",
} as const;

/** The PATH of every container of the image: the layer's programs come before the base's. */
export const imagePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Labels that say what is inside, beside those of `src/plan/images.ts`. */
export const contentLabels = {
  version: "org.opencontainers.image.version",
  title: "org.opencontainers.image.title",
  etcd: "io.tsdeploy.image.etcd",
  criDockerd: "io.tsdeploy.image.cri-dockerd",
  flannel: "io.tsdeploy.image.flannel",
  coredns: "io.tsdeploy.image.coredns",
  base: "io.tsdeploy.image.base",
} as const;

/** Names by which CNI plugins are told from other programs of a folder. */
export const cniPlugins: ReadonlySet<string> = new Set([
  "bandwidth",
  "bridge",
  "dhcp",
  "dummy",
  "firewall",
  "flannel",
  "host-device",
  "host-local",
  "ipvlan",
  "loopback",
  "macvlan",
  "portmap",
  "ptp",
  "sbr",
  "static",
  "tap",
  "tuning",
  "vlan",
  "vrf",
]);

/** The plugins that the pod network needs; `portmap` works only in a list of plugins. */
export function neededPlugins(features: { readonly cniList: boolean }): readonly string[] {
  return ["bridge", "host-local", "loopback", ...(features.cniList ? ["portmap"] : [])];
}
