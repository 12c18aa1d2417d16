/** The part of an ABAC policy that says what is allowed; all of it has to match. */
interface PolicySpec {
  readonly user?: string;
  readonly group?: string;
  readonly readonly?: true;
  readonly apiGroup?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly nonResourcePath?: string;
}

/** Identities that do as they like. */
const masters = [
  "kubernetes-admin",
  "tsdeploy:addon-manager",
  "system:kube-controller-manager",
  "system:kube-scheduler",
  // Of known_tokens.csv and basic_auth.csv.
  "admin",
];

/** What kubelets read; ABAC knows no names of objects, and a kubelet reads what its pods name. */
const readByKubelets = [
  "configmaps",
  "endpoints",
  "persistentvolumeclaims",
  "persistentvolumes",
  "secrets",
  "services",
];

/** Subresources such as `pods/status` count as their resource. */
const writtenByKubelets = ["events", "nodes", "pods"];

const readByProxies = ["endpoints", "nodes", "services"];

/**
 * `abac-policy.jsonl`, for `--authorization-mode=ABAC` (v1.3 to v1.5), one policy a line: the control plane and the
 * administrator may do anything, so may pods of kube-system (cluster add-ons), kubelets and kube-proxies what they
 * have to. Other pods' tokens may do nothing, where Kubernetes' own default lets them do anything.
 *
 * @param nodeName the master's node: its kubelet has a certificate, those of workers share the token of user `kubelet`
 */
export function abacPolicy(nodeName: string): string {
  return lines([
    ...masters.map((user): PolicySpec => ({ user, ...everything })),
    { group: "system:serviceaccounts:kube-system", ...everything },
    ...kubeletPolicies("kubelet"),
    ...kubeletPolicies(nodeUser(nodeName)),
    // A worker's kube-proxy goes by its kubelet's token.
    ...["kubelet", "kube_proxy", "system:kube-proxy"].flatMap(proxyPolicies),
    // v1.5's kubelets ask whether the API server may use them.
    { user: "kube-apiserver-kubelet-client", ...resource("nodes") },
    ...["/version", "/healthz"].map((nonResourcePath): PolicySpec => ({ user: "*", readonly: true, nonResourcePath })),
  ]);
}

/**
 * A policy file that is on the host, for a master of this name: an administrator's own lines stay, and so does what he
 * took out, but without any for its kubelet the master would not come up.
 */
export function abacPolicyFor(nodeName: string, existing: string): string {
  const isOfNode = (line: string): boolean => line.includes(`"${nodeUser(nodeName)}"`);
  if (existing.split("\n").some((line) => !line.trimStart().startsWith("#") && isOfNode(line))) return existing;
  const gap = existing === "" || existing.endsWith("\n") ? "" : "\n";
  return `${existing}${gap}${lines(kubeletPolicies(nodeUser(nodeName)))}`;
}

const everything = { apiGroup: "*", resource: "*", namespace: "*", nonResourcePath: "*" } as const;

function resource(name: string, apiGroup = ""): Pick<PolicySpec, "apiGroup" | "resource" | "namespace"> {
  return { ...(apiGroup !== "" && { apiGroup }), resource: name, namespace: "*" };
}

function nodeUser(nodeName: string): string {
  return `system:node:${nodeName}`;
}

function kubeletPolicies(user: string): PolicySpec[] {
  return [
    ...readByKubelets.map((name): PolicySpec => ({ user, readonly: true, ...resource(name) })),
    ...writtenByKubelets.map((name): PolicySpec => ({ user, ...resource(name) })),
    // By which v1.5's kubelets find out who calls them, and whether he may.
    { user, ...resource("tokenreviews", "authentication.k8s.io") },
    { user, ...resource("subjectaccessreviews", "authorization.k8s.io") },
    { user, readonly: true, ...resource("storageclasses", "storage.k8s.io") },
  ];
}

function proxyPolicies(user: string): PolicySpec[] {
  return [
    ...readByProxies.map((name): PolicySpec => ({ user, readonly: true, ...resource(name) })),
    { user, ...resource("events") },
  ];
}

function lines(specs: readonly PolicySpec[]): string {
  const header = { apiVersion: "abac.authorization.kubernetes.io/v1beta1", kind: "Policy" };
  const unique = new Set(specs.map((spec) => JSON.stringify({ ...header, spec })));
  return [...unique].map((line) => `${line}\n`).join("");
}
