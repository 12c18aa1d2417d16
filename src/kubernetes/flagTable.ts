import type { Program } from "./versionTable.js";

/** Where a flag is said, and with which value. */
export interface FlagRange {
  readonly range: string;
  /**
   * Default: what the manifest or the planner says. With one the flag is said even if nobody else says it. May have
   * placeholders, such as `{{authorizationMode}}`.
   */
  readonly value?: string;
  /** Only with `--insecure-api`, or only without it. */
  readonly insecureApi?: boolean;
}

/** Who takes flags. */
export type FlagComponent = Program | "etcd";

/** Component -> flag without dashes -> where it is said. */
export type FlagTable = Readonly<Record<FlagComponent, Readonly<Record<string, readonly FlagRange[]>>>>;

const knownTokens = "/srv/kubernetes/known_tokens.csv";
const basicAuth = "/srv/kubernetes/basic_auth.csv";
const abacPolicy = "/srv/kubernetes/abac-policy.jsonl";

/** Without kubeconfigs: `--insecure-api` of the versions that have nothing better there, as docker-multinode did it. */
const byInsecurePort = { range: "<1.6", insecureApi: true } as const;
const byKubeconfig = [{ range: "<1.6", insecureApi: false }, { range: ">=1.6" }] as const;

/** IPv6DualStack: on by itself from v1.21 on, and gone with v1.25. */
const dualStackGate = [{ range: ">=1.20 <1.21" }] as const;

/**
 * The history of Kubernetes' flags, as far as they are ours. A flag that is listed is said in its ranges alone; one
 * that is not listed is in all versions, and said as the bundled manifests and the planner say it.
 */
export const flagTable: FlagTable = {
  apiserver: {
    // Until v1.9 the one list of all plugins, in their order: v1.4 brought DefaultStorageClass, v1.6
    // DefaultTolerationSeconds, v1.7 NodeRestriction, v1.9 the webhooks.
    "admission-control": [
      { range: "<1.4", value: "NamespaceLifecycle,LimitRanger,ServiceAccount,ResourceQuota" },
      { range: ">=1.4 <1.6", value: "NamespaceLifecycle,LimitRanger,ServiceAccount,DefaultStorageClass,ResourceQuota" },
      {
        range: ">=1.6 <1.7",
        value:
          "NamespaceLifecycle,LimitRanger,ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds,ResourceQuota",
      },
      {
        range: ">=1.7 <1.9",
        value:
          "NamespaceLifecycle,LimitRanger,ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds," +
          "NodeRestriction,ResourceQuota",
      },
      {
        range: ">=1.9 <1.10",
        value:
          "NamespaceLifecycle,LimitRanger,ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds," +
          "NodeRestriction,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,ResourceQuota",
      },
    ],
    // From v1.10 on all but a few are there by themselves.
    "enable-admission-plugins": [{ range: ">=1.10" }],
    // v1.5 let in anonymous people as system:anonymous, which ABAC's user "*" means, too. With RBAC they have to be let
    // in: who joins reads cluster-info.
    "anonymous-auth": [{ range: ">=1.5 <1.6", value: "false" }],
    "authorization-mode": [{ range: "<1.6", value: "AlwaysAllow", insecureApi: true }, { range: "*" }],
    "authorization-policy-file": [{ range: "<1.6", value: abacPolicy, insecureApi: false }],
    // How nodes and people proved who they are before certificates could be had; gone with v1.19 (passwords).
    "token-auth-file": [{ range: "<1.6", value: knownTokens }],
    "basic-auth-file": [{ range: "<1.6", value: basicAuth, insecureApi: true }],
    // Tokens that make a kubelet's first certificate: alpha in v1.6, beta with v1.8.
    "experimental-bootstrap-token-auth": [{ range: ">=1.6 <1.8", value: "true" }],
    "enable-bootstrap-token-auth": [{ range: ">=1.8" }],
    "feature-gates": dualStackGate,
    // v1.3 and v1.4 cannot close 8080, and until v1.5 nothing else answers probes; since v1.20 it is not there. In
    // between it is open unless this says 0.
    "insecure-port": [
      { range: ">=1.6 <1.20", value: "0", insecureApi: false },
      { range: ">=1.6 <1.20", value: "8080", insecureApi: true },
    ],
    "insecure-bind-address": [
      { range: "<1.6", value: "127.0.0.1", insecureApi: false },
      { range: "<1.20", value: "0.0.0.0", insecureApi: true },
    ],
    // Before v1.5 a node's address is taken as it is.
    "kubelet-preferred-address-types": [{ range: ">=1.5" }],
    // docker-multinode's: watches end after five to ten minutes instead of an hour.
    "min-request-timeout": [{ range: "<1.6", value: "300" }],
    // API servers behind this one: their requests' users since v1.6, who asks them since v1.7.
    "requestheader-allowed-names": [{ range: ">=1.6" }],
    "requestheader-client-ca-file": [{ range: ">=1.6" }],
    "requestheader-extra-headers-prefix": [{ range: ">=1.6" }],
    "requestheader-group-headers": [{ range: ">=1.6" }],
    "requestheader-username-headers": [{ range: ">=1.6" }],
    "proxy-client-cert-file": [{ range: ">=1.7" }],
    "proxy-client-key-file": [{ range: ">=1.7" }],
    // Bound service account tokens: required since v1.20.
    "service-account-issuer": [{ range: ">=1.20" }],
    "service-account-signing-key-file": [{ range: ">=1.20" }],
    // A deleted service account's token is good no more; by itself since v1.7.
    "service-account-lookup": [{ range: "<1.7", value: "true", insecureApi: false }],
    "tls-min-version": [{ range: ">=1.10" }],
  },

  "controller-manager": {
    // Port 10252, without TLS, gone with v1.24. 10257 came with v1.12; since v1.14 kubeadm lets it authenticate.
    address: [{ range: "<1.14", value: "127.0.0.1" }],
    port: [{ range: ">=1.14 <1.24" }],
    "authentication-kubeconfig": [{ range: ">=1.14" }],
    "authorization-kubeconfig": [{ range: ">=1.14" }],
    "bind-address": [{ range: ">=1.12" }],
    "client-ca-file": [{ range: ">=1.14" }],
    "requestheader-client-ca-file": [{ range: ">=1.14" }],
    // Of a second process, which has no port.
    "secure-port": [{ range: ">=1.12" }],
    // v1.4 could sign certificates, but no kubelet of ours asks before v1.6. There a flag names who is given them
    // without anybody's looking; from v1.7 on it is a matter of roles.
    "cluster-signing-cert-file": [{ range: ">=1.6" }],
    "cluster-signing-key-file": [{ range: ">=1.6" }],
    "insecure-experimental-approve-all-kubelet-csrs-for-group": [
      { range: ">=1.6 <1.7", value: "system:bootstrappers" },
    ],
    controllers: [{ range: ">=1.6" }],
    "feature-gates": dualStackGate,
    // v1.5 has it, but ABAC knows none of those service accounts.
    "use-service-account-credentials": [{ range: ">=1.6" }],
    kubeconfig: byKubeconfig,
    master: [{ ...byInsecurePort, value: "127.0.0.1:8080" }],
    // docker-multinode's, by four more often than by itself.
    "min-resync-period": [{ range: "<1.6", value: "3m" }],
  },

  scheduler: {
    // As the controller-manager's, with 10251 and 10259, which came a release later; since v1.23 `--port` says nothing.
    address: [{ range: "<1.14", value: "127.0.0.1" }],
    port: [{ range: ">=1.14 <1.23" }],
    "authentication-kubeconfig": [{ range: ">=1.14" }],
    "authorization-kubeconfig": [{ range: ">=1.14" }],
    "bind-address": [{ range: ">=1.13" }],
    // Deprecated for a file, whose API has been stable since v1.25.
    config: [{ range: ">=1.24" }],
    kubeconfig: [
      { range: "<1.6", insecureApi: false },
      { range: ">=1.6 <1.24" },
    ],
    master: [{ ...byInsecurePort, value: "127.0.0.1:8080" }],
  },

  kubelet: {
    // Where the API is. v1.4 wanted to know whether the kubeconfig alone may say it, v1.6 needs the flag; since
    // v1.8 it may.
    "api-servers": [{ range: "<1.6", value: "{{apiserver}}" }],
    kubeconfig: byKubeconfig,
    "require-kubeconfig": [{ range: ">=1.6 <1.8", value: "true" }],
    "experimental-bootstrap-kubeconfig": [{ range: ">=1.6 <1.7" }],
    // dockershim's first version still had what was before it. Said for daemons that dockershim does not understand.
    "enable-cri": [{ range: ">=1.6 <1.7" }],
    "bootstrap-kubeconfig": [{ range: ">=1.7" }],
    // In /var/run until v1.8: a restart of the host would cost a node its certificate.
    "cert-dir": [{ range: "<1.9", value: "/var/lib/kubelet/pki" }],
    "rotate-certificates": [{ range: ">=1.8 <1.11" }],
    // Its configuration file, once; the manifest folder before.
    config: [{ range: "<1.4" }, { range: ">=1.10" }],
    "pod-manifest-path": [{ range: ">=1.4 <1.10" }],
    // v1.5 is notified of new manifests; before, kubelets look every 20 s.
    "file-check-frequency": [{ range: "<1.5", value: "1s" }],
    // Said by nobody else since v1.11, when privileged pods were the API server's matter alone.
    "allow-privileged": [{ range: "<1.15", value: "true" }],
    // cAdvisor's own server, 4194 on all addresses, without authentication.
    "cadvisor-port": [{ range: "<1.12", value: "0" }],

    // dockershim's, gone with it.
    "container-runtime": [{ range: "<1.24", value: "docker" }],
    "docker-endpoint": [{ range: "<1.24" }],
    "pod-infra-container-image": [{ range: "<1.24" }],
    "network-plugin": [{ range: "<1.24", value: "cni" }],
    "network-plugin-dir": [{ range: "<1.4", value: "/etc/cni/net.d" }],
    "cni-conf-dir": [{ range: ">=1.4 <1.24" }],
    "cni-bin-dir": [{ range: ">=1.4 <1.24" }],
    // Where cri-dockerd is. Other runtimes have been Kubernetes' default since v1.24, a field names theirs since v1.27.
    "container-runtime-endpoint": [{ range: ">=1.24 <1.27" }],

    // What the configuration file has taken over, with v1.10 or later.
    "read-only-port": [{ range: "<1.10" }],
    "healthz-bind-address": [{ range: "<1.10" }],
    "healthz-port": [{ range: "<1.10" }],
    "cluster-dns": [{ range: "<1.10" }],
    "cluster-domain": [{ range: "<1.10" }],
    "resolv-conf": [{ range: "<1.10" }],
    "image-gc-high-threshold": [{ range: "<1.10" }],
    "eviction-hard": [{ range: "<1.10" }],
    "node-status-update-frequency": [{ range: "<1.10" }],
    "cgroup-driver": [{ range: ">=1.5 <1.10" }],
    // v1.5 and before run with swap, v1.8 and later refuse to.
    "fail-swap-on": [{ range: ">=1.8 <1.10" }],
    // v1.5 brought authentication. Webhooks ask the API server, where ABAC would have to let every node: v1.5's
    // kubelets serve whom the CA has given a certificate, which is the master alone.
    "anonymous-auth": [{ range: ">=1.5 <1.10" }],
    "client-ca-file": [{ range: ">=1.5 <1.10" }],
    "authentication-token-webhook": [{ range: ">=1.5 <1.6", value: "false" }, { range: ">=1.6 <1.10" }],
    "authorization-mode": [{ range: ">=1.5 <1.6", value: "AlwaysAllow" }, { range: ">=1.6 <1.10" }],
    "volume-plugin-dir": [{ range: "<1.19" }],
    "register-with-taints": [{ range: ">=1.6 <1.23" }],
    // Fields that never were flags as far as we say them there.
    "tls-min-version": [],
    "fail-cgroupv1": [],
  },

  proxy: {
    config: [{ range: ">=1.10" }],
    // All but logging is in that file.
    "bind-address": [{ range: "<1.10" }],
    "cluster-cidr": [{ range: "<1.10" }],
    "hostname-override": [{ range: "<1.10" }],
    "proxy-mode": [{ range: "<1.10" }],
    kubeconfig: [
      { range: "<1.6", insecureApi: false },
      { range: ">=1.6 <1.10" },
    ],
    master: [{ ...byInsecurePort, value: "{{apiserver}}" }],
    // As flags these take an address alone. Until v1.6 /healthz was beside the metrics, on 10249.
    "healthz-bind-address": [{ range: "<1.10", value: "127.0.0.1" }],
    "healthz-port": [{ range: "<1.7", value: "10256" }],
    // v1.8 and v1.9 then want a port that the flag cannot say; on loopback they are by themselves.
    "metrics-bind-address": [],
    // Limits by core came with v1.3.3, the lower bound with v1.4.1.
    "conntrack-max": [{ range: "<1.3.3" }],
    "conntrack-max-per-core": [{ range: ">=1.3.3 <1.10" }],
    "conntrack-min": [{ range: ">=1.4.1 <1.10" }],
    // By itself it moves to a cgroup of its own until v1.15, which a file cannot keep it from.
    "resource-container": [{ range: "<1.10", value: "" }],
  },

  etcd: {
    // Off since etcd 3.4, gone with 3.6.
    "enable-v2": [{ range: "<1.6", value: "true" }],
  },
};

/** Where a field of a configuration file is, and with which value. */
export interface FieldRange {
  readonly range: string;
  /** Default: what the document says. With one the field is said even if it does not. */
  readonly value?: string | boolean;
}

/** Document -> dotted path of a field -> where the file has it. */
export type FieldTable = Readonly<Record<"kubelet" | "proxy", Readonly<Record<string, readonly FieldRange[]>>>>;

/** Fields of the kubelet's and kube-proxy's configuration file that not every version of such a file has. */
export const fieldTable: FieldTable = {
  kubelet: {
    rotateCertificates: [{ range: ">=1.11" }],
    // v1.13 has it, but without leases, which came with v1.14, its time is that between two looks at the node.
    nodeStatusReportFrequency: [{ range: ">=1.14" }],
    nodeStatusUpdateFrequency: [{ range: "<1.14", value: "4s" }, { range: ">=1.14" }],
    volumePluginDir: [{ range: ">=1.19" }],
    registerWithTaints: [{ range: ">=1.23" }],
    containerRuntimeEndpoint: [{ range: ">=1.27" }],
    // Before, cgroup v1 was never refused.
    failCgroupV1: [{ range: ">=1.31" }],
    "featureGates.IPv6DualStack": dualStackGate,
    // cri-dockerd's URLs for exec, attach and port-forward have no scheme, which the kubelet then does not add. Without
    // the gate the API server speaks to it as it always has.
    "featureGates.ExtendWebSocketsToKubelet": [{ range: ">=1.36", value: false }],
  },
  proxy: {
    "featureGates.IPv6DualStack": dualStackGate,
    "ipvs.excludeCIDRs": [{ range: ">=1.12" }],
    "ipvs.strictARP": [{ range: ">=1.15" }],
    "ipvs.tcpFinTimeout": [{ range: ">=1.18" }],
    "ipvs.tcpTimeout": [{ range: ">=1.18" }],
    "ipvs.udpTimeout": [{ range: ">=1.18" }],
    detectLocalMode: [{ range: ">=1.18" }],
    showHiddenMetricsForVersion: [{ range: ">=1.18" }],
    bindAddressHardFail: [{ range: ">=1.19" }],
    "detectLocal.bridgeInterface": [{ range: ">=1.24" }],
    "detectLocal.interfaceNamePrefix": [{ range: ">=1.24" }],
    "iptables.localhostNodePorts": [{ range: ">=1.26" }],
    // The userspace proxy's, which went with it.
    udpIdleTimeout: [{ range: "<1.26" }],
    "conntrack.max": [{ range: "<1.15" }],
    "conntrack.tcpBeLiberal": [{ range: ">=1.29" }],
    "conntrack.udpStreamTimeout": [{ range: ">=1.29" }],
    "conntrack.udpTimeout": [{ range: ">=1.29" }],
  },
};
