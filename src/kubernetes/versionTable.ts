/**
 * What differs between versions of Kubernetes, and nothing else. Ranges are semver's; `-0` keeps a version's
 * pre-releases on its own side of a boundary. To support another version is to add rows and to widen `supportedRanges`.
 */

/** A value that holds for the versions of a range. */
export interface Row<Value> {
  readonly range: string;
  readonly value: Value;
}

/** A range that works, and the versions in it that were tried for real. */
export interface SupportedRange {
  readonly range: string;
  readonly tried: readonly [string, ...string[]];
}

export const supportedRanges: readonly SupportedRange[] = [{ range: ">=1.20.0-0 <1.21.0-0", tried: ["v1.20.2"] }];

/** Programs of the hyperkube image, by docker-multinode's names of them. */
export type Program = "apiserver" | "controller-manager" | "scheduler" | "kubelet" | "proxy";

/** What follows `/hyperkube`. */
export const programNames: readonly Row<Readonly<Record<Program, string>>>[] = [
  {
    range: "<1.17.0-0",
    value: {
      apiserver: "apiserver",
      "controller-manager": "controller-manager",
      scheduler: "scheduler",
      kubelet: "kubelet",
      proxy: "proxy",
    },
  },
  {
    range: ">=1.17.0-0",
    value: {
      apiserver: "kube-apiserver",
      "controller-manager": "kube-controller-manager",
      scheduler: "kube-scheduler",
      kubelet: "kubelet",
      proxy: "kube-proxy",
    },
  },
];

/** Who runs containers: the kubelet's own Docker client, or cri-dockerd beside it. */
export const runtimes: readonly Row<"dockershim" | "cri-dockerd">[] = [
  { range: "<1.24.0-0", value: "dockershim" },
  { range: ">=1.24.0-0", value: "cri-dockerd" },
];

/** How a worker's kubelet proves who it is the first time. */
export const nodeCredentials: readonly Row<"token-file" | "bootstrap-token">[] = [
  { range: "<1.6.0-0", value: "token-file" },
  { range: ">=1.6.0-0", value: "bootstrap-token" },
];

/** `--authorization-mode`; the Node authorizer and NodeRestriction came with v1.7. */
export const authorizationModes: readonly Row<string>[] = [
  { range: "<1.6.0-0", value: "ABAC" },
  { range: ">=1.6.0-0 <1.7.0-0", value: "RBAC" },
  { range: ">=1.7.0-0", value: "Node,RBAC" },
];

/** How many minor versions a kubelet may be behind the API server (Kubernetes' version skew policy). */
export const kubeletSkews: readonly Row<number>[] = [
  { range: "<1.28.0-0", value: 2 },
  { range: ">=1.28.0-0", value: 3 },
];

/** Whether kubelets know cgroup v2. */
export const cgroupV2: readonly Row<boolean>[] = [
  { range: "<1.19.0-0", value: false },
  { range: ">=1.19.0-0", value: true },
];

/** Which API of etcd the API server stores by. */
export const etcdApis: readonly Row<"v2" | "v3">[] = [
  { range: "<1.6.0-0", value: "v2" },
  { range: ">=1.6.0-0", value: "v3" },
];

/**
 * Whether the controller that gives nodes their pod CIDRs holds up the others: it waits 10 s before its first look at
 * nodes (`listNodes` in pkg/controller/nodeipam/ipam/cidr_allocator.go), and no controller gets news before all have
 * started. It then runs in a process of its own.
 */
export const nodeIpamBlocks: readonly Row<boolean>[] = [{ range: ">=1.20.0-0 <1.21.0-0", value: true }];

/** How a kubelet is told its manifest folder. */
export const manifestFolders: readonly Row<{ readonly field: string } | { readonly flag: string }>[] = [
  { range: "<1.5.0-0", value: { flag: "config" } },
  { range: ">=1.5.0-0 <1.10.0-0", value: { flag: "pod-manifest-path" } },
  { range: ">=1.10.0-0", value: { field: "staticPodPath" } },
];

/** API versions of configuration files and of the objects that we create. */
export interface ApiVersions {
  readonly kubeletConfiguration: string;
  readonly proxyConfiguration: string;
  readonly rbac: string;
  readonly apps: string;
  readonly certificates: string;
  readonly eviction: string;
}

export const apiVersions: readonly Row<ApiVersions>[] = [
  {
    range: ">=1.19.0-0",
    value: {
      kubeletConfiguration: "kubelet.config.k8s.io/v1beta1",
      proxyConfiguration: "kubeproxy.config.k8s.io/v1alpha1",
      rbac: "rbac.authorization.k8s.io/v1",
      apps: "apps/v1",
      certificates: "certificates.k8s.io/v1",
      // policy/v1 takes evictions from v1.22 on.
      eviction: "policy/v1beta1",
    },
  },
];

/** Images beside Kubernetes' own; without the registry. */
export interface Images {
  readonly pause: string;
  readonly etcd: string;
  readonly coredns: string;
}

/** As that release's kubeadm pins them (cmd/kubeadm/app/constants/constants.go). */
export const images: readonly Row<Images>[] = [
  {
    range: ">=1.20.0-0 <1.21.0-0",
    value: { pause: "pause:3.2", etcd: "etcd:3.4.13-0", coredns: "coredns:1.7.0" },
  },
];

/** Where those images are without `--registry`. */
export const defaultRegistry = "registry.k8s.io";

/** A flag that not every version has, or not with this value. */
export interface FlagRow {
  readonly component: Program | "etcd";
  readonly flag: string;
  readonly range: string;
  /** Default: the value that the manifest or the planner gives. */
  readonly value?: string;
}

/**
 * A flag with rows is said in the ranges of its rows alone; a flag without rows is in all supported versions. Flags
 * come from the bundled manifests, and for containers that are not pods from the planner.
 */
export const flagRows: readonly FlagRow[] = [
  // 8080 and the like are open unless these say 0. Deprecated since v1.10 to v1.13, without effect before they went.
  { component: "apiserver", flag: "insecure-port", range: "<1.24.0-0" },
  { component: "controller-manager", flag: "port", range: "<1.24.0-0" },
  { component: "scheduler", flag: "port", range: "<1.23.0-0" },
  // Bound service account tokens: required from v1.20 on.
  { component: "apiserver", flag: "service-account-issuer", range: ">=1.20.0-0" },
  { component: "apiserver", flag: "service-account-signing-key-file", range: ">=1.20.0-0" },
  { component: "apiserver", flag: "enable-admission-plugins", range: ">=1.10.0-0" },
  { component: "apiserver", flag: "enable-bootstrap-token-auth", range: ">=1.8.0-0" },
  // dockershim's, gone with it.
  { component: "kubelet", flag: "container-runtime", range: "<1.24.0-0", value: "docker" },
  { component: "kubelet", flag: "docker-endpoint", range: "<1.24.0-0" },
  { component: "kubelet", flag: "network-plugin", range: "<1.24.0-0" },
  { component: "kubelet", flag: "cni-conf-dir", range: "<1.24.0-0" },
  { component: "kubelet", flag: "cni-bin-dir", range: "<1.24.0-0" },
  { component: "kubelet", flag: "pod-infra-container-image", range: "<1.24.0-0" },
];

/** Where a kube-proxy flag went that its configuration file silences. */
export interface ProxyField {
  /** Dotted path. */
  readonly field: string;
  readonly type: "text" | "number" | "boolean" | "list" | "map";
}

/** Flag of kube-proxy -> field of `kubeproxy.config.k8s.io/v1alpha1`. */
export const proxyFields: Readonly<Record<string, ProxyField>> = {
  "bind-address": { field: "bindAddress", type: "text" },
  "bind-address-hard-fail": { field: "bindAddressHardFail", type: "boolean" },
  "cluster-cidr": { field: "clusterCIDR", type: "text" },
  "config-sync-period": { field: "configSyncPeriod", type: "text" },
  "conntrack-max-per-core": { field: "conntrack.maxPerCore", type: "number" },
  "conntrack-min": { field: "conntrack.min", type: "number" },
  "conntrack-tcp-timeout-close-wait": { field: "conntrack.tcpCloseWaitTimeout", type: "text" },
  "conntrack-tcp-timeout-established": { field: "conntrack.tcpEstablishedTimeout", type: "text" },
  "detect-local-mode": { field: "detectLocalMode", type: "text" },
  "feature-gates": { field: "featureGates", type: "map" },
  "healthz-bind-address": { field: "healthzBindAddress", type: "text" },
  "hostname-override": { field: "hostnameOverride", type: "text" },
  "iptables-masquerade-bit": { field: "iptables.masqueradeBit", type: "number" },
  "iptables-min-sync-period": { field: "iptables.minSyncPeriod", type: "text" },
  "iptables-sync-period": { field: "iptables.syncPeriod", type: "text" },
  "ipvs-exclude-cidrs": { field: "ipvs.excludeCIDRs", type: "list" },
  "ipvs-min-sync-period": { field: "ipvs.minSyncPeriod", type: "text" },
  "ipvs-scheduler": { field: "ipvs.scheduler", type: "text" },
  "ipvs-strict-arp": { field: "ipvs.strictARP", type: "boolean" },
  "ipvs-sync-period": { field: "ipvs.syncPeriod", type: "text" },
  "ipvs-tcp-timeout": { field: "ipvs.tcpTimeout", type: "text" },
  "ipvs-tcpfin-timeout": { field: "ipvs.tcpFinTimeout", type: "text" },
  "ipvs-udp-timeout": { field: "ipvs.udpTimeout", type: "text" },
  "kube-api-burst": { field: "clientConnection.burst", type: "number" },
  "kube-api-content-type": { field: "clientConnection.contentType", type: "text" },
  "kube-api-qps": { field: "clientConnection.qps", type: "number" },
  kubeconfig: { field: "clientConnection.kubeconfig", type: "text" },
  "masquerade-all": { field: "iptables.masqueradeAll", type: "boolean" },
  "metrics-bind-address": { field: "metricsBindAddress", type: "text" },
  "nodeport-addresses": { field: "nodePortAddresses", type: "list" },
  "oom-score-adj": { field: "oomScoreAdj", type: "number" },
  profiling: { field: "enableProfiling", type: "boolean" },
  "proxy-mode": { field: "mode", type: "text" },
  "proxy-port-range": { field: "portRange", type: "text" },
  "show-hidden-metrics-for-version": { field: "showHiddenMetricsForVersion", type: "text" },
  "udp-timeout": { field: "udpIdleTimeout", type: "text" },
};

/** Flags of kube-proxy that a configuration file leaves in force. */
export const proxyFlagsBesideConfig: ReadonlySet<string> = new Set([
  "add-dir-header",
  "alsologtostderr",
  "log-backtrace-at",
  "log-dir",
  "log-file",
  "log-file-max-size",
  "log-flush-frequency",
  "logtostderr",
  "one-output",
  "skip-headers",
  "skip-log-headers",
  "stderrthreshold",
  "v",
  "vmodule",
]);
