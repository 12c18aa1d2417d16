import type { RegistryAuth } from "../docker/registryAuth.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";

/** User and password of a registry, by the name that Docker's configuration has for it. */
export type RegistryLogin = Required<Pick<RegistryAuth, "serveraddress" | "username" | "password">>;

const name = "tsdeploy-registry";

/** Where the Secret is that kubelets pull images of the cluster's own pods by. */
export const pullSecretPath = `/api/v1/namespaces/kube-system/secrets/${name}`;

/** The Secret by which kubelets log in where system pods' images are. */
export function pullSecret(logins: readonly RegistryLogin[]): KubernetesObject {
  const auths = logins.map(({ serveraddress, username, password }) => {
    const auth = base64(`${username}:${password}`);
    return [serveraddress, { username, password, auth }] as const;
  });
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "kube-system" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": base64(JSON.stringify({ auths: Object.fromEntries(auths) })) },
  };
}

/** A Deployment of kube-system whose pods are pulled by that Secret. */
export function withPullSecret(deployment: KubernetesObject): KubernetesObject {
  const { template, ...spec } = deployment["spec"] as { readonly template: { readonly spec: object } };
  const podSpec = { ...template.spec, imagePullSecrets: [{ name }] };
  return { ...deployment, spec: { ...spec, template: { ...template, spec: podSpec } } };
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
