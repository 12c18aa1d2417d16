import { satisfies } from "semver";
import { ownCoredns, tagOf } from "../image/corednsVersion.js";
import { registryImage } from "../image/sideImages.js";
import { rbacObjects } from "../kubernetes/rbacObjects.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { labels } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import { specDigest } from "../model/specDigest.js";
import type { Addon, AddonContext, AddonImage } from "./addon.js";
import { clusterTolerations, deployment, serviceAccount } from "./podParts.js";

/** On CoreDNS's pods and its Service: the name that cluster DNS has had since before CoreDNS. */
export const dnsLabels = { "k8s-app": "kube-dns" } as const;

const name = "coredns";
const corefileName = "Corefile";

/** Options of plugins by the release of CoreDNS that has them; an older one refuses the whole Corefile. */
const since = {
  /** Before, `proxy`, which went with 1.5. */
  forward: ">=1.3.1",
  loop: ">=1.2.1",
  ttl: ">=1.3.1",
  /** Before it, names of other domains that a Service stands for were not looked up without `upstream`. */
  noUpstream: ">=1.5.0",
  ready: ">=1.5.0",
  lameduck: ">=1.6.5",
  maxConcurrent: ">=1.7.0",
  disableCache: ">=1.11.3",
  /** They read EndpointSlices where the API server has them (coredns/coredns#4209). */
  endpointSlices: ">=1.8.1",
} as const;

/** CoreDNS as kubeadm sets it up (cmd/kubeadm/app/phases/addons/dns). */
export const coredns: Addon = {
  name,
  description: "DNS of the cluster: names of Services and pods",
  deployment: name,
  availability: ({ images }) => ({ version: tagOf(images.coredns) }),
  published: ({ images }) => images.coredns,
  image,
  objects(context) {
    const { config, features } = context;
    const { reference, version, command } = image(context);
    const key = features.upperCaseKeys ? corefileName : corefileName.toLowerCase();
    return [
      serviceAccount(name),
      ...rbac(features, version),
      corefileMap(config, key, version),
      deployment(
        name,
        {
          serviceAccountName: name,
          labels: dnsLabels,
          tolerations: clusterTolerations,
          affinity: apart,
          container: { ...container(version), image: reference, ...(command && { command }) },
          volumes: [{ name: "config-volume", configMap: { name, items: [{ key, path: corefileName }] } }],
          isCritical: true,
          // The node's own servers: its own Service it cannot ask.
          dnsPolicy: "Default",
        },
        features,
        { annotations: { [labels.replicas]: "1-2" } },
      ),
      service(config),
    ];
  },
};

function image({ config, features, observed, mirrors }: AddonContext): AddonImage {
  const own = ownCoredns(features, observed);
  if (own) return { reference: config.image, version: own.version, command: [own.program] };
  const { coredns: tagged } = features.images;
  const { architecture } = observed.engine.version;
  return { reference: registryImage(tagged, config, architecture, mirrors), version: tagOf(tagged) };
}

function rbac({ apis }: VersionFeatures, version: string): KubernetesObject[] {
  // Before, accounts of kube-system may do all.
  if (apis.rbac === undefined) return [];
  const make = rbacObjects(apis.rbac);
  const role = "system:coredns";
  const verbs = ["list", "watch"];
  return [
    make.clusterRole(role, [
      { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs },
      ...(satisfies(version, since.endpointSlices)
        ? [{ apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs }]
        : []),
    ]),
    make.clusterBind(role, role, [{ kind: "ServiceAccount", name, namespace: "kube-system" }]),
  ];
}

/** A person may edit it: the annotation tells. */
function corefileMap({ clusterDomain }: ClusterConfig, key: string, version: string): KubernetesObject {
  const data = { [key]: corefile(clusterDomain, version) };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "kube-system", annotations: { [labels.spec]: specDigest(data) } },
    data,
  };
}

function corefile(domain: string, version: string): string {
  const has = (feature: keyof typeof since): boolean => satisfies(version, since[feature]);
  const block = (head: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [head] : [`${head} {`, ...lines.map((line) => `   ${line}`), "}"];
  const plugins = [
    "errors",
    ...block("health", has("lameduck") ? ["lameduck 5s"] : []),
    ...(has("ready") ? ["ready"] : []),
    ...block(`kubernetes ${domain} in-addr.arpa ip6.arpa`, [
      "pods insecure",
      ...(has("noUpstream") ? [] : ["upstream"]),
      "fallthrough in-addr.arpa ip6.arpa",
      ...(has("ttl") ? ["ttl 30"] : []),
    ]),
    "prometheus :9153",
    ...block(
      `${has("forward") ? "forward" : "proxy"} . /etc/resolv.conf`,
      has("maxConcurrent") ? ["max_concurrent 1000"] : [],
    ),
    ...block("cache 30", has("disableCache") ? [`disable success ${domain}`, `disable denial ${domain}`] : []),
    ...(has("loop") ? ["loop"] : []),
    "reload",
    "loadbalance",
  ];
  return `${block(".:53", plugins).join("\n")}\n`;
}

/** Rather on two nodes. */
const apart = {
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          labelSelector: { matchExpressions: [{ key: "k8s-app", operator: "In", values: [dnsLabels["k8s-app"]] }] },
          topologyKey: "kubernetes.io/hostname",
        },
      },
    ],
  },
};

function container(version: string) {
  const probe = (path: string, port: number) => ({ httpGet: { path, port, scheme: "HTTP" } });
  const isReadyKnown = satisfies(version, since.ready);
  return {
    name,
    imagePullPolicy: "IfNotPresent",
    args: ["-conf", `/etc/coredns/${corefileName}`],
    resources: { limits: { memory: "170Mi" }, requests: { cpu: "100m", memory: "70Mi" } },
    ports: [
      { name: "dns", containerPort: 53, protocol: "UDP" },
      { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
      { name: "metrics", containerPort: 9153, protocol: "TCP" },
    ],
    livenessProbe: { ...probe("/health", 8080), initialDelaySeconds: 60, timeoutSeconds: 5, failureThreshold: 5 },
    // As long as kubeadm's, but asked each second: a new cluster would wait ten for the second look.
    readinessProbe: {
      ...probe(isReadyKnown ? "/ready" : "/health", isReadyKnown ? 8181 : 8080),
      periodSeconds: 1,
      failureThreshold: 30,
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_BIND_SERVICE"], drop: ["ALL"] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [{ name: "config-volume", mountPath: "/etc/coredns", readOnly: true }],
  } as const;
}

function service({ clusterDns }: ClusterConfig): KubernetesObject {
  const port = (portName: string, number: number, protocol: "UDP" | "TCP") => ({
    name: portName,
    port: number,
    protocol,
    targetPort: number,
  });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: { ...dnsLabels, "kubernetes.io/name": "CoreDNS" },
      annotations: { "prometheus.io/port": "9153", "prometheus.io/scrape": "true" },
    },
    spec: {
      selector: dnsLabels,
      clusterIP: clusterDns,
      ports: [port("dns", 53, "UDP"), port("dns-tcp", 53, "TCP"), port("metrics", 9153, "TCP")],
    },
  };
}
