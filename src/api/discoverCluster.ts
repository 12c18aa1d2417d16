import type { Duplex } from "node:stream";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { clusterInfoPath, isSignatureOf, readClusterInfo } from "../kubernetes/clusterInfo.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { JoinToken } from "../model/identity.js";
import { bootstrapToken, pinnedCertificate } from "../pki/joinToken.js";
import { readCertificate } from "../pki/readCertificate.js";
import { ApiError, apiFault, caMismatch, notKubernetes, tokenRefused } from "./apiFault.js";
import { EarlyConnection } from "./earlyConnection.js";
import { KubernetesClient, type RequestOptions } from "./kubernetesClient.js";

export interface DiscoverOptions extends RequestOptions {
  readonly token: JoinToken;
  /** `10.0.0.5:6443`, as the user named it. */
  readonly apiserver: string;
  /** A raw byte stream to it. */
  readonly connect: () => Promise<Duplex>;
  readonly timeoutMs?: number;
}

/** What a worker learns of the cluster by its token alone. */
export interface DiscoveredCluster {
  readonly caPem: string;
  readonly config: ClusterConfig;
  /** By the token; whoever asked closes it. */
  readonly client: KubernetesClient;
}

/**
 * Finds out by a join token what cluster this is, as `kubeadm join` does: its CA, believed for the token's hash of it,
 * and no certificate beside that one; then the cluster's configuration over verified TLS. A server that shows its CA in
 * the handshake proves it by that; else cluster-info does, by its signature with the token's secret.
 *
 * @throws TsdeployError `TOKEN_REFUSED`, `CA_MISMATCH`, `NOT_TSDEPLOY`, `NOT_KUBERNETES`, `API_UNREACHABLE`,
 * `CLOCK_SKEW`, `ADDRESS_MISMATCH`
 */
export async function discoverCluster(options: DiscoverOptions): Promise<DiscoveredCluster> {
  const { token, apiserver } = options;
  const server = `https://${apiserver}`;
  // The CA comes by a connection that nobody has verified; the rest by another one.
  const verified = new EarlyConnection(options.connect);
  const caPem = await discoverCa(server, options).catch((error: unknown) => {
    verified.drop();
    throw error;
  });

  const credentials = { token: bootstrapToken(token) };
  const { connect } = verified;
  const client = new KubernetesClient({ ...clientOptions(server, { ...options, connect }), caPem, credentials });
  try {
    return { caPem, config: parseClusterConfig(await client.get(clusterConfigPath, options)), client };
  } catch (error) {
    client.close();
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) throw tokenRefused(apiserver, "it is wrong, has expired, or was revoked");
    if (error.status === 403 || error.status === 404) throw notTsdeploy(apiserver, "ConfigMap kube-system/tsdeploy", error);
    throw apiFault(server, error);
  }
}

async function discoverCa(server: string, options: DiscoverOptions): Promise<string> {
  const { token, apiserver } = options;
  const anyone = new KubernetesClient(clientOptions(server, options));
  try {
    const answer = await anyone.get(clusterInfoPath, options).catch((error: unknown) => {
      if (error instanceof ApiError) return error;
      throw error;
    });
    const shown = pinnedCertificate(anyone.peerCertificates.join(""), token.caHash);
    if (shown !== undefined) return shown;
    if (answer instanceof ApiError) throw noClusterInfo(answer, anyone.peerCertificates, options);

    const claim = readClusterInfo(answer);
    if (!claim) throw notTsdeploy(apiserver, "a cluster-info with its CA");
    const caPem = pinnedCertificate(claim.caPem, token.caHash);
    if (caPem === undefined) throw caMismatch(apiserver);
    const signature = claim.signatures.get(token.id);
    if (signature === undefined) throw tokenRefused(apiserver, "it has expired, was revoked, or was never this cluster's");
    if (!isSignatureOf(signature, claim.kubeconfig, token)) throw tokenRefused(apiserver, "its secret is wrong");
    return caPem;
  } finally {
    anyone.close();
  }
}

/** What it means that a server shows neither the CA nor a cluster-info. */
function noClusterInfo(
  answer: ApiError,
  peerCertificates: readonly string[],
  { apiserver }: DiscoverOptions,
): TsdeployError {
  const { status, reason } = answer;
  const isRefusal = [401, 403, 404].includes(status);
  // A cluster that is joined by this CA shows it to everyone, but cluster-info to nobody.
  if (isRefusal && peerCertificates.some(isCa)) return caMismatch(apiserver);
  if (reason === "") return notKubernetes(apiserver, `it answered ${status} without a word of Kubernetes'`);
  if (isRefusal) return notTsdeploy(apiserver, "a public cluster-info", answer);
  return apiFault(`https://${apiserver}`, answer);
}

function clientOptions(
  server: string,
  { connect, timeoutMs }: DiscoverOptions,
): { server: string; connect: () => Promise<Duplex>; timeoutMs?: number } {
  return { server, connect, ...defined({ timeoutMs }) };
}

function isCa(pem: string): boolean {
  return readCertificate(pem).ca;
}

function notTsdeploy(apiserver: string, missing: string, cause?: unknown): TsdeployError {
  return new TsdeployError(
    "conflict",
    {
      code: "NOT_TSDEPLOY",
      message: `the Kubernetes at ${apiserver} was not made by tsdeploy: it shows no ${missing}`,
      hint: "Name a master that `tsdeploy master` made; if it is one, run that again there.",
    },
    { cause },
  );
}
