import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import ipaddr from "ipaddr.js";

/** @throws Error without any of the content */
export function readCertificate(pem: string): X509Certificate {
  return quietly("is not a certificate in PEM", () => new X509Certificate(pem));
}

/** @throws Error without any of the content */
export function readPrivateKey(pem: string): KeyObject {
  return quietly("is not a private key in PEM", () => createPrivateKey(pem));
}

/**
 * The public key (PEM, SPKI) of either half.
 *
 * @throws Error without any of the content
 */
export function publicHalf(pem: string): string {
  const key = quietly("is not a public key in PEM", () => createPublicKey(pem));
  return key.export({ type: "spki", format: "pem" }).toString();
}

/** OpenSSL's own words help nobody, and must not carry key material into a message. */
function quietly<T>(message: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new Error(message);
  }
}

/** Whether this CA's key made the signature, and its name stands as the issuer. */
export function isSignedBy(certificate: X509Certificate, ca: X509Certificate): boolean {
  return certificate.checkIssued(ca) && certificate.verify(ca.publicKey);
}

/** `O=system:masters, CN=kubernetes-admin`, in the certificate's order. */
export function subjectOf(certificate: X509Certificate): string {
  return certificate.subject.split("\n").join(", ");
}

/** DNS names and IP addresses, addresses in their shortest form. */
export function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? "").split(", ").flatMap((entry) => {
    const value = entry.slice(entry.indexOf(":") + 1);
    if (entry.startsWith("DNS:")) return [value];
    return entry.startsWith("IP Address:") ? [normalName(value)] : [];
  });
}

/** The one way to write a name, so that two of them can be compared. */
export function normalName(name: string): string {
  return ipaddr.isValid(name) ? ipaddr.parse(name).toString() : name.toLowerCase();
}
