import { customAlphabet } from "nanoid";
import { paths } from "../model/hostLayout.js";
import type { JoinToken } from "../model/identity.js";
import { bootstrapToken, caHash, makeJoinToken } from "./joinToken.js";

/** Who may do what, and by which secret, in versions whose API server reads that from files alone (v1.3 to v1.5). */
export const tokenFilePaths = {
  knownTokens: `${paths.pki}/known_tokens.csv`,
  abacPolicy: `${paths.pki}/abac-policy.jsonl`,
  basicAuth: `${paths.pki}/basic_auth.csv`,
} as const;

const makeToken = customAlphabet("0123456789abcdefghijklmnopqrstuvwxyz", 32);

/**
 * `known_tokens.csv` (`token,user,uid,"group"`): upstream's users with random tokens. The kubelet's has the form of a
 * bootstrap token, so that a join token is the same one string for every version. A secret.
 *
 * @param caPem the cluster's CA
 */
export function makeKnownTokens(caPem: string): string {
  return [
    `${makeToken()},admin,admin,"system:masters"\n`,
    `${bootstrapToken(makeJoinToken(caPem))},kubelet,kubelet,"system:nodes"\n`,
    `${makeToken()},kube_proxy,kube_proxy,"system:node-proxier"\n`,
  ].join("");
}

/** `basic_auth.csv` (`password,user,uid`) with upstream's one user and a random password. A secret. */
export function makeBasicAuth(): string {
  return `${makeToken()},admin,admin\n`;
}

/**
 * What a join token is made of: the first token of a `known_tokens.csv` that is the kubelet's and has the form of a
 * bootstrap token.
 */
export function kubeletToken(knownTokens: string): Pick<JoinToken, "id" | "secret"> | undefined {
  for (const line of knownTokens.split(/\r?\n/)) {
    const [token = "", user] = line.split(",").map((field) => field.replace(/^"(.*)"$/, "$1"));
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (id !== undefined && secret !== undefined && user === "kubelet") return { id, secret };
  }
  return undefined;
}

/**
 * The join token of a cluster with this `known_tokens.csv` and this CA (PEM).
 *
 * @returns undefined if none can be made of it
 */
export function fixedJoinToken(knownTokens: string, caPem: string): JoinToken | undefined {
  const token = kubeletToken(knownTokens);
  return token && { ...token, caHash: caHash(caPem) };
}
