import "reflect-metadata";
import { createPrivateKey, createPublicKey, type KeyObject, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type Extension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { isAddress } from "../model/addressRanges.js";
import type { KeyPair } from "../model/identity.js";

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization?: string;
  /** PEM; the certificate is for its public half. */
  readonly privateKey: string;
  /** Undefined makes a self-signed CA. */
  readonly issuer?: KeyPair;
  readonly usages: readonly ("server" | "client")[];
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * A certificate as PEM. Takes 0.1 s to load, so import it only where one has to be made.
 *
 * @throws Error if the key's algorithm is neither RSA nor ECDSA
 */
export async function makeCertificate(request: CertificateRequest): Promise<string> {
  const key = createPrivateKey(request.privateKey);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const signer = await (request.issuer ? issuerOf(request.issuer) : readSigner(request.privateKey));

  const subject: JsonName = [{ CN: [request.commonName] }];
  if (request.organization !== undefined) subject.unshift({ O: [request.organization] });
  const certificate = await X509CertificateGenerator.create({
    subject,
    // Go compares the bytes of the issuer's name: taken as they are, not written anew.
    issuer: signer.certificate?.subjectName ?? subject,
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    signingAlgorithm: signer.algorithm,
    publicKey,
    signingKey: signer.key,
    extensions: [
      await SubjectKeyIdentifierExtension.create(publicKey),
      ...(signer.certificate ? leafExtensions(request, key, signer.certificate) : authorityExtensions()),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}

interface Signer {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
  readonly certificate?: X509Certificate;
}

/** Reading a CA takes as long as signing with it, and a dozen certificates have the same one. */
const issuers = new WeakMap<KeyPair, Promise<Signer>>();

function issuerOf(pair: KeyPair): Promise<Signer> {
  const known = issuers.get(pair);
  if (known) return known;
  const certificate = new X509Certificate(pair.certificate);
  const signer = readSigner(pair.privateKey).then((read) => ({ ...read, certificate }));
  issuers.set(pair, signer);
  return signer;
}

async function readSigner(privateKey: string): Promise<Signer> {
  const key = createPrivateKey(privateKey);
  const algorithm = signingAlgorithm(key);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  return { algorithm, key: await webcrypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]) };
}

function authorityExtensions(): Extension[] {
  return [
    new BasicConstraintsExtension(true, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

/** `scripts/pod/setup-files.sh` gives the same ones. */
function leafExtensions(request: CertificateRequest, key: KeyObject, issuer: X509Certificate): Extension[] {
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(usageFlags(key), true),
    new ExtendedKeyUsageExtension(
      request.usages.map((usage) => (usage === "server" ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth)),
    ),
  ];
  const issuerKeyId = issuer.getExtension(SubjectKeyIdentifierExtension)?.keyId;
  if (issuerKeyId !== undefined) extensions.push(new AuthorityKeyIdentifierExtension(issuerKeyId));
  if (request.names.length > 0) {
    const names = request.names.map((value) => ({ type: isAddress(value) ? ("ip" as const) : ("dns" as const), value }));
    extensions.push(new SubjectAlternativeNameExtension(names));
  }
  return extensions;
}

/** RFC 8813: no keyEncipherment with an elliptic curve key. */
function usageFlags(key: KeyObject): KeyUsageFlags {
  if (key.asymmetricKeyType !== "rsa") return KeyUsageFlags.digitalSignature;
  return KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;
}

interface SigningAlgorithm {
  readonly name: string;
  readonly hash: string;
  readonly namedCurve: string;
}

const curves: Readonly<Record<string, { namedCurve: string; hash: string }>> = {
  prime256v1: { namedCurve: "P-256", hash: "SHA-256" },
  secp384r1: { namedCurve: "P-384", hash: "SHA-384" },
  secp521r1: { namedCurve: "P-521", hash: "SHA-512" },
};

/** A CA that someone brought may have another key than ours. */
function signingAlgorithm(key: KeyObject): SigningAlgorithm {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", namedCurve: "" };
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
  if (curve === undefined) throw new Error(`cannot sign with a key of type ${key.asymmetricKeyType ?? "unknown"}`);
  return { name: "ECDSA", ...curve };
}
