import { type KubeconfigView, readKubeconfig } from "../kubernetes/kubeconfig.js";
import { defined } from "../model/defined.js";
import { messageOf, type Problem, TsdeployError } from "../model/errors.js";
import { paths } from "../model/hostLayout.js";
import { mapValues } from "./mapValues.js";
import { publicHalf, readCertificate, readPrivateKey } from "./readCertificate.js";
import { kubeletToken, tokenFilePaths } from "./tokenFiles.js";
import { authorities, type CaName, type KubeconfigName, type PairName } from "./wantedCertificates.js";

/** A key that is on the host, and the certificate beside it. They belong together. */
export interface FoundPair {
  readonly privateKey?: string;
  readonly certificate?: string;
}

/** A kubeconfig that is on the host, and the pair in it. */
export interface FoundKubeconfig extends FoundPair {
  readonly text: string;
  readonly view: KubeconfigView;
}

/** What of a cluster's identity is on a host; all of it can be read. */
export interface FoundIdentity {
  readonly authorities: Readonly<Record<CaName, FoundPair>>;
  readonly serviceAccount: { readonly privateKey?: string; readonly publicKey?: string };
  readonly pairs: Readonly<Record<PairName, FoundPair>>;
  readonly kubeconfigs: Readonly<Record<KubeconfigName, FoundKubeconfig | undefined>>;
}

export interface ReadIdentityRequest {
  /** Absolute host path -> file, for everything below /etc/kubernetes. */
  readonly existing: ReadonlyMap<string, { readonly content: string }>;
  /** Files of the pairs, without `.crt` and `.key`. */
  readonly pairs: Readonly<Record<PairName, { readonly path: string }>>;
  readonly kubeconfigs: Readonly<Record<KubeconfigName, { readonly path: string }>>;
  /** Whether etcd holds data: then neither a CA nor the service-account key may be missing. */
  readonly etcdData: boolean;
  /** Whether nodes have tokens of `known_tokens.csv`. */
  readonly tokenFile: boolean;
  readonly nowMs: number;
}

/** @throws TsdeployError of kind `conflict` with all that is wrong: `CA_MISSING`, `CA_EXPIRED`, `PKI_BROKEN` */
export function readIdentity(request: ReadIdentityRequest): FoundIdentity {
  const reader = new IdentityReader(request);
  const found = {
    authorities: mapValues(authorities, ({ path }) => reader.readCa(path)),
    serviceAccount: reader.readServiceAccount(),
    pairs: mapValues(request.pairs, ({ path }) => reader.readPair(path, remade(`${path}.key and ${path}.crt`))),
    kubeconfigs: mapValues(request.kubeconfigs, ({ path }) => reader.readKubeconfig(path)),
  };
  if (request.tokenFile) reader.checkKnownTokens();
  if (reader.problems.length > 0) throw new TsdeployError("conflict", reader.problems);
  return found;
}

class IdentityReader {
  readonly problems: Problem[] = [];
  readonly #request: ReadIdentityRequest;

  constructor(request: ReadIdentityRequest) {
    this.#request = request;
  }

  readPair(path: string, hint: string): FoundPair {
    const privateKey = this.#content(`${path}.key`);
    const certificate = this.#content(`${path}.crt`);
    const key = this.#attempt(`${path}.key`, hint, () => privateKey && readPrivateKey(privateKey));
    this.#attempt(`${path}.crt`, hint, () => {
      if (certificate === undefined) return;
      const parsed = readCertificate(certificate);
      if (key && !parsed.checkPrivateKey(key)) throw new Error(`does not belong to ${path}.key`);
    });
    return { ...defined({ privateKey, certificate }) };
  }

  readCa(path: string): FoundPair {
    const found = this.readPair(path, "Restore both files from a backup.");
    if (found.privateKey === undefined && found.certificate !== undefined) {
      this.#lost(`${path}.key`, `beside ${path}.crt`);
    } else if (this.#request.etcdData) {
      if (found.privateKey === undefined) this.#lost(`${path}.key`, "while etcd holds a cluster's data");
      if (found.certificate === undefined) this.#lost(`${path}.crt`, "while etcd holds a cluster's data");
    }
    this.#attempt(`${path}.key`, "Only RSA and ECDSA (P-256, P-384, P-521) can sign.", () => {
      const type = found.privateKey === undefined ? "ec" : readPrivateKey(found.privateKey).asymmetricKeyType;
      if (type !== "ec" && type !== "rsa") throw new Error(`is a key of type ${type ?? "unknown"}`);
    });
    this.#attempt(`${path}.crt`, "Restore it from a backup.", () => {
      if (found.certificate === undefined) return;
      const certificate = readCertificate(found.certificate);
      if (!certificate.ca) throw new Error("is not the certificate of a CA");
      if (Date.parse(certificate.validTo) > this.#request.nowMs) return;
      this.problems.push({
        code: "CA_EXPIRED",
        message: `${path}.crt ended on ${certificate.validTo}`,
        hint: "Set the clock if it is wrong; otherwise put a renewed certificate for the same key there.",
      });
    });
    return found;
  }

  readServiceAccount(): { privateKey?: string; publicKey?: string } {
    const path = `${paths.pki}/sa`;
    const privateKey = this.#content(`${path}.key`);
    const publicKey = this.#content(`${path}.pub`);
    if (privateKey === undefined) {
      if (this.#request.etcdData) this.#lost(`${path}.key`, "while etcd holds a cluster's data");
      // A public key alone verifies nothing that anyone could still sign.
      return {};
    }
    const derived = this.#attempt(`${path}.key`, "Restore it from a backup.", () => {
      readPrivateKey(privateKey);
      return publicHalf(privateKey);
    });
    this.#attempt(`${path}.pub`, remade(`${path}.pub`), () => {
      if (publicKey === undefined || derived === undefined || publicHalf(publicKey) === derived) return;
      throw new Error(`does not belong to ${path}.key`);
    });
    return { privateKey, ...defined({ publicKey }) };
  }

  readKubeconfig(path: string): FoundKubeconfig | undefined {
    const text = this.#content(path);
    if (text === undefined) return undefined;
    return this.#attempt(path, remade(path), () => {
      const view = readKubeconfig(text);
      if (!view.certificate || !("data" in view.certificate) || !view.key || !("data" in view.key)) return { text, view };
      const [certificate, privateKey] = [view.certificate.data, view.key.data];
      if (!readCertificate(certificate).checkPrivateKey(readPrivateKey(privateKey))) {
        throw new Error("holds a certificate and a key that do not belong together");
      }
      return { text, view, certificate, privateKey };
    });
  }

  checkKnownTokens(): void {
    const path = tokenFilePaths.knownTokens;
    const content = this.#content(path);
    const hint =
      `Add a line \`<6 characters>.<16 characters of [a-z0-9]>,kubelet,kubelet\`, or remove the file: ` +
      "it will be made anew, and each worker then needs its new token.";
    this.#attempt(path, hint, () => {
      if (content === undefined || kubeletToken(content)) return;
      throw new Error("has no token of user kubelet that a join token can be made of");
    });
  }

  #content(path: string): string | undefined {
    return this.#request.existing.get(path)?.content;
  }

  /** What cannot be read becomes a problem instead of an exception: all of them are reported at once. */
  #attempt<T>(path: string, hint: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      const problem = { code: "PKI_BROKEN", message: `${path} ${messageOf(error)}`, hint };
      if (!this.problems.some(({ message }) => message === problem.message)) this.problems.push(problem);
      return undefined;
    }
  }

  #lost(path: string, circumstance: string): void {
    this.problems.push({
      code: "CA_MISSING",
      message: `${path} is missing ${circumstance}`,
      hint: "Restore it from a backup; or give the cluster up with `tsdeploy teardown --purge`.",
    });
  }
}

function remade(files: string): string {
  return `Remove ${files} and run again: it will be made anew.`;
}
