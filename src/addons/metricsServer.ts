import { satisfies } from "semver";
import { registryImage } from "../image/sideImages.js";
import { rbacObjects } from "../kubernetes/rbacObjects.js";
import { valueFor, type VersionFeatures } from "../kubernetes/versions.js";
import type { Row } from "../kubernetes/versionTable.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { Addon, AddonContext, Availability } from "./addon.js";
import { clusterTolerations, deployment, serviceAccount, type SecurityContext } from "./podParts.js";

const name = "metrics-server";
const podLabels = { "k8s-app": name } as const;

/** By its own table of compatible versions (README.md of kubernetes-sigs/metrics-server). */
const releases: readonly Row<Availability>[] = [
  { range: "<1.8", value: { reason: "it needs an API that Kubernetes has from v1.8 on" } },
  { range: ">=1.8 <1.19", value: { version: "0.3.7" } },
  { range: ">=1.19 <1.27", value: { version: "0.6.4" } },
  { range: ">=1.27 <1.31", value: { version: "0.7.2" } },
  { range: ">=1.31", value: { version: "0.8.0" } },
];

/** What differs between its releases. */
const since = {
  /** /livez and /readyz, `nodes/metrics` in place of the kubelet's summary. */
  resourceMetrics: ">=0.6.0",
  portOfKubelet: ">=0.7.0",
} as const;

/** metrics-server as its releases' components.yaml has it. */
export const metricsServer: Addon = {
  name,
  description: "CPU and memory of nodes and pods: kubectl top, HorizontalPodAutoscaler",
  deployment: name,
  availability: ({ version }) => valueFor(version, releases),
  published,
  image,
  objects(context) {
    const { features } = context;
    const { reference, version } = image(context);
    return [
      serviceAccount(name),
      ...rbac(features, version),
      service(),
      deployment(
        name,
        {
          serviceAccountName: name,
          labels: podLabels,
          tolerations: clusterTolerations,
          container: { ...container(version), image: reference },
          volumes: [{ name: "tmp-dir", emptyDir: {} }],
          isCritical: true,
        },
        features,
        { maxUnavailable: 0 },
      ),
      ...apiService(features),
    ];
  },
};

function releaseFor({ version }: VersionFeatures): string {
  const release = valueFor(version, releases);
  if ("reason" in release) throw new Error(`there is no ${name} for ${version}`);
  return release.version;
}

function published(features: VersionFeatures): string {
  return `metrics-server/${name}:v${releaseFor(features)}`;
}

function image({ config, features, observed, mirrors }: AddonContext) {
  const { architecture } = observed.engine.version;
  const reference = registryImage(published(features), config, architecture, mirrors);
  return { reference, version: releaseFor(features) };
}

function rbac({ apis }: VersionFeatures, version: string): KubernetesObject[] {
  if (apis.rbac === undefined) return [];
  const make = rbacObjects(apis.rbac);
  const subjects = [{ kind: "ServiceAccount", name, namespace: "kube-system" }];
  const read = ["get", "list", "watch"];
  const reader = make.clusterRole("system:aggregated-metrics-reader", [
    { apiGroups: ["metrics.k8s.io"], resources: ["pods", "nodes"], verbs: read },
  ]);
  const aggregates = ["admin", "edit", "view"].map((role) => [`rbac.authorization.k8s.io/aggregate-to-${role}`, "true"]);
  const rules = satisfies(version, since.resourceMetrics)
    ? [
        { apiGroups: [""], resources: ["nodes/metrics"], verbs: ["get"] },
        { apiGroups: [""], resources: ["pods", "nodes"], verbs: read },
      ]
    : [{ apiGroups: [""], resources: ["pods", "nodes", "nodes/stats", "namespaces", "configmaps"], verbs: read }];
  return [
    { ...reader, metadata: { ...reader.metadata, labels: Object.fromEntries(aggregates) as Record<string, string> } },
    make.clusterRole("system:metrics-server", rules),
    make.bind(
      { kind: "Role", name: "extension-apiserver-authentication-reader" },
      "metrics-server-auth-reader",
      subjects,
      "kube-system",
    ),
    make.clusterBind("system:auth-delegator", "metrics-server:system:auth-delegator", subjects),
    make.clusterBind("system:metrics-server", "system:metrics-server", subjects),
  ];
}

function service(): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "kube-system", labels: podLabels },
    spec: { selector: podLabels, ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: "https" }] },
  };
}

function container(version: string) {
  const isNew = satisfies(version, since.resourceMetrics);
  const port = satisfies(version, since.portOfKubelet) ? 10250 : 4443;
  const probe = (path: string) => ({ httpGet: { path, port: "https", scheme: "HTTPS" } });
  const securityContext: SecurityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    runAsNonRoot: true,
    runAsUser: 1000,
    ...(isNew && { capabilities: { drop: ["ALL"] }, seccompProfile: { type: "RuntimeDefault" } }),
  };
  return {
    name,
    imagePullPolicy: "IfNotPresent",
    args: [
      "--cert-dir=/tmp",
      `--secure-port=${port}`,
      "--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname",
      // A kubelet's serving certificate is its own making.
      "--kubelet-insecure-tls",
      ...(isNew ? ["--kubelet-use-node-status-port", "--metric-resolution=15s"] : []),
    ],
    resources: { requests: { cpu: "100m", memory: "200Mi" } },
    ports: [{ name: "https", containerPort: port, protocol: "TCP" }],
    ...(isNew && {
      livenessProbe: { ...probe("/livez"), periodSeconds: 10, failureThreshold: 3 },
      readinessProbe: { ...probe("/readyz"), initialDelaySeconds: 20, periodSeconds: 10, failureThreshold: 3 },
    }),
    securityContext,
    volumeMounts: [{ name: "tmp-dir", mountPath: "/tmp" }],
  };
}

function apiService({ apis }: VersionFeatures): KubernetesObject[] {
  if (apis.apiService === undefined) return [];
  return [
    {
      apiVersion: apis.apiService,
      kind: "APIService",
      metadata: { name: "v1beta1.metrics.k8s.io" },
      spec: {
        group: "metrics.k8s.io",
        version: "v1beta1",
        service: { name, namespace: "kube-system" },
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
      },
    },
  ];
}
