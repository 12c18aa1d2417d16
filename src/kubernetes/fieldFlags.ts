/** How the text of a flag is the value of a field. */
export type FieldType =
  | "text"
  | "number"
  | "boolean"
  /** `a,b` */
  | "list"
  /** `Name=true,Other=false` */
  | "switches"
  /** `memory.available<100Mi`; a threshold of 0% is none. */
  | "thresholds"
  /** `key=value:Effect` */
  | "taints";

/** The field that says the same as a flag. */
export interface Field {
  /** Dotted path. */
  readonly field: string;
  readonly type: FieldType;
}

/** Flag without dashes -> field. A field of two flags became another one at some time: `flagTable` has their ranges. */
export type FieldFlags = Readonly<Record<string, Field>>;

/** Fields of `kubelet.config.k8s.io/v1beta1` that we set, for versions in which they are flags. */
export const kubeletFieldFlags: FieldFlags = {
  "anonymous-auth": { field: "authentication.anonymous.enabled", type: "boolean" },
  "authentication-token-webhook": { field: "authentication.webhook.enabled", type: "boolean" },
  "authorization-mode": { field: "authorization.mode", type: "text" },
  "cgroup-driver": { field: "cgroupDriver", type: "text" },
  "client-ca-file": { field: "authentication.x509.clientCAFile", type: "text" },
  "cluster-dns": { field: "clusterDNS", type: "list" },
  "cluster-domain": { field: "clusterDomain", type: "text" },
  config: { field: "staticPodPath", type: "text" },
  "container-runtime-endpoint": { field: "containerRuntimeEndpoint", type: "text" },
  "eviction-hard": { field: "evictionHard", type: "thresholds" },
  "fail-cgroupv1": { field: "failCgroupV1", type: "boolean" },
  "fail-swap-on": { field: "failSwapOn", type: "boolean" },
  "healthz-bind-address": { field: "healthzBindAddress", type: "text" },
  "healthz-port": { field: "healthzPort", type: "number" },
  "image-gc-high-threshold": { field: "imageGCHighThresholdPercent", type: "number" },
  "node-status-update-frequency": { field: "nodeStatusUpdateFrequency", type: "text" },
  "pod-manifest-path": { field: "staticPodPath", type: "text" },
  "read-only-port": { field: "readOnlyPort", type: "number" },
  "register-with-taints": { field: "registerWithTaints", type: "taints" },
  "resolv-conf": { field: "resolvConf", type: "text" },
  "rotate-certificates": { field: "rotateCertificates", type: "boolean" },
  "tls-min-version": { field: "tlsMinVersion", type: "text" },
  "volume-plugin-dir": { field: "volumePluginDir", type: "text" },
};

/** Fields of `kubeproxy.config.k8s.io/v1alpha1`. */
export const proxyFieldFlags: FieldFlags = {
  "bind-address": { field: "bindAddress", type: "text" },
  "bind-address-hard-fail": { field: "bindAddressHardFail", type: "boolean" },
  "cluster-cidr": { field: "clusterCIDR", type: "text" },
  "config-sync-period": { field: "configSyncPeriod", type: "text" },
  "conntrack-max": { field: "conntrack.max", type: "number" },
  "conntrack-max-per-core": { field: "conntrack.maxPerCore", type: "number" },
  "conntrack-min": { field: "conntrack.min", type: "number" },
  "conntrack-tcp-be-liberal": { field: "conntrack.tcpBeLiberal", type: "boolean" },
  "conntrack-tcp-timeout-close-wait": { field: "conntrack.tcpCloseWaitTimeout", type: "text" },
  "conntrack-tcp-timeout-established": { field: "conntrack.tcpEstablishedTimeout", type: "text" },
  "conntrack-udp-timeout": { field: "conntrack.udpTimeout", type: "text" },
  "conntrack-udp-timeout-stream": { field: "conntrack.udpStreamTimeout", type: "text" },
  "detect-local-mode": { field: "detectLocalMode", type: "text" },
  "feature-gates": { field: "featureGates", type: "switches" },
  "healthz-bind-address": { field: "healthzBindAddress", type: "text" },
  "hostname-override": { field: "hostnameOverride", type: "text" },
  "iptables-localhost-nodeports": { field: "iptables.localhostNodePorts", type: "boolean" },
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
  "pod-bridge-interface": { field: "detectLocal.bridgeInterface", type: "text" },
  "pod-interface-name-prefix": { field: "detectLocal.interfaceNamePrefix", type: "text" },
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
  "config",
  "log-backtrace-at",
  "log-dir",
  "log-file",
  "log-file-max-size",
  "log-flush-frequency",
  "log-json-info-buffer-size",
  "log-json-split-stream",
  "log-text-info-buffer-size",
  "log-text-split-stream",
  "logging-format",
  "logtostderr",
  "one-output",
  "skip-headers",
  "skip-log-headers",
  "stderrthreshold",
  "v",
  "vmodule",
]);

/** Fields of `kubescheduler.config.k8s.io` whose flags the file silences; all other flags of the scheduler stay. */
export const schedulerFieldFlags: FieldFlags = {
  "contention-profiling": { field: "enableContentionProfiling", type: "boolean" },
  "kube-api-burst": { field: "clientConnection.burst", type: "number" },
  "kube-api-content-type": { field: "clientConnection.contentType", type: "text" },
  "kube-api-qps": { field: "clientConnection.qps", type: "number" },
  kubeconfig: { field: "clientConnection.kubeconfig", type: "text" },
  "lock-object-name": { field: "leaderElection.resourceName", type: "text" },
  "lock-object-namespace": { field: "leaderElection.resourceNamespace", type: "text" },
  profiling: { field: "enableProfiling", type: "boolean" },
};

/** Flags of the scheduler that its file silences without having a field for them. */
export const schedulerSilencedFlags: ReadonlySet<string> = new Set(["pod-max-in-unschedulable-pods-duration"]);
