import { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { ApiError } from "../api/apiFault.js";
import { discoverCluster } from "../api/discoverCluster.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { openDirectly } from "../api/openDirectly.js";
import { isMasterNode, isReadyNode, type Node, nodeOf } from "../apply/probes.js";
import { acceptedNode } from "../config/acceptedOptions.js";
import { TokenStore } from "../config/tokenStore.js";
import type { Helper } from "../host/helperSession.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { hasBalancers, workerApiserver } from "../kubernetes/networks.js";
import { type DataOrFile, readKubeconfig, withServer } from "../kubernetes/kubeconfig.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { isProblem, TsdeployError } from "../model/errors.js";
import type { ExistingFile, ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import type { WorkerOptions } from "../model/options.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import { parseJoinToken } from "../pki/joinToken.js";
import { nodeKubeconfig } from "../pki/nodeKubeconfig.js";
import type { Wanted } from "../preflight/check.js";
import type { RunContext } from "../report/runContext.js";
import { clusterConfigurations, type FoundConfigurations } from "./clusterConfigurations.js";
import { apiByKubeconfig } from "./hostApi.js";
import type { HostSession } from "./hostSession.js";
import type { SeenCluster } from "./seenCluster.js";

/** What workers follow, as their cluster says it. */
export interface FollowedCluster {
  readonly config: ClusterConfig;
  readonly configurations: FoundConfigurations;
  /** Addresses of the masters, where a node has to know them. */
  readonly masters: readonly string[];
  /** Of the API server's certificate: the worker's kubelet will look at it by the worker's clock. */
  readonly validity: Wanted["validity"];
}

/** What is known of the cluster of a host. */
export interface KnownMembership extends FollowedCluster {
  /** CA certificate, and the bootstrap kubeconfig of a node that has not joined. */
  readonly credentials: readonly HostFile[];
  readonly hasJoined: boolean;
}

/** The same, and the client by which this run speaks to the cluster. */
export interface Membership extends KnownMembership {
  readonly api: KubernetesClient;
}

/**
 * By which connections to the master are made: the helper of the moment, which another image replaces. Without an image
 * here the worker's own network cannot be used yet.
 */
export interface WayToMaster {
  helper: Helper | undefined;
}

type JoinOptions = Pick<WorkerOptions, "master" | "token" | "timeoutMs">;

export interface MembershipInput {
  readonly way: WayToMaster;
  /** Of the host, if an image is here. */
  readonly session: HostSession | undefined;
  readonly options: JoinOptions;
  readonly context: RunContext;
  /** By the token, for whoever began early. */
  readonly byToken?: Promise<Membership> | undefined;
}

/**
 * The cluster that `--master` names, by the node's own credential if it has joined, else by a token.
 *
 * @throws TsdeployError `conflict`, `ALREADY_JOINED`, if the node is one of another cluster
 */
export async function findMembership(input: MembershipInput): Promise<Membership> {
  const { way, session, options, context, byToken } = input;
  const joined = session && (await joinedMembership(way, session, options, context.signal));
  return joined ?? (await (byToken ?? membershipByToken(way, options, context)));
}

/** The cluster as a node sees it that is to join it. */
export async function membershipByToken(
  way: WayToMaster,
  options: JoinOptions,
  context: RunContext,
): Promise<Membership> {
  const { host, port } = masterAddress(options.master);
  const apiserver = apiserverOf(options.master);
  const token = parseJoinToken(await joinToken(options, context));
  const connect = (): Promise<Duplex> => openTcp(way, host, port);
  const timeoutMs = requestTimeoutMs(options.timeoutMs);
  const { signal } = context;
  const { caPem, config, client } = await discoverCluster({ token, apiserver, connect, signal, timeoutMs });
  const credentials = [caCertificate(caPem), nodeKubeconfig(config, caPem, token)];
  try {
    return { ...(await followedCluster(client, config, host, signal)), api: client, credentials, hasJoined: false };
  } catch (error) {
    client.close();
    throw error;
  }
}

/**
 * By the address that `--master` names: that in the node's kubeconfig may be of before the master had another one.
 * Undefined if the node has no credential, or one that is good no more: it then needs a token again.
 */
async function joinedMembership(
  way: WayToMaster,
  { helper, observed }: HostSession,
  options: JoinOptions,
  signal: AbortSignal,
): Promise<Membership | undefined> {
  const ca = observed.files.get(`${paths.pki}/ca.crt`)?.content;
  const kubeconfig = observed.files.get(paths.kubeletConf);
  if (ca === undefined || !kubeconfig) return undefined;
  const lasting: Pick<Helper, "run" | "openTcp"> = {
    run: async (...script) => helper.run(...script),
    openTcp: async (host, port) => openTcp(way, host, port),
  };
  const { host, port } = masterAddress(options.master);
  const how = { timeoutMs: requestTimeoutMs(options.timeoutMs), server: `https://${host}:${port}` };
  // The kubelet writes its kubeconfig before it has got the certificate that this names.
  const api = await apiByKubeconfig(lasting, observed.files, paths.kubeletConf, how).catch((error: unknown) => {
    if (isProblem(error, "KUBECONFIG_BROKEN")) return undefined;
    throw error;
  });
  if (!api) return undefined;
  try {
    const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
    const credentials = [caCertificate(ca), ...movedKubeconfig(kubeconfig, config)];
    return { ...(await followedCluster(api, config, host, signal)), api, credentials, hasJoined: true };
  } catch (error) {
    api.close();
    if (error instanceof ApiError && error.status === 401) return undefined;
    throw otherCluster(error, new URL(readKubeconfig(kubeconfig.content).server), options.master);
  }
}

/**
 * The same by what a master says, if that is enough to compare this host: it is a node of that cluster, and Ready, so
 * that its kubelet's credential was good a short while ago; and it still has that.
 */
export function membershipBy(
  { followed, nodes }: SeenCluster,
  { files, host }: Pick<ObservedHost, "files" | "host">,
): KnownMembership | undefined {
  const ca = files.get(`${paths.pki}/ca.crt`)?.content;
  const kubeconfig = files.get(paths.kubeletConf);
  const name = acceptedNode(files)?.nodeName;
  if (!followed || !kubeconfig || ca !== followed.caPem) return undefined;
  if (!nodes.some((node) => node.metadata.name === name && isReadyNode(node))) return undefined;
  try {
    const { certificate, key } = readKubeconfig(kubeconfig.content);
    const isThere = (part: DataOrFile | undefined): boolean =>
      part === undefined || "data" in part || host.entries.includes(part.file);
    if (![certificate, key].every(isThere)) return undefined;
    const credentials = [caCertificate(ca), ...movedKubeconfig(kubeconfig, followed.config)];
    return { ...followed, credentials, hasJoined: true };
  } catch {
    // One that cannot be read: whoever asks by it says so.
    return undefined;
  }
}

/** @param named the master that is asked, as it is named */
export async function followedCluster(
  api: KubernetesClient,
  config: ClusterConfig,
  named: string,
  signal: AbortSignal,
): Promise<FollowedCluster> {
  const configurations = await clusterConfigurations(api, signal);
  const masters = await mastersOf(api, config, named, signal);
  return { config, configurations, masters, validity: validityOf(api) };
}

/** That which was named at least: an older cluster may not let who joins see the others. */
async function mastersOf(
  api: KubernetesClient,
  config: ClusterConfig,
  named: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!hasBalancers(config)) return [];
  const addresses = await masterAddresses(api, signal).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 403) return [];
    throw error;
  });
  return addresses.length > 0 ? addresses : [named];
}

/** Where API servers say that they are. */
export async function masterAddresses(api: KubernetesClient, signal: AbortSignal): Promise<string[]> {
  interface Endpoints {
    readonly subsets?: readonly { readonly addresses?: readonly { readonly ip: string }[] }[];
  }
  const { subsets = [] } = await api.get<Endpoints>("/api/v1/namespaces/default/endpoints/kubernetes", { signal });
  return subsets.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip));
}

/** The kubelet's kubeconfig, if the master is elsewhere than that says. */
function movedKubeconfig({ content, mode }: ExistingFile, config: ClusterConfig): HostFile[] {
  const apiserver = workerApiserver(config);
  if (readKubeconfig(content).server === apiserver) return [];
  return [{ path: paths.kubeletConf, mode, content: withServer(content, apiserver), secret: true }];
}

/** A master may be named by another name or address than the node's kubeconfig does: its CA decides. */
function otherCluster(error: unknown, joined: URL, master: string): unknown {
  const { host, port } = masterAddress(master);
  if (joined.host === `${host}:${port}` || !isProblem(error, "CA_MISMATCH")) return error;
  return new TsdeployError("conflict", {
    code: "ALREADY_JOINED",
    message: `this host is a node of the cluster at ${joined.origin}, not of that at ${master}`,
    hint: "Run `tsdeploy teardown` here first.",
  });
}

/** The token of this run, or else one that the operator has of that cluster. */
export async function knownToken(options: JoinOptions, { env }: RunContext): Promise<string | undefined> {
  return options.token ?? new TokenStore(env).load(apiserverOf(options.master));
}

async function joinToken(options: JoinOptions, context: RunContext): Promise<string> {
  const { isTTY } = context;
  const token = await knownToken(options, context);
  if (token !== undefined) return token;
  const apiserver = apiserverOf(options.master);
  const where = "`tsdeploy token create` on the master prints one";
  if (isTTY) return context.askSecret(`Join token of ${apiserver} (${where}): `);
  throw new TsdeployError("usage", {
    code: "TOKEN_MISSING",
    message: `a join token is needed to join the cluster at ${apiserver}`,
    hint: "Run `tsdeploy token create` on the master; give what it prints by --token, --token-file - or TSDEPLOY_TOKEN.",
  });
}

/**
 * Two kubelets under one name would overwrite each other's state.
 *
 * @throws TsdeployError `conflict`, `NODE_NAME_TAKEN`
 */
export async function refuseTakenName(api: KubernetesClient, nodeName: string, signal: AbortSignal): Promise<void> {
  const node = await nodeOf(api, nodeName, signal).catch((error: unknown) => {
    // An older cluster may not let who joins see its nodes.
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  });
  if (node && isReadyNode(node)) throw nameTaken(nodeName);
}

/**
 * For a further master. A master of that name may be this one, whose data was lost: that is for its etcd to say.
 *
 * @throws TsdeployError `conflict`, `NODE_NAME_TAKEN`
 */
export function refuseNameOfWorker(nodes: readonly Node[], nodeName: string): void {
  const namesake = nodes.find(({ metadata }) => metadata.name === nodeName);
  if (namesake && isReadyNode(namesake) && !isMasterNode(namesake)) throw nameTaken(nodeName);
}

function nameTaken(nodeName: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "NODE_NAME_TAKEN",
    message: `the cluster has a Ready node named ${nodeName}`,
    hint: `Give this one another name with --node-name, or remove the other: kubectl delete node ${nodeName}.`,
  });
}

function validityOf(api: KubernetesClient): Wanted["validity"] {
  const [pem] = api.peerCertificates;
  if (pem === undefined) return undefined;
  const { validFrom, validTo } = new X509Certificate(pem);
  return { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) };
}

async function openTcp({ helper }: WayToMaster, host: string, port: number): Promise<Duplex> {
  return helper ? helper.openTcp(host, port) : openDirectly(host, port);
}

function caCertificate(content: string): HostFile {
  return { path: `${paths.pki}/ca.crt`, mode: 0o644, content, secret: false };
}

function apiserverOf(master: string): string {
  const { host, port } = masterAddress(master);
  return `${host}:${port}`;
}

/** Of an API server as a person names it. */
export function masterAddress(text: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`https://${text}`);
  return { host: hostname, port: port === "" ? (text.endsWith(":443") ? 443 : apiserverPort) : Number(port) };
}
