import { createHash, randomBytes } from "node:crypto";
import { customAlphabet } from "nanoid";
import { TsdeployError } from "../model/errors.js";
import type { JoinToken } from "../model/identity.js";
import { readCertificate } from "./readCertificate.js";

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";
const makeId = customAlphabet(alphabet, 6);
const makeSecret = customAlphabet(alphabet, 16);

/** A new random token for the cluster with this CA (PEM). */
export function makeJoinToken(caPem: string): JoinToken {
  return { id: makeId(), secret: makeSecret(), caHash: caHash(caPem) };
}

/** `<id>.<secret>.<CA hash>`: the one string that a worker needs. A secret. */
export function formatJoinToken(token: JoinToken): string {
  return `${bootstrapToken(token)}.${token.caHash}`;
}

/** `<id>.<secret>`: what Kubernetes itself calls a bootstrap token, and takes as a bearer token. A secret. */
export function bootstrapToken(token: Pick<JoinToken, "id" | "secret">): string {
  return `${token.id}.${token.secret}`;
}

/**
 * Reads a join token; white space around it does not matter.
 *
 * @throws TsdeployError `TOKEN_MALFORMED` (usage), which does not repeat the token
 */
export function parseJoinToken(text: string): JoinToken {
  const match = /^([a-z0-9]{6})\.([a-z0-9]{16})\.([0-9a-f]{64})$/.exec(text.trim());
  if (match) {
    const [, id = "", secret = "", hash = ""] = match;
    return { id, secret, caHash: hash };
  }
  const isBootstrapToken = /^[a-z0-9]{6}\.[a-z0-9]{16}$/.test(text.trim());
  throw new TsdeployError("usage", {
    code: "TOKEN_MALFORMED",
    message: isBootstrapToken
      ? "the join token has no CA hash: this is a bootstrap token as kubeadm prints it"
      : "the join token is not of the form <6 characters>.<16 characters>.<64 hexadecimal digits>",
    hint: "Copy the whole token from the master's `tsdeploy worker …` line, or make one there: `tsdeploy token create`.",
  });
}

/** A join token by which a host can become a further master: it has the key to what masters share. A secret. */
export interface MasterToken extends JoinToken {
  /** Of AES-256, 64 hex digits; nobody else knows it, the cluster least of all. */
  readonly key: string;
}

/** @param token one that the cluster knows */
export function withKey(token: JoinToken): MasterToken {
  return { ...token, key: randomBytes(32).toString("hex") };
}

/** `<id>.<secret>.<CA hash>.<key>`: the one string that a further master needs. A secret. */
export function formatMasterToken(token: MasterToken): string {
  return `${formatJoinToken(token)}.${token.key}`;
}

/** @throws TsdeployError `TOKEN_MALFORMED` (usage), which does not repeat the token */
export function parseMasterToken(text: string): MasterToken {
  const [, token = "", key = ""] = /^(.*)\.([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  if (/^[a-z0-9]{6}\.[a-z0-9]{16}\.[0-9a-f]{64}$/.test(token)) return { ...parseJoinToken(token), key };
  throw new TsdeployError("usage", {
    code: "TOKEN_MALFORMED",
    message: "the token is not one for masters: <6 characters>.<16 characters>.<64 hexadecimal digits>.<64 hexadecimal digits>",
    hint: "Make one on a master: `tsdeploy token create --role master`.",
  });
}

/**
 * SHA-256 of the CA's public key (DER of its SPKI) as 64 hex digits, as kubeadm's `--discovery-token-ca-cert-hash`.
 *
 * @throws Error if it is not a certificate
 */
export function caHash(caPem: string): string {
  const spki = readCertificate(caPem).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

/**
 * The certificate that a token's hash is of, alone and in PEM, whatever else stands beside it: who is given a bundle
 * as its CA trusts all of it.
 *
 * @param pem one certificate or several
 * @returns undefined if none of them has that hash
 */
export function pinnedCertificate(pem: string, pinnedHash: string): string | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  const pinned = blocks.find((block) => {
    try {
      return caHash(block) === pinnedHash;
    } catch {
      return false;
    }
  });
  // Encoded anew: it is what was hashed, to the byte.
  return pinned === undefined ? undefined : readCertificate(pinned).toString();
}
