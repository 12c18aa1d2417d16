/**
 * What differs between versions of Kubernetes; flags are in `flagTable.ts`, images in `releaseTable.ts`. Ranges are
 * semver's, pre-releases included: `>=1.6` holds for v1.6.0-beta.3, `<1.6` does not. To support another version is to
 * add rows and to widen `supportedRanges`.
 */

/** A value that holds for the versions of a range. */
export interface Row<Value> {
  readonly range: string;
  readonly value: Value;
}

/** One for each way of building a cluster; what is common to the versions of one is in `versionOverview`. */
export const supportedRanges: readonly Omit<Row<never>, "value">[] = [
  { range: ">=1.3 <1.6" },
  { range: ">=1.6 <1.24" },
  { range: ">=1.24 <1.37" },
];

/** Programs of the hyperkube image, by docker-multinode's names of them. */
export type Program = "apiserver" | "controller-manager" | "scheduler" | "kubelet" | "proxy";

/** What follows `/hyperkube`. A program of many names until v1.16, then a script that calls single ones. */
export const programNames: readonly Row<Readonly<Record<Program, string>>>[] = [
  {
    range: "<1.17",
    value: {
      apiserver: "apiserver",
      "controller-manager": "controller-manager",
      scheduler: "scheduler",
      kubelet: "kubelet",
      proxy: "proxy",
    },
  },
  {
    range: ">=1.17",
    value: {
      apiserver: "kube-apiserver",
      "controller-manager": "kube-controller-manager",
      scheduler: "kube-scheduler",
      kubelet: "kubelet",
      proxy: "kube-proxy",
    },
  },
];

/** Who runs containers: the kubelet's own Docker client (gone with v1.24), or cri-dockerd beside it. */
export const runtimes: readonly Row<"dockershim" | "cri-dockerd">[] = [
  { range: "<1.24", value: "dockershim" },
  { range: ">=1.24", value: "cri-dockerd" },
];

/** How a worker's kubelet proves who it is the first time. Tokens that make certificates came with v1.6. */
export const nodeCredentials: readonly Row<"token-file" | "bootstrap-token">[] = [
  { range: "<1.6", value: "token-file" },
  { range: ">=1.6", value: "bootstrap-token" },
];

/**
 * The key that signs service accounts' tokens. One of RSA takes a fifth of a second to make, sometimes twice that, and
 * seconds on a small board. v1.3 knows no other; that v1.20 takes the other kind was tried. A key that is there stays.
 */
export const serviceAccountKeys: readonly Row<"rsa" | "ecdsa">[] = [
  { range: "<1.20", value: "rsa" },
  { range: ">=1.20", value: "ecdsa" },
];

/** `--authorization-mode`: RBAC's roles came with v1.6, the Node authorizer and NodeRestriction with v1.7. */
export const authorizationModes: readonly Row<string>[] = [
  { range: "<1.6", value: "ABAC" },
  { range: ">=1.6 <1.7", value: "RBAC" },
  { range: ">=1.7", value: "Node,RBAC" },
];

/**
 * Whether pods and Services can have addresses of both families. v1.16 to v1.19 had another API for it, alpha; v1.20
 * has today's, by a feature gate (`flagTable.ts`), which is on by itself from v1.21 on.
 */
export const dualStacks: readonly Row<boolean>[] = [
  { range: "<1.20", value: false },
  { range: ">=1.20", value: true },
];

/**
 * Whether a cluster can have several masters: from v1.11 on each API server says by itself, by a lease in etcd, that it
 * is one of those behind the Service `kubernetes`, and a dead one leaves it (`--endpoint-reconciler-type=lease`).
 */
export const severalMasters: readonly Row<boolean>[] = [
  { range: "<1.11", value: false },
  { range: ">=1.11", value: true },
];

/** How many minor versions a kubelet may be behind the API server (Kubernetes' version skew policy). */
export const kubeletSkews: readonly Row<number>[] = [
  { range: "<1.28", value: 2 },
  { range: ">=1.28", value: 3 },
];

/** Whether kubelets know cgroup v2. */
export const cgroupV2: readonly Row<boolean>[] = [
  { range: "<1.19", value: false },
  { range: ">=1.19", value: true },
];

/** Whether kubelets end where there is swap, unless told not to. Before v1.8 that was an experiment, and off. */
export const swapRefusals: readonly Row<boolean>[] = [
  { range: "<1.8", value: false },
  { range: ">=1.8", value: true },
];

/** Which API of etcd the API server stores by; v1.6 made the third one the default. */
export const etcdApis: readonly Row<"v2" | "v3">[] = [
  { range: "<1.6", value: "v2" },
  { range: ">=1.6", value: "v3" },
];

/**
 * Whether the controller that gives nodes their pod CIDRs holds up the others: it waits 10 s before its first look at
 * nodes (`listNodes` in pkg/controller/nodeipam/ipam/cidr_allocator.go; from v1.31 on it looks at once), and no
 * controller gets news before all have started. It then runs in a process of its own, which v1.4 to v1.9 have no name
 * for; and before v1.14 that process could not be without a port.
 */
export const nodeIpamBlocks: readonly Row<boolean>[] = [
  { range: "<1.14", value: false },
  { range: ">=1.14 <1.31", value: true },
  { range: ">=1.31", value: false },
];

export type ConfiguredBy = "flags" | "file";

/** `kubelet.config.k8s.io/v1beta1` came with v1.10; what went before was alpha, and not under `--config`. */
export const kubeletConfigured: readonly Row<ConfiguredBy>[] = [
  { range: "<1.10", value: "flags" },
  { range: ">=1.10", value: "file" },
];

/** `kubeproxy.config.k8s.io/v1alpha1` came with v1.9, where its `featureGates` were still a text. */
export const proxyConfigured: readonly Row<ConfiguredBy>[] = [
  { range: "<1.10", value: "flags" },
  { range: ">=1.10", value: "file" },
];

/**
 * How a node's pod CIDR reaches CNI: the runtime fills it in (capability `ipRanges`); or a file that names the subnet,
 * written when the node has its CIDR, before the kubelet starts or after.
 */
export type PodCidrDelivery = "runtime" | "file-after-registration" | "file-before-kubelet";

/** v1.3 reads CNI's folder once, and ends if it finds nothing; from v1.4 on kubelets look again and again. */
export const podCidrDeliveries: readonly Row<PodCidrDelivery>[] = [
  { range: "<1.4", value: "file-before-kubelet" },
  { range: ">=1.4 <1.12", value: "file-after-registration" },
  { range: ">=1.12", value: "runtime" },
];

/** Whether kubelets read CNI's `*.conflist`. */
export const cniLists: readonly Row<boolean>[] = [
  { range: "<1.7", value: false },
  { range: ">=1.7", value: true },
];

/** The newest specification that the kubelet's own CNI library reads results of. */
export const cniVersions: readonly Row<string>[] = [
  { range: "<1.7", value: "0.2.0" },
  { range: ">=1.7 <1.16", value: "0.3.1" },
  { range: ">=1.16", value: "0.4.0" },
];

/** Whether the kubelet has a flag for where CNI plugins are; v1.3 looks into /opt/cni/bin alone. */
export const kubeletCniBinDirs: readonly Row<boolean>[] = [
  { range: "<1.4", value: false },
  { range: ">=1.4", value: true },
];

/** Whether `--cni-bin-dir` may name several folders. */
export const cniBinDirLists: readonly Row<boolean>[] = [
  { range: "<1.11", value: false },
  { range: ">=1.11", value: true },
];

export interface HealthPort {
  readonly scheme: "HTTP" | "HTTPS";
  readonly port: number;
}

/**
 * Who answers /healthz without credentials, on 127.0.0.1. Before v1.6 nobody may look at the API server's secure port
 * without some; the other two have a secure port whose /healthz is open to all since v1.13.
 */
export const healthPorts: readonly Row<
  Readonly<Record<"apiserver" | "controller-manager" | "scheduler", HealthPort>>
>[] = [
  {
    range: "<1.6",
    value: {
      apiserver: { scheme: "HTTP", port: 8080 },
      "controller-manager": { scheme: "HTTP", port: 10252 },
      scheduler: { scheme: "HTTP", port: 10251 },
    },
  },
  {
    range: ">=1.6 <1.14",
    value: {
      apiserver: { scheme: "HTTPS", port: 6443 },
      "controller-manager": { scheme: "HTTP", port: 10252 },
      scheduler: { scheme: "HTTP", port: 10251 },
    },
  },
  {
    range: ">=1.14",
    value: {
      apiserver: { scheme: "HTTPS", port: 6443 },
      "controller-manager": { scheme: "HTTPS", port: 10257 },
      scheduler: { scheme: "HTTPS", port: 10259 },
    },
  },
];

/** Whether the API server's insecure port can be opened: v1.20 took it out, and left its flag for 0 alone. */
export const insecureApis: readonly Row<boolean>[] = [
  { range: "<1.20", value: true },
  { range: ">=1.20", value: false },
];

/** Whether the API server takes addresses from the Node object; before, it dials the node's name. */
export const nodeAddresses: readonly Row<boolean>[] = [
  { range: "<1.5", value: false },
  { range: ">=1.5", value: true },
];

/** Whether port 10250 authenticates. */
export const kubeletAuthentication: readonly Row<boolean>[] = [
  { range: "<1.5", value: false },
  { range: ">=1.5", value: true },
];

/**
 * Whether the kubelet keeps neighbours from what listens on loopback alone, which kube-proxy's `route_localnet` opens
 * (CVE-2020-8558, kubernetes/kubernetes#92315).
 */
export const loopbackProtection: readonly Row<boolean>[] = [
  { range: "<1.16.11 || >=1.17 <1.17.7 || >=1.18 <1.18.4", value: false },
  { range: ">=1.16.11 <1.17 || >=1.17.7 <1.18 || >=1.18.4", value: true },
];

/** dockershim says since v1.14 that a sandbox's IPC may be shared (kubernetes/kubernetes#70826). */
export const sandboxIpcs: readonly Row<"daemon" | "shareable">[] = [
  { range: "<1.14", value: "daemon" },
  { range: ">=1.14", value: "shareable" },
];

/** Docker's API as a kubelet's own client speaks it. */
export interface DockerApi {
  /**
   * `environment`: the one that DOCKER_API_VERSION says, else the daemon's newest; `daemon`: always that, whatever is
   * said; `client`: the newest that it knows or, lower, that the daemon has, and higher if DOCKER_API_VERSION says so.
   */
  readonly chosenBy: "environment" | "daemon" | "client";
  /** The one to be said; the newest that it knows. */
  readonly version?: string;
  /** The newest that it works with; undefined: all. */
  readonly newest?: string;
}

// From 1.44 on the daemon leaves out the VirtualSize of images, without which dockershim does not believe that there is
// one.
const newest = "1.43";

/** Undefined: the kubelet does not speak to Docker. */
export const dockerApis: readonly Row<DockerApi | undefined>[] = [
  // Up to 1.39 the daemon takes it for granted that IPC may be shared.
  { range: "<1.5", value: { chosenBy: "environment", version: "1.24" } },
  { range: ">=1.5 <1.6", value: { chosenBy: "daemon" } },
  { range: ">=1.6 <1.8", value: { chosenBy: "daemon", newest } },
  { range: ">=1.8 <1.12", value: { chosenBy: "client", version: "1.31", newest } },
  { range: ">=1.12 <1.15", value: { chosenBy: "client", version: "1.38", newest } },
  { range: ">=1.15 <1.21", value: { chosenBy: "client", version: "1.40", newest } },
  { range: ">=1.21 <1.24", value: { chosenBy: "client", version: "1.41", newest } },
  { range: ">=1.24", value: undefined },
];

/**
 * File of the certificate that a bootstrapped kubeconfig names. Until v1.10 it is the first one: a kubelet that rotates
 * certificates then goes on with others.
 */
export const kubeletClientCertificates: readonly Row<string>[] = [
  { range: "<1.11", value: "kubelet-client.crt" },
  { range: ">=1.11", value: "kubelet-client-current.pem" },
];

/** Rotation of the kubelet's client certificate was beta, and on, with v1.8. */
export const certificateRotation: readonly Row<boolean>[] = [
  { range: "<1.8", value: false },
  { range: ">=1.8", value: true },
];

/** `auth-extra-groups` of bootstrap tokens. */
export const tokenGroups: readonly Row<boolean>[] = [
  { range: "<1.8", value: false },
  { range: ">=1.8", value: true },
];

/**
 * Who lets kubelets have certificates: nobody; the controller-manager for a group that its flag names; or for those who
 * may create a subresource, by ClusterRoles that the API server brings since v1.8.
 */
export const csrApprovals: readonly Row<"none" | "flag" | "roles-of-ours" | "roles">[] = [
  { range: "<1.6", value: "none" },
  { range: ">=1.6 <1.7", value: "flag" },
  { range: ">=1.7 <1.8", value: "roles-of-ours" },
  { range: ">=1.8", value: "roles" },
];

/** Pod priorities were refused without a feature gate from v1.8 to v1.10, and not heard of before. */
export const podPriorities: readonly Row<boolean>[] = [
  { range: "<1.11", value: false },
  { range: ">=1.11", value: true },
];

/**
 * Whether tolerations and affinity are fields of a pod, or annotations. Affinity between pods came with v1.4, which is
 * of no concern: an annotation that nobody reads does nothing.
 */
export const schedulingFields: readonly Row<boolean>[] = [
  { range: "<1.6", value: false },
  { range: ">=1.6", value: true },
];

/** Whether who deletes an object can say that what it has made goes, too; before, Deployments leave their pods. */
export const deletionPropagation: readonly Row<boolean>[] = [
  { range: "<1.7", value: false },
  { range: ">=1.7", value: true },
];

/** Whether keys of a ConfigMap may have upper-case letters (validation.IsConfigMapKey). */
export const upperCaseKeys: readonly Row<boolean>[] = [
  { range: "<1.4", value: false },
  { range: ">=1.4", value: true },
];

/** `allowPrivilegeEscalation` of a container. */
export const privilegeEscalation: readonly Row<boolean>[] = [
  { range: "<1.8", value: false },
  { range: ">=1.8", value: true },
];

/** `seccompProfile` of a container; an annotation before. */
export const seccompProfiles: readonly Row<boolean>[] = [
  { range: "<1.19", value: false },
  { range: ">=1.19", value: true },
];

/** Whether every node says by `kubernetes.io/os` what it runs. */
export const osLabels: readonly Row<boolean>[] = [
  { range: "<1.16", value: false },
  { range: ">=1.16", value: true },
];

/** Whether `discovery.k8s.io/v1` is served, which CoreDNS 1.11 and later cannot do without. */
export const endpointSlices: readonly Row<boolean>[] = [
  { range: "<1.21", value: false },
  { range: ">=1.21", value: true },
];

/** Startup probes: alpha in v1.16, beta and on by default with v1.18. */
export const startupProbes: readonly Row<boolean>[] = [
  { range: "<1.18", value: false },
  { range: ">=1.18", value: true },
];

export type ProxyMode = "iptables" | "ipvs" | "nftables" | "userspace";

/** Those that need no feature gate: ipvs was alpha in v1.8, nftables in v1.29; userspace went with v1.26. */
export const proxyModes: readonly Row<readonly ProxyMode[]>[] = [
  { range: "<1.10", value: ["iptables", "userspace"] },
  { range: ">=1.10 <1.26", value: ["iptables", "ipvs", "userspace"] },
  { range: ">=1.26 <1.31", value: ["iptables", "ipvs"] },
  { range: ">=1.31", value: ["iptables", "ipvs", "nftables"] },
];

/** API versions of configuration files and of the objects that we create. */
export interface ApiVersions {
  readonly kubeletConfiguration: string;
  readonly proxyConfiguration: string;
  /** Undefined: the scheduler gets all by flags. */
  readonly schedulerConfiguration: string | undefined;
  /** Undefined: there are no roles yet. */
  readonly rbac: string | undefined;
  /** Of `pods/eviction`, which v1.3 has not. */
  readonly eviction: string;
  /** Of `poddisruptionbudgets`, which v1.3 has not. */
  readonly disruptionBudget: string;
  readonly deployment: string;
  /** Undefined: nobody can add an API. */
  readonly apiService: string | undefined;
}

export const apiVersions: { readonly [Kind in keyof ApiVersions]: readonly Row<ApiVersions[Kind]>[] } = {
  // The only ones there have ever been.
  kubeletConfiguration: [{ range: "*", value: "kubelet.config.k8s.io/v1beta1" }],
  proxyConfiguration: [{ range: "*", value: "kubeproxy.config.k8s.io/v1alpha1" }],
  // `--kubeconfig` is deprecated for a file since v1.10, but until v1.22 each version of that came and went quickly.
  schedulerConfiguration: [
    { range: "<1.24", value: undefined },
    { range: ">=1.24 <1.25", value: "kubescheduler.config.k8s.io/v1beta3" },
    { range: ">=1.25", value: "kubescheduler.config.k8s.io/v1" },
  ],
  // Alpha until v1.5; v1beta1 went with v1.22.
  rbac: [
    { range: "<1.6", value: undefined },
    { range: ">=1.6 <1.8", value: "rbac.authorization.k8s.io/v1beta1" },
    { range: ">=1.8", value: "rbac.authorization.k8s.io/v1" },
  ],
  // v1beta1 went with v1.25.
  eviction: [
    { range: "<1.5", value: "policy/v1alpha1" },
    { range: ">=1.5 <1.22", value: "policy/v1beta1" },
    { range: ">=1.22", value: "policy/v1" },
  ],
  disruptionBudget: [
    { range: "<1.5", value: "policy/v1alpha1" },
    { range: ">=1.5 <1.21", value: "policy/v1beta1" },
    { range: ">=1.21", value: "policy/v1" },
  ],
  // Each went with v1.16.
  deployment: [
    { range: "<1.6", value: "extensions/v1beta1" },
    { range: ">=1.6 <1.8", value: "apps/v1beta1" },
    { range: ">=1.8 <1.9", value: "apps/v1beta2" },
    { range: ">=1.9", value: "apps/v1" },
  ],
  // Beta with v1.7; that went with v1.22.
  apiService: [
    { range: "<1.7", value: undefined },
    { range: ">=1.7 <1.10", value: "apiregistration.k8s.io/v1beta1" },
    { range: ">=1.10", value: "apiregistration.k8s.io/v1" },
  ],
};
