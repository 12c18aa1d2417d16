import { parse, parseDocument, stringify } from "yaml";
import type { KeyPair } from "../model/identity.js";
import * as z from "../model/zod.js";

/** How a user proves who he is. Files are named as the program that reads the kubeconfig sees them. */
export type Credentials =
  | { readonly keyPair: KeyPair }
  | { readonly token: string }
  | { readonly certFile: string; readonly keyFile: string };

export interface KubeconfigContent {
  readonly clusterName: string;
  /** `https://10.0.0.5:6443` */
  readonly server: string;
  readonly caPem: string;
  readonly user: string;
  readonly credentials: Credentials;
}

/** A kubeconfig of one cluster and one user, in kubeadm's form; a secret unless its credentials are files. */
export function makeKubeconfig(content: KubeconfigContent): string {
  const { clusterName, server, user } = content;
  const context = `${user}@${clusterName}`;
  const kubeconfig = {
    apiVersion: "v1",
    clusters: [
      { cluster: { "certificate-authority-data": toBase64(content.caPem), server }, name: clusterName },
    ],
    contexts: [{ context: { cluster: clusterName, user }, name: context }],
    "current-context": context,
    kind: "Config",
    preferences: {},
    users: [{ name: user, user: userOf(content.credentials) }],
  };
  return stringify(kubeconfig, { lineWidth: 0, indentSeq: false });
}

function userOf(credentials: Credentials): Record<string, string> {
  if ("token" in credentials) return { token: credentials.token };
  if ("certFile" in credentials) {
    return { "client-certificate": credentials.certFile, "client-key": credentials.keyFile };
  }
  const { certificate, privateKey } = credentials.keyPair;
  return { "client-certificate-data": toBase64(certificate), "client-key-data": toBase64(privateKey) };
}

const optionalText = z
  .string()
  .nullish()
  .transform((text) => (text ? text : undefined));

const clusterSchema = z.object({
  server: z.string(),
  "certificate-authority-data": optionalText,
  "certificate-authority": optionalText,
});
const userSchema = z.object({
  "client-certificate-data": optionalText,
  "client-key-data": optionalText,
  "client-certificate": optionalText,
  "client-key": optionalText,
  token: optionalText,
  tokenFile: optionalText,
});
const contextSchema = z.object({ cluster: z.string(), user: z.string() });
const kubeconfigSchema = z.object({
  clusters: z.array(z.object({ name: z.string(), cluster: z.unknown() })).nullish(),
  contexts: z.array(z.object({ name: z.string(), context: z.unknown() })).nullish(),
  users: z.array(z.object({ name: z.string(), user: z.unknown() })).nullish(),
  "current-context": optionalText,
});

/** A value inside the kubeconfig, or the file that it is in. */
export type DataOrFile = { readonly data: string } | { readonly file: string };

/** What one context of a kubeconfig says. */
export interface KubeconfigView {
  readonly context: string;
  readonly server: string;
  readonly ca?: DataOrFile;
  readonly certificate?: DataOrFile;
  readonly key?: DataOrFile;
  readonly token?: DataOrFile;
}

/**
 * Reads one context, by default the current one.
 *
 * @throws Error that says what is wrong, without any of the content
 */
export function readKubeconfig(text: string, contextName?: string): KubeconfigView {
  const parsed = kubeconfigSchema.safeParse(parseYaml(text));
  if (!parsed.success) throw new Error("is not a kubeconfig");
  const { clusters, contexts, users } = parsed.data;
  const name = contextName ?? parsed.data["current-context"];
  if (name === undefined) throw new Error("has no current context");
  const context = contextSchema.safeParse(contexts?.find((entry) => entry.name === name)?.context);
  if (!context.success) throw new Error(`has no context ${name}`);
  const cluster = clusterSchema.safeParse(clusters?.find((entry) => entry.name === context.data.cluster)?.cluster);
  if (!cluster.success) throw new Error(`has no cluster ${context.data.cluster}`);
  const user = userSchema.safeParse(users?.find((entry) => entry.name === context.data.user)?.user ?? {});
  if (!user.success) throw new Error(`has no user ${context.data.user}`);
  return {
    context: name,
    server: cluster.data.server,
    ...dataOrFile("ca", cluster.data["certificate-authority-data"], cluster.data["certificate-authority"]),
    ...dataOrFile("certificate", user.data["client-certificate-data"], user.data["client-certificate"]),
    ...dataOrFile("key", user.data["client-key-data"], user.data["client-key"]),
    ...(user.data.token === undefined
      ? dataOrFile("token", undefined, user.data.tokenFile)
      : { token: { data: user.data.token } }),
  };
}

/** The same kubeconfig with another API server in its current context; all else stays as it is. */
export function withServer(text: string, server: string): string {
  const document = parseDocument(text);
  const { clusters, contexts, "current-context": name } = kubeconfigSchema.parse(document.toJS());
  const { cluster } = contextSchema.parse(contexts?.find((entry) => entry.name === name)?.context);
  const index = clusters?.findIndex((entry) => entry.name === cluster) ?? -1;
  document.setIn(["clusters", index, "cluster", "server"], server);
  return document.toString({ lineWidth: 0, indentSeq: false });
}

/** Data wins over a file, as in Kubernetes' own clients. */
function dataOrFile<Key extends string>(
  key: Key,
  base64: string | undefined,
  file: string | undefined,
): Partial<Record<Key, DataOrFile>> {
  const value = base64 === undefined ? file && { file } : { data: Buffer.from(base64, "base64").toString() };
  return (value ? { [key]: value } : {}) as Partial<Record<Key, DataOrFile>>;
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { logLevel: "error" });
  } catch {
    throw new Error("is not YAML");
  }
}

function toBase64(text: string): string {
  return Buffer.from(text).toString("base64");
}
