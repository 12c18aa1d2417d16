import { registryImage } from "../image/sideImages.js";
import { rbacObjects } from "../kubernetes/rbacObjects.js";
import { valueFor, type VersionFeatures } from "../kubernetes/versions.js";
import type { Row } from "../kubernetes/versionTable.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { Addon, AddonContext } from "./addon.js";
import { clusterTolerations, deployment, serviceAccount } from "./podParts.js";

const name = "kubernetes-dashboard";
const podLabels = { "k8s-app": name } as const;

/** A release of the dashboard. `asks`: whether it asks its users who they are, over TLS. */
interface Release {
  readonly version: string;
  readonly asks: boolean;
}

/** By the tables of compatible versions in its releases. */
const releases: readonly Row<Release | { readonly reason: string }>[] = [
  { range: "<1.4", value: { version: "1.1.1", asks: false } },
  { range: ">=1.4 <1.5", value: { version: "1.4.2", asks: false } },
  { range: ">=1.5 <1.6", value: { version: "1.5.1", asks: false } },
  { range: ">=1.6 <1.8", value: { version: "1.6.3", asks: false } },
  { range: ">=1.8 <1.10", value: { version: "1.8.3", asks: true } },
  { range: ">=1.10 <1.16", value: { version: "1.10.1", asks: true } },
  {
    range: ">=1.16",
    value: { reason: "its last release of one image asks for APIs that went with v1.16; newer ones are installed by Helm" },
  },
];

/** kubernetes-dashboard as docker-multinode brought it, in the release for the version. */
export const dashboard: Addon = {
  name: "dashboard",
  description: "kubernetes-dashboard, a page in the browser: kubectl proxy, then /ui or its Service",
  deployment: name,
  availability: ({ version }) => valueFor(version, releases),
  published,
  image,
  objects(context) {
    const { features } = context;
    const { asks } = releaseFor(features);
    const { reference } = image(context);
    return [
      serviceAccount(name),
      ...(asks ? [certificates] : []),
      ...rbac(features, asks),
      deployment(
        name,
        {
          serviceAccountName: name,
          labels: podLabels,
          tolerations: clusterTolerations,
          container: { ...container(asks), image: reference },
          volumes: asks
            ? [
                { name: "certs", secret: { secretName: certificates.metadata.name } },
                { name: "tmp-volume", emptyDir: {} },
              ]
            : [],
          isCritical: false,
        },
        features,
      ),
      service(asks),
    ];
  },
  danger(features) {
    const release = valueFor(features.version, releases);
    if ("reason" in release || release.asks) return undefined;
    return features.apis.rbac === undefined
      ? "This dashboard asks nobody who he is: every pod of the cluster is administrator by it."
      : "This dashboard asks nobody who he is: every pod of the cluster may read by it what the role view may.";
  },
};

function releaseFor({ version }: VersionFeatures): Release {
  const release = valueFor(version, releases);
  if ("reason" in release) throw new Error(`there is no ${name} for ${version}`);
  return release;
}

function published(features: VersionFeatures): string {
  return `${name}-{arch}:v${releaseFor(features).version}`;
}

function image({ config, features, observed, mirrors }: AddonContext) {
  const { version } = releaseFor(features);
  const { architecture } = observed.engine.version;
  return { reference: registryImage(published(features), config, architecture, mirrors), version };
}

/** It fills it in itself. */
const certificates: KubernetesObject = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: `${name}-certs`, namespace: "kube-system", labels: podLabels },
  type: "Opaque",
};

function rbac({ apis }: VersionFeatures, asks: boolean): KubernetesObject[] {
  if (apis.rbac === undefined) return [];
  const make = rbacObjects(apis.rbac);
  const subjects = [{ kind: "ServiceAccount", name, namespace: "kube-system" }];
  // Everybody who reaches it has its rights.
  if (!asks) return [make.clusterBind("view", name, subjects)];
  const own = `${name}-minimal`;
  const rule = (resources: readonly string[], verbs: readonly string[], resourceNames?: readonly string[]) => ({
    apiGroups: [""],
    resources,
    verbs,
    ...(resourceNames && { resourceNames }),
  });
  return [
    make.role("kube-system", own, [
      rule(["secrets", "configmaps"], ["create"]),
      rule(["secrets"], ["get", "update", "delete"], [`${name}-key-holder`, `${name}-certs`]),
      rule(["configmaps"], ["get", "update"], [`${name}-settings`]),
      rule(["services"], ["proxy"], ["heapster"]),
      rule(["services/proxy"], ["get"], ["heapster", "http:heapster:", "https:heapster:"]),
    ]),
    make.bind({ kind: "Role", name: own }, own, subjects, "kube-system"),
  ];
}

function container(asks: boolean) {
  const port = portOf(asks);
  return {
    name,
    imagePullPolicy: "IfNotPresent",
    ...(asks && { args: ["--auto-generate-certificates"] }),
    ports: [{ containerPort: port, protocol: "TCP" }],
    resources: { limits: { cpu: "100m", memory: "100Mi" }, requests: { cpu: "50m", memory: "50Mi" } },
    livenessProbe: {
      httpGet: { path: "/", port, scheme: asks ? "HTTPS" : "HTTP" },
      initialDelaySeconds: 30,
      timeoutSeconds: 30,
    },
    ...(asks && {
      volumeMounts: [
        { name: "certs", mountPath: "/certs" },
        { name: "tmp-volume", mountPath: "/tmp" },
      ],
    }),
  };
}

function service(asks: boolean): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "kube-system", labels: podLabels },
    spec: { selector: podLabels, ports: [{ port: asks ? 443 : 80, protocol: "TCP", targetPort: portOf(asks) }] },
  };
}

function portOf(asks: boolean): number {
  return asks ? 8443 : 9090;
}
