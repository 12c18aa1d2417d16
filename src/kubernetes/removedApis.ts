import { minor } from "semver";

/** A version of an API that a release of Kubernetes has no more. */
export interface RemovedApi {
  /** Such as `extensions/v1beta1`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** As in a path: `ingresses`. */
  readonly resource: string;
  /** The first minor version without it, such as `1.22`. */
  readonly removedIn: string;
  /** Undefined: there is nothing in its place. */
  readonly replacement?: {
    readonly apiVersion: string;
    /** The first minor version that has it. */
    readonly since: string;
  };
}

/** `apiVersions` of these kinds, by the first version without them, and what takes their place since when. */
type Row = readonly [removedIn: string, apiVersions: string, kinds: string, replacement?: string, since?: string];

/** As https://kubernetes.io/docs/reference/using-api/deprecation-guide/ lists them. */
const rows: readonly Row[] = [
  ["1.16", "extensions/v1beta1", "NetworkPolicy", "networking.k8s.io/v1", "1.8"],
  ["1.16", "extensions/v1beta1", "PodSecurityPolicy", "policy/v1beta1", "1.10"],
  ["1.16", "extensions/v1beta1 apps/v1beta2", "DaemonSet ReplicaSet", "apps/v1", "1.9"],
  ["1.16", "extensions/v1beta1 apps/v1beta1 apps/v1beta2", "Deployment", "apps/v1", "1.9"],
  ["1.16", "apps/v1beta1 apps/v1beta2", "StatefulSet", "apps/v1", "1.9"],
  [
    "1.22",
    "admissionregistration.k8s.io/v1beta1",
    "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
    "admissionregistration.k8s.io/v1",
    "1.16",
  ],
  ["1.22", "apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", "apiextensions.k8s.io/v1", "1.16"],
  ["1.22", "apiregistration.k8s.io/v1beta1", "APIService", "apiregistration.k8s.io/v1", "1.10"],
  ["1.22", "authentication.k8s.io/v1beta1", "TokenReview", "authentication.k8s.io/v1", "1.6"],
  [
    "1.22",
    "authorization.k8s.io/v1beta1",
    "LocalSubjectAccessReview SelfSubjectAccessReview SubjectAccessReview",
    "authorization.k8s.io/v1",
    "1.6",
  ],
  ["1.22", "certificates.k8s.io/v1beta1", "CertificateSigningRequest", "certificates.k8s.io/v1", "1.19"],
  ["1.22", "coordination.k8s.io/v1beta1", "Lease", "coordination.k8s.io/v1", "1.14"],
  ["1.22", "extensions/v1beta1 networking.k8s.io/v1beta1", "Ingress", "networking.k8s.io/v1", "1.19"],
  ["1.22", "networking.k8s.io/v1beta1", "IngressClass", "networking.k8s.io/v1", "1.19"],
  [
    "1.22",
    "rbac.authorization.k8s.io/v1beta1",
    "ClusterRole ClusterRoleBinding Role RoleBinding",
    "rbac.authorization.k8s.io/v1",
    "1.8",
  ],
  ["1.22", "scheduling.k8s.io/v1beta1", "PriorityClass", "scheduling.k8s.io/v1", "1.14"],
  ["1.22", "storage.k8s.io/v1beta1", "CSIDriver", "storage.k8s.io/v1", "1.19"],
  ["1.22", "storage.k8s.io/v1beta1", "CSINode", "storage.k8s.io/v1", "1.17"],
  ["1.22", "storage.k8s.io/v1beta1", "StorageClass", "storage.k8s.io/v1", "1.6"],
  ["1.22", "storage.k8s.io/v1beta1", "VolumeAttachment", "storage.k8s.io/v1", "1.13"],
  ["1.25", "batch/v1beta1", "CronJob", "batch/v1", "1.21"],
  ["1.25", "discovery.k8s.io/v1beta1", "EndpointSlice", "discovery.k8s.io/v1", "1.21"],
  ["1.25", "events.k8s.io/v1beta1", "Event", "events.k8s.io/v1", "1.19"],
  ["1.25", "autoscaling/v2beta1", "HorizontalPodAutoscaler", "autoscaling/v2", "1.23"],
  ["1.25", "policy/v1beta1", "PodDisruptionBudget", "policy/v1", "1.21"],
  ["1.25", "policy/v1beta1", "PodSecurityPolicy"],
  ["1.25", "node.k8s.io/v1beta1", "RuntimeClass", "node.k8s.io/v1", "1.20"],
  [
    "1.26",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "FlowSchema PriorityLevelConfiguration",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "1.23",
  ],
  ["1.26", "autoscaling/v2beta2", "HorizontalPodAutoscaler", "autoscaling/v2", "1.23"],
  ["1.27", "storage.k8s.io/v1beta1", "CSIStorageCapacity", "storage.k8s.io/v1", "1.24"],
  [
    "1.29",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "FlowSchema PriorityLevelConfiguration",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "1.26",
  ],
  [
    "1.32",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "FlowSchema PriorityLevelConfiguration",
    "flowcontrol.apiserver.k8s.io/v1",
    "1.29",
  ],
];

/** All of them, in the order of the releases. */
export const removedApis: readonly RemovedApi[] = rows.flatMap(([removedIn, apiVersions, kinds, to, since = ""]) =>
  apiVersions.split(" ").flatMap((apiVersion) =>
    kinds.split(" ").map((kind) => ({
      apiVersion,
      kind,
      resource: pluralOf(kind),
      removedIn,
      ...(to !== undefined && { replacement: { apiVersion: to, since } }),
    })),
  ),
);

/** What a cluster loses on the way from one version to another, such as `v1.20.2` and `v1.22.0`. */
export function apisRemovedBetween(from: string, to: string): readonly RemovedApi[] {
  const [before, after] = [minor(from), minor(to)];
  return removedApis.filter(({ removedIn }) => {
    const at = minor(`${removedIn}.0`);
    return before < at && at <= after;
  });
}

/**
 * Whether a control plane of that version asks for the API by itself: its garbage collector and its quotas watch every
 * kind in the newest version that its group has for it (kubernetes/kubernetes#106668).
 */
export function isAskedByControlPlane({ apiVersion, replacement }: RemovedApi, version: string): boolean {
  const groupOf = (one: string): string => one.split("/")[0] ?? "";
  if (!replacement || groupOf(replacement.apiVersion) !== groupOf(apiVersion)) return true;
  return minor(`${replacement.since}.0`) > minor(version);
}

/** As Kubernetes itself makes it of a kind's name. */
function pluralOf(kind: string): string {
  const name = kind.toLowerCase();
  if (name.endsWith("y")) return `${name.slice(0, -1)}ies`;
  return /(s|x|ch)$/.test(name) ? `${name}es` : `${name}s`;
}

/** What an API server says of a deprecated API that somebody has asked it for since it started. */
export interface RequestedApi {
  readonly apiVersion: string;
  readonly resource: string;
  /** The first minor version without it, as the server knows it; undefined if it does not. */
  readonly removedIn?: string;
}

/** Reads the metric `apiserver_requested_deprecated_apis`, which API servers have since v1.19. */
export function parseRequestedApis(metrics: string): RequestedApi[] {
  return metrics.split("\n").flatMap((line): RequestedApi[] => {
    const [, labels, value] = /^apiserver_requested_deprecated_apis\{(.*)\} (\S+)/.exec(line) ?? [];
    if (labels === undefined || Number(value) === 0) return [];
    const labelOf = (name: string): string => new RegExp(`\\b${name}="([^"]*)"`).exec(labels)?.[1] ?? "";
    const [group, version] = [labelOf("group"), labelOf("version")];
    const [resource, removedIn] = [labelOf("resource"), labelOf("removed_release")];
    const apiVersion = group === "" ? version : `${group}/${version}`;
    return [{ apiVersion, resource, ...(removedIn !== "" && { removedIn }) }];
  });
}
