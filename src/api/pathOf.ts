import type { ObjectReference } from "../model/kubernetesObject.js";

/** Plural names of the kinds that we use; the true ones are not namespaced. */
const kinds: Readonly<Record<string, readonly [plural: string, clusterWide?: true]>> = {
  Namespace: ["namespaces", true],
  Node: ["nodes", true],
  ConfigMap: ["configmaps"],
  Secret: ["secrets"],
  Pod: ["pods"],
  Service: ["services"],
  ServiceAccount: ["serviceaccounts"],
  Deployment: ["deployments"],
  DaemonSet: ["daemonsets"],
  Role: ["roles"],
  RoleBinding: ["rolebindings"],
  ClusterRole: ["clusterroles", true],
  ClusterRoleBinding: ["clusterrolebindings", true],
  APIService: ["apiservices", true],
};

/** Path of an object in the API: `/api/v1/namespaces/kube-system/configmaps/tsdeploy`. */
export function pathOf(object: ObjectReference): string {
  return `${collectionOf(object)}/${encodeURIComponent(object.metadata.name)}`;
}

/** Path of the list that the object belongs to. @throws Error for a kind that is not in our table, a bug */
export function collectionOf(object: ObjectReference): string {
  const { apiVersion, kind, metadata } = object;
  const found = kinds[kind];
  if (!found) throw new Error(`no path is known for kind ${kind}`);
  const [plural, clusterWide] = found;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return clusterWide ? `${root}/${plural}` : `${root}/namespaces/${metadata.namespace ?? "default"}/${plural}`;
}
