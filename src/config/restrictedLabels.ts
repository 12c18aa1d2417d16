/** Labels that kubelets may set in Kubernetes' own namespaces (pkg/kubelet/apis/well_known_labels.go). */
const allowed: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "failure-domain.beta.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "topology.kubernetes.io/zone",
]);

const allowedNamespaces = ["kubelet.kubernetes.io", "node.kubernetes.io"];
const ownNamespaces = ["kubernetes.io", "k8s.io"];

/** Whether a kubelet may not give this label to its own node: it would not start, or the API server would refuse. */
export function isRestrictedLabel(key: string): boolean {
  const [namespace, name] = key.split("/");
  if (namespace === undefined || name === undefined || allowed.has(key)) return false;
  return isBelow(namespace, ownNamespaces) && !isBelow(namespace, allowedNamespaces);
}

function isBelow(namespace: string, domains: readonly string[]): boolean {
  return domains.some((domain) => namespace === domain || namespace.endsWith(`.${domain}`));
}
