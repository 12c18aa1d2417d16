import type { Row } from "./versionTable.js";

/** Where images are without `--registry`. */
export const defaultRegistry = "registry.k8s.io";

/**
 * flannel, for every Kubernetes: of an API server it wants nodes alone. Not newer: from its client 0.35 on it asks for
 * lists as a stream, which API servers before v1.19 do not answer.
 */
export const flannelVersion = "0.28.9";

/** The one that images are built with: the newest of which a checksum is known. */
export const packedFlannelVersion = "0.27.4";

/** Where flannel's own image is without `--registry`. */
export const flannelImage = `docker.io/flannel/flannel:v${flannelVersion}`;

/** Images beside Kubernetes' own; without the registry. */
export interface Images {
  readonly pause: string;
  readonly etcd: string;
  readonly coredns: string;
}

/**
 * As the last patch of that minor's kubeadm pins them (cmd/kubeadm/app/constants/constants.go). Before v1.12 those had
 * a name for each architecture, and pause 3.0 is in a form that Docker refuses today: the oldest without that. Before
 * v1.6 an etcd that still has its second API. v1.31 to v1.33 have a newer patch version of etcd 3.5 than kubeadm's: the
 * one that etcd's authors name as the only safe stop before 3.6.
 */
export const images: readonly Row<Pick<Images, "pause" | "etcd">>[] = [
  { range: "<1.6", value: { pause: "pause:3.1", etcd: "etcd:3.5.26-0" } },
  { range: ">=1.6 <1.12", value: { pause: "pause:3.1", etcd: "etcd:3.2.24" } },
  { range: ">=1.12 <1.13", value: { pause: "pause:3.1", etcd: "etcd:3.2.24" } },
  { range: ">=1.13 <1.14", value: { pause: "pause:3.1", etcd: "etcd:3.2.24" } },
  { range: ">=1.14 <1.16", value: { pause: "pause:3.1", etcd: "etcd:3.3.10" } },
  { range: ">=1.16 <1.17", value: { pause: "pause:3.1", etcd: "etcd:3.3.15-0" } },
  { range: ">=1.17 <1.18", value: { pause: "pause:3.1", etcd: "etcd:3.4.3-0" } },
  { range: ">=1.18 <1.19", value: { pause: "pause:3.2", etcd: "etcd:3.4.3-0" } },
  { range: ">=1.19 <1.21", value: { pause: "pause:3.2", etcd: "etcd:3.4.13-0" } },
  { range: ">=1.21 <1.22", value: { pause: "pause:3.4.1", etcd: "etcd:3.4.13-0" } },
  { range: ">=1.22 <1.23", value: { pause: "pause:3.5", etcd: "etcd:3.5.6-0" } },
  { range: ">=1.23 <1.24", value: { pause: "pause:3.6", etcd: "etcd:3.5.6-0" } },
  { range: ">=1.24 <1.25", value: { pause: "pause:3.7", etcd: "etcd:3.5.6-0" } },
  { range: ">=1.25 <1.26", value: { pause: "pause:3.8", etcd: "etcd:3.5.9-0" } },
  { range: ">=1.26 <1.27", value: { pause: "pause:3.9", etcd: "etcd:3.5.10-0" } },
  { range: ">=1.27 <1.28", value: { pause: "pause:3.9", etcd: "etcd:3.5.12-0" } },
  { range: ">=1.28 <1.29", value: { pause: "pause:3.9", etcd: "etcd:3.5.15-0" } },
  { range: ">=1.29 <1.30", value: { pause: "pause:3.9", etcd: "etcd:3.5.16-0" } },
  { range: ">=1.30 <1.31", value: { pause: "pause:3.9", etcd: "etcd:3.5.15-0" } },
  { range: ">=1.31 <1.33", value: { pause: "pause:3.10", etcd: "etcd:3.5.26-0" } },
  { range: ">=1.33 <1.34", value: { pause: "pause:3.10", etcd: "etcd:3.5.26-0" } },
  { range: ">=1.34 <1.35", value: { pause: "pause:3.10.1", etcd: "etcd:3.6.5-0" } },
  { range: ">=1.35 <1.36", value: { pause: "pause:3.10.1", etcd: "etcd:3.6.6-0" } },
  { range: ">=1.36", value: { pause: "pause:3.10.2", etcd: "etcd:3.6.8-0" } },
];

/**
 * From v1.21 on as kubeadm pins it. Older servers have no EndpointSlices of v1, which CoreDNS 1.11 and later cannot do
 * without: the newest that reads Endpoints from them, so that one Corefile does for all.
 */
export const corednses: readonly Row<string>[] = [
  { range: "<1.21", value: "1.10.1" },
  { range: ">=1.21 <1.22", value: "1.8.0" },
  { range: ">=1.22 <1.23", value: "1.8.4" },
  { range: ">=1.23 <1.25", value: "1.8.6" },
  { range: ">=1.25 <1.27", value: "1.9.3" },
  { range: ">=1.27 <1.29", value: "1.10.1" },
  { range: ">=1.29 <1.30", value: "1.11.1" },
  { range: ">=1.30 <1.33", value: "1.11.3" },
  { range: ">=1.33 <1.34", value: "1.12.0" },
  { range: ">=1.34 <1.35", value: "1.12.1" },
  { range: ">=1.35 <1.36", value: "1.13.1" },
  { range: ">=1.36", value: "1.14.2" },
];

/** Releases of CoreDNS that can read a server's objects, whoever built them into an image. */
export const corednsRanges: readonly Row<string>[] = [
  { range: "<1.21", value: "<1.11.0" },
  { range: ">=1.21", value: "*" },
];

/** Releases of what is in a hyperkube image besides Kubernetes. */
export interface Components {
  readonly etcd: string;
  readonly cni: string;
  readonly criDockerd?: string;
  readonly flannel: string;
  readonly coredns: string;
}

/**
 * What `image build` downloads. etcd 3.5 has both APIs, images for arm64 and published checksums, which the etcd of
 * old kubeadms has not. CNI plugins read configurations of all older specifications.
 */
export const components: readonly Row<Omit<Components, "flannel" | "coredns">>[] = [
  { range: "<1.22", value: { etcd: "3.5.26", cni: "0.9.1" } },
  { range: ">=1.22 <1.24", value: { etcd: "3.5.26", cni: "1.0.1" } },
  { range: ">=1.24 <1.31", value: { etcd: "3.5.26", cni: "1.4.1", criDockerd: "0.4.3" } },
  { range: ">=1.31 <1.32", value: { etcd: "3.5.26", cni: "1.5.1", criDockerd: "0.4.3" } },
  { range: ">=1.32 <1.33", value: { etcd: "3.5.26", cni: "1.6.0", criDockerd: "0.4.3" } },
  { range: ">=1.33 <1.34", value: { etcd: "3.5.26", cni: "1.6.2", criDockerd: "0.4.3" } },
  { range: ">=1.34 <1.35", value: { etcd: "3.6.5", cni: "1.7.1", criDockerd: "0.4.3" } },
  { range: ">=1.35 <1.36", value: { etcd: "3.6.6", cni: "1.8.0", criDockerd: "0.4.3" } },
  { range: ">=1.36", value: { etcd: "3.6.8", cni: "1.9.1", criDockerd: "0.4.3" } },
];

/** Versions of Docker's API: of a daemon's own, the newest has to be from `oldest` on, the oldest up to `newest`. */
export interface ApiRange {
  readonly oldest: string;
  /** Undefined: not known. */
  readonly newest?: string;
}

/**
 * By version of cri-dockerd: what it asks for (MinimumDockerAPIVersion in libdocker/client.go), and what its client of
 * Docker knows (DefaultVersion in github.com/docker/docker/api), from which it goes down to what the daemon has. 0.4.0
 * and 0.4.1 were made of the main branch, which wants more than the later releases.
 */
export const criDockerdApis: readonly Row<ApiRange>[] = [
  { range: "<0.3.3", value: { oldest: "1.26", newest: "1.41" } },
  { range: ">=0.3.3 <0.3.8", value: { oldest: "1.26", newest: "1.42" } },
  { range: ">=0.3.8 <0.3.12 || >=0.3.13 <0.3.16", value: { oldest: "1.26", newest: "1.43" } },
  { range: ">=0.3.12 <0.3.13 || >=0.3.16 <0.4 || >=0.4.2 <0.5", value: { oldest: "1.26", newest: "1.44" } },
  { range: ">=0.4 <0.4.2", value: { oldest: "1.42", newest: "1.46" } },
  { range: ">=0.5", value: { oldest: "1.42" } },
];

/**
 * The official hyperkube image. A list of all architectures since v1.12; gone with v1.19. Those of 2016 are in a form
 * (schema 1) that Docker 26 and later refuse.
 */
export const published: readonly Row<{ readonly reference: string } | undefined>[] = [
  { range: "<1.12", value: { reference: `${defaultRegistry}/hyperkube-{arch}:{version}` } },
  { range: ">=1.12 <1.19", value: { reference: `${defaultRegistry}/hyperkube:{version}` } },
  { range: ">=1.19", value: undefined },
];
