import type { KubernetesObject } from "../model/kubernetesObject.js";
import { rbacObjects } from "./rbacObjects.js";

/** Name of what a token for masters brings with it. */
export function handOverName(tokenId: string): string {
  return `tsdeploy-master-${tokenId}`;
}

/** Where a further master finds what it needs, encrypted by its token's key. */
export function handOverPath(tokenId: string): string {
  return `/api/v1/namespaces/kube-system/secrets/${handOverName(tokenId)}`;
}

/**
 * The Secret for a further master, and the role by which its token alone may read it. All belong to the token's own
 * Secret, so that they go when that ends or is revoked.
 *
 * @param owner uid of that Secret
 * @param apiVersion of RBAC
 */
export function masterTokenObjects(
  tokenId: string,
  sealed: string,
  owner: string,
  apiVersion: string,
): KubernetesObject[] {
  const name = handOverName(tokenId);
  const rbac = rbacObjects(apiVersion);
  const ownerReferences = [{ apiVersion: "v1", kind: "Secret", name: `bootstrap-token-${tokenId}`, uid: owner }];
  const objects: KubernetesObject[] = [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: "kube-system" },
      type: "Opaque",
      data: { handover: Buffer.from(sealed).toString("base64") },
    },
    rbac.role("kube-system", name, [{ apiGroups: [""], resources: ["secrets"], resourceNames: [name], verbs: ["get"] }]),
    rbac.bind({ kind: "Role", name }, name, [{ kind: "User", name: `system:bootstrap:${tokenId}` }], "kube-system"),
  ];
  return objects.map((object) => ({ ...object, metadata: { ...object.metadata, ownerReferences } }));
}

/** What `masterTokenObjects` has put into the Secret; undefined if it is another one's. */
export function sealedIn(secret: unknown): string | undefined {
  if (typeof secret !== "object" || secret === null) return undefined;
  const { data } = secret as { data?: Record<string, unknown> };
  const text = data?.["handover"];
  return typeof text === "string" ? Buffer.from(text, "base64").toString() : undefined;
}
