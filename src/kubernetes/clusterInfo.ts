import { createHmac, timingSafeEqual } from "node:crypto";
import { parse, stringify } from "yaml";
import { defined } from "../model/defined.js";
import type { JoinToken } from "../model/identity.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";

/** The group of everyone who holds a join token. */
export const bootstrapGroup = "system:bootstrappers:tsdeploy:default-node-token";

/** Where anyone may read how to reach the cluster; only who knows a token can check it. */
export const clusterInfoPath = "/api/v1/namespaces/kube-public/configmaps/cluster-info";

const signaturePrefix = "jws-kubeconfig-";

type Signer = Pick<JoinToken, "id" | "secret">;

/**
 * ConfigMap `cluster-info`, as kubeadm's: a kubeconfig without a user, signed for each token. The controller-manager
 * signs it too, but v1.20's takes 10 s to begin (its CIDR allocator holds up all that starts after it).
 */
export function clusterInfo(server: string, caPem: string, signers: readonly Signer[] = []): KubernetesObject {
  const cluster = { "certificate-authority-data": Buffer.from(caPem).toString("base64"), server };
  const kubeconfig = {
    apiVersion: "v1",
    clusters: [{ cluster, name: "" }],
    contexts: null,
    "current-context": "",
    kind: "Config",
    preferences: {},
    users: null,
  };
  const text = stringify(kubeconfig, { lineWidth: 0, indentSeq: false });
  const signatures = signers.map((signer) => [signaturePrefix + signer.id, signatureOf(text, signer)]);
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "cluster-info", namespace: "kube-public" },
    data: { kubeconfig: text, ...(Object.fromEntries(signatures) as Record<string, string>) },
  };
}

/** What `cluster-info` says, before anyone has checked it. */
export interface ClusterInfoClaim {
  readonly server: string;
  readonly caPem: string;
  readonly kubeconfig: string;
  /** Token id -> detached JWS. */
  readonly signatures: ReadonlyMap<string, string>;
}

/** @returns undefined if this is no cluster-info as kubeadm and tsdeploy write it */
export function readClusterInfo(configMap: unknown): ClusterInfoClaim | undefined {
  const data = field(configMap, "data");
  const kubeconfig = field(data, "kubeconfig");
  if (typeof data !== "object" || data === null || typeof kubeconfig !== "string") return undefined;
  const clusters = field(parseOrNothing(kubeconfig), "clusters");
  const cluster = field(Array.isArray(clusters) ? (clusters as unknown[])[0] : undefined, "cluster");
  const server = field(cluster, "server");
  const ca = field(cluster, "certificate-authority-data");
  if (typeof server !== "string" || typeof ca !== "string") return undefined;
  const signatures = Object.entries(data).flatMap(([key, value]): [string, string][] =>
    key.startsWith(signaturePrefix) && typeof value === "string" ? [[key.slice(signaturePrefix.length), value]] : [],
  );
  return { server, caPem: Buffer.from(ca, "base64").toString(), kubeconfig, signatures: new Map(signatures) };
}

/**
 * A detached JWS (HS256, its key is the token's secret), to the byte what Kubernetes' bootstrap signer makes:
 * cluster-bootstrap/token/jws.
 */
export function signatureOf(content: string, { id, secret }: Signer): string {
  const header = Buffer.from(JSON.stringify({ alg: "HS256", kid: id })).toString("base64url");
  const signed = `${header}.${Buffer.from(content).toString("base64url")}`;
  return `${header}..${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** Whether a signature on cluster-info is this token's on this content. */
export function isSignatureOf(jws: string, content: string, signer: Signer): boolean {
  const expected = Buffer.from(signatureOf(content, signer));
  const given = Buffer.from(jws);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/**
 * What Kubernetes' bootstrap signer adds to cluster-info's data for a token. Its controller may be behind others that
 * take ten seconds to start; nobody has to wait for it.
 */
export function clusterInfoSignature(kubeconfig: string, signer: Signer): Record<string, string> {
  return { [`${signaturePrefix}${signer.id}`]: signatureOf(kubeconfig, signer) };
}

/**
 * The Secret that makes Kubernetes accept a token: for joining (as a bearer token) and for signing cluster-info.
 *
 * @param expiresMs milliseconds since 1970; undefined: never
 */
export function tokenSecret(
  token: Signer,
  options: { readonly expiresMs?: number; readonly description?: string } = {},
): KubernetesObject {
  const { expiresMs, description } = options;
  const data: Record<string, string> = {
    "token-id": token.id,
    "token-secret": token.secret,
    ...defined({ description }),
    // RFC 3339, without the fraction that old releases do not read.
    ...(expiresMs !== undefined && { expiration: new Date(expiresMs).toISOString().replace(/\.\d+Z$/, "Z") }),
    "usage-bootstrap-authentication": "true",
    "usage-bootstrap-signing": "true",
    "auth-extra-groups": bootstrapGroup,
  };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `bootstrap-token-${token.id}`, namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
  };
}

function field(object: unknown, key: string): unknown {
  return typeof object === "object" && object !== null ? (object as Record<string, unknown>)[key] : undefined;
}

function parseOrNothing(text: string): unknown {
  try {
    return parse(text, { logLevel: "error" });
  } catch {
    return undefined;
  }
}
