import type { KubernetesObject } from "../model/kubernetesObject.js";

/** Whom a role is bound to. */
export interface Subject {
  readonly kind: string;
  readonly name: string;
  /** Of a ServiceAccount, which is in no group. */
  readonly namespace?: string;
}

/** Makes roles and bindings in one version of their API. */
export interface RbacObjects {
  role(namespace: string, name: string, rules: readonly unknown[]): KubernetesObject;
  clusterRole(name: string, rules: readonly unknown[]): KubernetesObject;
  bind(role: Subject, name: string, subjects: readonly Subject[], namespace: string): KubernetesObject;
  clusterBind(clusterRole: string, name: string, subjects: readonly Subject[]): KubernetesObject;
}

/** @param apiVersion such as `rbac.authorization.k8s.io/v1` */
export function rbacObjects(apiVersion: string): RbacObjects {
  const apiGroup = apiVersion.slice(0, apiVersion.indexOf("/"));
  const grouped = (subjects: readonly Subject[]): unknown[] =>
    subjects.map((subject) => (subject.namespace === undefined ? { apiGroup, ...subject } : subject));
  return {
    role: (namespace, name, rules) => ({ apiVersion, kind: "Role", metadata: { name, namespace }, rules }),
    clusterRole: (name, rules) => ({ apiVersion, kind: "ClusterRole", metadata: { name }, rules }),
    bind: (role, name, subjects, namespace) => ({
      apiVersion,
      kind: "RoleBinding",
      metadata: { name, namespace },
      roleRef: { apiGroup, ...role },
      subjects: grouped(subjects),
    }),
    clusterBind: (clusterRole, name, subjects) => ({
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: { name },
      roleRef: { apiGroup, kind: "ClusterRole", name: clusterRole },
      subjects: grouped(subjects),
    }),
  };
}
