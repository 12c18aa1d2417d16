import { generateKeyPair as generateKeyPairCallback } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { type KubeconfigView, makeKubeconfig } from "../kubernetes/kubeconfig.js";
import type { HostFile } from "../model/hostFile.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import type { ClusterIdentity, JoinToken, KeyPair } from "../model/identity.js";
import { abacPolicy, abacPolicyFor } from "./abacPolicy.js";
import { mapValues, mapValuesInTurn } from "./mapValues.js";
import { isSignedBy, namesOf, publicHalf, readCertificate, subjectOf } from "./readCertificate.js";
import { type FoundIdentity, type FoundPair, readIdentity } from "./readIdentity.js";
import { fixedJoinToken, makeBasicAuth, makeKnownTokens, tokenFilePaths } from "./tokenFiles.js";
import {
  authorities,
  type CaName,
  type IdentityNames,
  type KubeconfigName,
  nameDifference,
  type PairName,
  type WantedCertificate,
  wantedKubeconfigs,
  wantedPairs,
} from "./wantedCertificates.js";

const generateKeyPair = promisify(generateKeyPairCallback);

// The same rules are said in scripts/pod/setup-files.sh: who made a certificate must not decide whether it is renewed.
const dayMs = 24 * 60 * 60 * 1000;
const caLifeMs = 3650 * dayMs;
const leafLifeMs = 365 * dayMs;
const renewalMs = 90 * dayMs;
/** The clocks of the cluster's machines may be this far behind. */
const backdateMs = 5 * 60 * 1000;
/** How far the clock may be off by which a spare identity was made. */
const spareLifeMs = 60 * 1000;

export interface IdentityRequest extends IdentityNames {
  /** Absolute host path -> file, for everything below /etc/kubernetes. */
  readonly existing: ReadonlyMap<string, { readonly content: string; readonly mode: number }>;
  readonly clusterName: string;
  /** Whether etcd holds data: then a lost CA or service-account key is not made anew. */
  readonly etcdData: boolean;
  readonly nowMs: number;
  /** From `makeSpareIdentity`, for whoever began early. */
  readonly spare?: SpareIdentity | undefined;
}

type ServiceAccountKeys = ClusterIdentity["serviceAccount"];

/** A file that was made, and why: `new`, `was missing`, `ends on …`, … */
export interface MadeFile {
  readonly path: string;
  readonly reason: string;
}

export interface MadeIdentity {
  readonly identity: ClusterIdentity;
  /** The one of `known_tokens.csv`, which does not end; undefined for versions that make them in the cluster. */
  readonly joinToken?: JoinToken;
  /**
   * All PKI files and kubeconfigs of the master, tokens and policies too, also unchanged ones. Keys come first: whoever
   * writes them in this order and is cut off leaves keys without certificates at worst, which the next run completes.
   */
  readonly files: readonly HostFile[];
  /** Empty if everything was there and good. */
  readonly made: readonly MadeFile[];
}

/** All keys and certificates of a cluster, not yet in files. */
interface MadePairs {
  readonly authorities: Readonly<Record<CaName, KeyPair>>;
  readonly serviceAccount: ServiceAccountKeys;
  readonly pairs: Readonly<Record<PairName, KeyPair>>;
  readonly kubeconfigs: Readonly<Record<KubeconfigName, MadePair>>;
  /** What is not in kubeconfigs. */
  readonly made: readonly MadeFile[];
}

/** What of them there is already. */
interface FoundPairs {
  readonly authorities: Readonly<Partial<Record<CaName, FoundPair>>>;
  readonly serviceAccount: FoundIdentity["serviceAccount"];
  readonly pairs: Readonly<Partial<Record<PairName, FoundPair>>>;
  readonly kubeconfigs: Readonly<Partial<Record<KubeconfigName, FoundPair | undefined>>>;
}

/** Keys and certificates that were made before the host was known. */
export interface SpareIdentity extends Pick<IdentityNames, "serviceAccountKey"> {
  /** By the clock of whoever made them. */
  readonly nowMs: number;
  /** Undefined if they could not be made. */
  readonly pairs: Promise<MadePairs | undefined>;
}

/**
 * Begins with the identity of a cluster that is to be new: it takes a fifth of a second, which passes while the
 * host is looked at.
 *
 * @param names a guess: `makeIdentity` makes anew what turns out to have other names
 */
export function makeSpareIdentity(names: IdentityNames, nowMs: number): SpareIdentity {
  const nothing: FoundPairs = { authorities: {}, serviceAccount: {}, pairs: {}, kubeconfigs: {} };
  // A turn later: it holds up this thread, and what the caller has just asked of Docker is to be on its way by then.
  const pairs = setImmediate().then(async () => makePairs(names, nothing, nowMs));
  // Who needs them makes them again, and meets the same error.
  return { nowMs, serviceAccountKey: names.serviceAccountKey, pairs: pairs.catch(() => undefined) };
}

/**
 * The cluster's identity: what is on the host is kept; what is missing, or ends within 90 days, or is not what the
 * request says, is made. A renewed certificate keeps its key.
 *
 * @throws TsdeployError of kind `conflict` with all that is wrong: `CA_MISSING`, `CA_EXPIRED`, `PKI_BROKEN`
 */
export async function makeIdentity(request: IdentityRequest): Promise<MadeIdentity> {
  const wanted = wantedPairs(request);
  const kubeconfigs = wantedKubeconfigs(request.nodeName);
  const found = readIdentity({ ...request, pairs: wanted, kubeconfigs });
  const spare = isNothing(found) ? await spareOf(request) : undefined;
  const pairs = await makePairs(request, spare ? withPairs(spare) : found, request.nowMs);
  const { authorities: cas, serviceAccount, pairs: leaves, kubeconfigs: users } = pairs;
  const made = [...(spare ?? pairs).made];

  const texts = mapValues(kubeconfigs, ({ path, commonName }, name) => {
    // The master's components find the API server whatever becomes of its address; an administrator may be elsewhere.
    const { nodeIp, controlPlaneEndpoint = `${nodeIp}:${apiserverPort}` } = request;
    const server = `https://${name === "admin" ? controlPlaneEndpoint : `127.0.0.1:${apiserverPort}`}`;
    const caPem = cas.ca.certificate;
    const existing = found.kubeconfigs[name];
    const reason = users[name].reason ?? (existing && kubeconfigFault(existing.view, server, caPem));
    if (existing && reason === undefined) return existing.text;
    made.push({ path, reason: reason ?? "new" });
    const { clusterName } = request;
    return makeKubeconfig({ clusterName, server, caPem, user: commonName, credentials: { keyPair: users[name].pair } });
  });

  const access = accessFiles(request, cas.ca.certificate, made);
  const knownTokens = access.find(({ path }) => path === tokenFilePaths.knownTokens)?.content ?? "";
  const joinToken = fixedJoinToken(knownTokens, cas.ca.certificate);
  return {
    identity: { ...cas, serviceAccount, ...leaves, ...mapValues(users, ({ pair }) => pair) },
    ...(joinToken && { joinToken }),
    files: [
      ...filesOf({ ...authorities, ...wanted }, { ...cas, ...leaves }, serviceAccount, kubeconfigs, texts),
      ...access,
    ],
    made,
  };
}

function isNothing({ authorities: cas, serviceAccount, pairs, kubeconfigs }: FoundIdentity): boolean {
  const found = [...Object.values(cas), serviceAccount, ...Object.values(pairs), ...Object.values(kubeconfigs)];
  return found.every((one) => one === undefined || Object.keys(one).length === 0);
}

/** Unless the host's clock is another's: a certificate would begin too late there, or end too early. */
async function spareOf({ spare, nowMs, serviceAccountKey }: IdentityRequest): Promise<MadePairs | undefined> {
  if (!spare || spare.serviceAccountKey !== serviceAccountKey) return undefined;
  return Math.abs(nowMs - spare.nowMs) < spareLifeMs ? spare.pairs : undefined;
}

function withPairs(made: MadePairs): FoundPairs {
  return { ...made, kubeconfigs: mapValues(made.kubeconfigs, ({ pair }) => pair) };
}

/** Makes what was not found, or is not as it is to be. */
async function makePairs(names: IdentityNames, found: FoundPairs, nowMs: number): Promise<MadePairs> {
  const pairs = wantedPairs(names);
  const kubeconfigs = wantedKubeconfigs(names.nodeName);
  const made: MadeFile[] = [];

  // A key of RSA takes longest, on a thread of its own: first.
  const serviceAccountMade = makeServiceAccount(found.serviceAccount, names.serviceAccountKey, made);
  const cas = await mapValuesInTurn(authorities, async (wanted, name) => {
    const ca = await makeCa(wanted.commonName, found.authorities[name] ?? {}, nowMs);
    if (ca.reason !== undefined) made.push({ path: `${wanted.path}.crt`, reason: ca.reason });
    return ca.pair;
  });
  const leaves = await mapValuesInTurn(pairs, (wanted, name) =>
    makeLeaf(wanted, found.pairs[name] ?? {}, cas[wanted.ca], nowMs),
  );
  const users = await mapValuesInTurn(kubeconfigs, (wanted, name) =>
    makeLeaf(wanted, found.kubeconfigs[name] ?? {}, cas[wanted.ca], nowMs),
  );
  const madeLeaves = mapValues(leaves, ({ pair, reason }, name) => {
    if (reason !== undefined) made.push({ path: `${pairs[name].path}.crt`, reason });
    return pair;
  });
  const serviceAccount = await serviceAccountMade;
  return { authorities: cas, serviceAccount, pairs: madeLeaves, kubeconfigs: users, made };
}

/** Tokens, passwords and policies of versions that read them from files. */
function accessFiles(request: IdentityRequest, caPem: string, made: MadeFile[]): HostFile[] {
  const { existing, nodeName, tokenFile, basicAuth } = request;
  const file = (path: string, secret: boolean, make: (found: string | undefined) => string): HostFile => {
    const found = existing.get(path)?.content;
    const content = make(found);
    if (content !== found) made.push({ path, reason: found === undefined ? "new" : `had nothing for ${nodeName}` });
    return { path, mode: secret ? 0o600 : 0o644, content, secret };
  };
  return [
    ...(tokenFile ? [file(tokenFilePaths.knownTokens, true, (found) => found ?? makeKnownTokens(caPem))] : []),
    ...(basicAuth ? [file(tokenFilePaths.basicAuth, true, (found) => found ?? makeBasicAuth())] : []),
    ...(tokenFile
      ? [
          file(tokenFilePaths.abacPolicy, false, (found) =>
            found === undefined ? abacPolicy(nodeName) : abacPolicyFor(nodeName, found),
          ),
        ]
      : []),
  ];
}

function filesOf<PairName extends string, ConfName extends string>(
  wanted: Readonly<Record<PairName, { readonly path: string }>>,
  pairs: Readonly<Record<PairName, KeyPair>>,
  serviceAccount: ClusterIdentity["serviceAccount"],
  kubeconfigs: Readonly<Record<ConfName, { readonly path: string }>>,
  texts: Readonly<Record<ConfName, string>>,
): HostFile[] {
  const secret = (path: string, content: string): HostFile => ({ path, mode: 0o600, content, secret: true });
  const open = (path: string, content: string): HostFile => ({ path, mode: 0o644, content, secret: false });
  return [
    ...Object.values(mapValues(wanted, ({ path }, name) => secret(`${path}.key`, pairs[name].privateKey))),
    secret(`${paths.pki}/sa.key`, serviceAccount.privateKey),
    ...Object.values(mapValues(wanted, ({ path }, name) => open(`${path}.crt`, pairs[name].certificate))),
    open(`${paths.pki}/sa.pub`, serviceAccount.publicKey),
    ...Object.values(mapValues(kubeconfigs, ({ path }, name) => secret(path, texts[name]))),
  ] as HostFile[];
}

async function makeServiceAccount(
  found: FoundPairs["serviceAccount"],
  type: IdentityNames["serviceAccountKey"],
  made: MadeFile[],
): Promise<ServiceAccountKeys> {
  const { privateKey, publicKey } = found;
  if (privateKey !== undefined) {
    if (publicKey !== undefined) return { privateKey, publicKey };
    made.push({ path: `${paths.pki}/sa.pub`, reason: "was missing" });
    return { privateKey, publicKey: publicHalf(privateKey) };
  }
  made.push({ path: `${paths.pki}/sa.key`, reason: "new" });
  if (type === "ecdsa") return newKeyPair();
  return generateKeyPair("rsa", {
    modulusLength: 2048,
    // v1.3 reads no other form.
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}

/** `reason` says why it was made; undefined if it is the one that was found. */
interface MadePair {
  readonly pair: KeyPair;
  readonly reason?: string;
}

async function makeCa(commonName: string, found: FoundPair, nowMs: number): Promise<MadePair> {
  const privateKey = found.privateKey ?? (await newKey());
  if (found.certificate !== undefined) return { pair: { privateKey, certificate: found.certificate } };
  const { makeCertificate } = await import("./makeCertificate.js");
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs: nowMs + caLifeMs };
  const certificate = await makeCertificate({ commonName, privateKey, usages: [], names: [], ...validity });
  return { pair: { privateKey, certificate }, reason: found.privateKey === undefined ? "new" : "was missing" };
}

async function makeLeaf(
  wanted: WantedCertificate,
  found: FoundPair,
  issuer: KeyPair,
  nowMs: number,
): Promise<MadePair> {
  const ca = readCertificate(issuer.certificate);
  const privateKey = found.privateKey ?? (await newKey());
  const reason = leafFault(wanted, found, issuer.certificate, nowMs);
  if (reason === undefined && found.certificate !== undefined) {
    return { pair: { privateKey, certificate: found.certificate } };
  }
  const { makeCertificate } = await import("./makeCertificate.js");
  const notAfterMs = Math.min(nowMs + leafLifeMs, Date.parse(ca.validTo));
  const validity = { notBeforeMs: nowMs - backdateMs, notAfterMs };
  const leaf = await makeCertificate({ ...wanted, privateKey, issuer, ...validity });
  const certificate = wanted.withCa === true ? leaf + issuer.certificate : leaf;
  return { pair: { privateKey, certificate }, reason: reason ?? "new" };
}

/** What is wrong with the certificate that was found; undefined if nothing is. */
function leafFault(
  wanted: WantedCertificate,
  found: FoundPair,
  caPem: string,
  nowMs: number,
): string | undefined {
  const ca = readCertificate(caPem);
  if (found.certificate === undefined) return found.privateKey === undefined ? "new" : "was missing";
  if (found.privateKey === undefined) return "its key was missing";
  const certificate = readCertificate(found.certificate);
  if (!isSignedBy(certificate, ca)) return "was not signed by this CA";
  const notAfterMs = Date.parse(certificate.validTo);
  // One that ends with its CA would only be made the same again.
  if (notAfterMs - nowMs < renewalMs && notAfterMs < Date.parse(ca.validTo)) {
    return `${notAfterMs < nowMs ? "ended" : "ends"} on ${new Date(notAfterMs).toISOString()}`;
  }
  const { organization, commonName } = wanted;
  const subject = organization === undefined ? `CN=${commonName}` : `O=${organization}, CN=${commonName}`;
  const foundSubject = subjectOf(certificate);
  if (foundSubject !== subject) return `was for ${foundSubject}, not ${subject}`;
  if (wanted.withCa === true && !found.certificate.includes(caPem)) return "was without its CA's certificate";
  const difference = nameDifference(wanted.names, namesOf(certificate));
  return difference.length > 0 ? `its names have changed: ${difference.join(", ")}` : undefined;
}

function kubeconfigFault(view: KubeconfigView, server: string, caPem: string): string | undefined {
  if (view.server !== server) return `its server was ${view.server}, not ${server}`;
  return view.ca && "data" in view.ca && view.ca.data === caPem ? undefined : "held another CA certificate";
}

/** The private half of one. */
async function newKey(): Promise<string> {
  return (await newKeyPair()).privateKey;
}

/** ECDSA P-256 in the form that kubeadm writes. */
async function newKeyPair(): Promise<ServiceAccountKeys> {
  return generateKeyPair("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
}
