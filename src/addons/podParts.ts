import type { VersionFeatures } from "../kubernetes/versions.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { Taint } from "../model/options.js";

/** A toleration of a pod. */
export interface Toleration {
  readonly key: string;
  readonly operator?: "Exists";
  readonly effect?: Taint["effect"];
}

/** What every add-on's pod has; fields that a version does not know are left out, or become annotations. */
export interface PodParts {
  readonly serviceAccountName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  readonly affinity?: unknown;
  readonly container: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly image: string;
    readonly securityContext?: SecurityContext;
  };
  readonly volumes: readonly unknown[];
  readonly isCritical: boolean;
  readonly dnsPolicy?: "Default";
}

/** The part of a container's security context that add-ons use. */
export interface SecurityContext {
  readonly allowPrivilegeEscalation?: false;
  readonly readOnlyRootFilesystem?: true;
  readonly runAsNonRoot?: true;
  readonly runAsUser?: number;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop: readonly string[] };
  readonly seccompProfile?: { readonly type: "RuntimeDefault" };
}

/** Where kubeadm lets the cluster's own programs run: on nodes of the control plane, too. */
export const clusterTolerations: readonly Toleration[] = [
  { key: "CriticalAddonsOnly", operator: "Exists" },
  { key: "node-role.kubernetes.io/master", effect: "NoSchedule" },
  { key: "node-role.kubernetes.io/control-plane", effect: "NoSchedule" },
];

/** Whether a pod with these tolerations may be put on a node with that taint, and stay there. */
export function isTolerated({ key, value = "", effect }: Taint, tolerations: readonly Toleration[]): boolean {
  if (effect === "PreferNoSchedule") return true;
  // Without an operator the values have to be equal, and ours have none.
  return tolerations.some(
    (one) =>
      one.key === key &&
      (one.operator === "Exists" || value === "") &&
      (one.effect === undefined || one.effect === effect),
  );
}

/** A pod template. */
export function podTemplate(parts: PodParts, features: VersionFeatures): Record<string, unknown> {
  const { container, labels, tolerations, affinity } = parts;
  const { schedulingFields } = features;
  const alpha = "scheduler.alpha.kubernetes.io";
  const annotations = {
    [`${alpha}/tolerations`]: JSON.stringify(tolerations),
    ...(affinity !== undefined && { [`${alpha}/affinity`]: JSON.stringify(affinity) }),
  };
  return {
    metadata: { labels, ...(!schedulingFields && { annotations }) },
    spec: {
      ...(parts.isCritical && features.podPriorities && { priorityClassName: "system-cluster-critical" }),
      serviceAccountName: parts.serviceAccountName,
      ...(features.osLabels && { nodeSelector: { "kubernetes.io/os": "linux" } }),
      ...(schedulingFields && { tolerations }),
      ...(schedulingFields && affinity !== undefined && { affinity }),
      containers: [withKnownSecurity(container, features)],
      ...(parts.dnsPolicy && { dnsPolicy: parts.dnsPolicy }),
      volumes: parts.volumes,
    },
  };
}

/** A Deployment in kube-system. Without `replicas`: that is the API's default, or what somebody has made of it. */
export function deployment(
  name: string,
  parts: PodParts,
  features: VersionFeatures,
  more: { readonly annotations?: Readonly<Record<string, string>>; readonly maxUnavailable?: number } = {},
): KubernetesObject {
  const { annotations, maxUnavailable = 1 } = more;
  return {
    apiVersion: features.apis.deployment,
    kind: "Deployment",
    metadata: { name, namespace: "kube-system", labels: parts.labels, ...(annotations && { annotations }) },
    spec: {
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable } },
      selector: { matchLabels: parts.labels },
      template: podTemplate(parts, features),
    },
  };
}

/** A ServiceAccount in kube-system. */
export function serviceAccount(name: string): KubernetesObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: "kube-system" } };
}

function withKnownSecurity(container: PodParts["container"], features: VersionFeatures): Record<string, unknown> {
  const { securityContext, ...rest } = container;
  if (!securityContext) return rest;
  const known = Object.entries(securityContext).filter(
    ([field]) =>
      (field !== "allowPrivilegeEscalation" || features.privilegeEscalation) &&
      (field !== "seccompProfile" || features.seccompProfiles),
  );
  return { ...rest, securityContext: Object.fromEntries(known) };
}
