import type { Duplex } from "node:stream";
import { ApiError } from "../api/apiFault.js";
import { discoverCluster } from "../api/discoverCluster.js";
import { KubernetesClient } from "../api/kubernetesClient.js";
import { openDirectly } from "../api/openDirectly.js";
import { deleteNode } from "../apply/leaveCluster.js";
import { hostOf } from "../apply/etcdMembership.js";
import { type AcceptedOptions, isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { type Helper, openHelper } from "../host/helperSession.js";
import { helperImage } from "../image/helperImage.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import { handOverPath, sealedIn } from "../kubernetes/masterToken.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { EngineFacts, ExistingFile } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { ClusterIdentity } from "../model/identity.js";
import type { MasterOptions } from "../model/options.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import { openHandOver } from "../pki/handOver.js";
import { type MasterToken, parseMasterToken } from "../pki/joinToken.js";
import { peerUrl } from "../plan/etcdContainer.js";
import type { NodeIdentity } from "../plan/nodeIdentity.js";
import type { RunContext } from "../report/runContext.js";
import { HostEtcd } from "./hostEtcd.js";
import { masterAddress, masterAddresses } from "./membership.js";

/** What a host without a cluster's identity gets of it by a master's token. */
export interface HandedOver {
  /** As they will lie on this host. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  /** What the other master has accepted. */
  readonly accepted: AcceptedOptions;
  /** Reference of the cluster's image. */
  readonly config: ClusterConfig;
}

type JoinOptions = MasterOptions & { readonly join: string };

/** Whether a run is of a further master, as far as its own options say. */
export function isJoining(options: MasterOptions): options is JoinOptions {
  return options.join !== undefined;
}

/**
 * What this host needs of the cluster. A run that was cut short may have brought it already.
 *
 * @returns undefined if it is here
 * @throws TsdeployError `conflict`, `ALREADY_MASTER`; `usage`, `TOKEN_MISSING`; as `discoverCluster` and
 * `openHandOver` do
 */
export async function fetchHandOver(
  engine: ContainerEngine,
  engineFacts: EngineFacts,
  options: JoinOptions,
  context: RunContext,
): Promise<HandedOver | undefined> {
  const image = await helperImage(engine, engineFacts.containers);
  // Without an image here the operator's machine has to reach the master.
  const helper = image === undefined ? undefined : await openHelper(engine, image, { report: context.report });
  try {
    const files = (await helper?.readFiles()) ?? new Map<string, ExistingFile>();
    if (hasJoined(files)) return undefined;
    return await byToken(helper, parseMasterToken(await tokenOf(options, context)), options, context);
  } finally {
    await helper?.close();
  }
}

/** Whether an earlier run has brought here what a further master needs. */
function hasJoined(files: ReadonlyMap<string, ExistingFile>): boolean {
  refuseFirstMaster(files);
  return isMasterOptions(files.get(paths.options)?.content) && files.has(`${paths.pki}/ca.key`);
}

/** @throws TsdeployError `conflict`, `ALREADY_MASTER` */
export function refuseFirstMaster(files: ReadonlyMap<string, ExistingFile>): void {
  const known = files.get(paths.options)?.content;
  if (known === undefined || !isMasterOptions(known) || parseAcceptedOptions(known).join !== undefined) return;
  throw new TsdeployError("conflict", {
    code: "ALREADY_MASTER",
    message: "this host is, or keeps, the first master of a cluster",
    hint: "Leave out --join to go on with that one; `tsdeploy teardown --purge` deletes it for good.",
  });
}

async function byToken(
  helper: Helper | undefined,
  token: MasterToken,
  options: JoinOptions,
  { signal }: RunContext,
): Promise<HandedOver> {
  const { host, port } = masterAddress(options.join);
  const connect = (): Promise<Duplex> => (helper ? helper.openTcp(host, port) : openDirectly(host, port));
  const timeoutMs = requestTimeoutMs(options.timeoutMs);
  const apiserver = `${host}:${port}`;
  const { config, client } = await discoverCluster({ token, apiserver, connect, signal, timeoutMs });
  try {
    const secret = await client.get(handOverPath(token.id), { signal }).catch((error: unknown) => {
      throw error instanceof ApiError && [403, 404].includes(error.status) ? notForMasters() : error;
    });
    const sealed = sealedIn(secret);
    if (sealed === undefined) throw notForMasters();
    const { files, options: text } = openHandOver(sealed, token);
    const modeOf = (path: string): number => (path.endsWith(".key") ? 0o600 : 0o644);
    return {
      files: new Map([...files].map(([path, content]) => [path, { content, mode: modeOf(path) }])),
      accepted: parseAcceptedOptions(text),
      config,
    };
  } finally {
    client.close();
  }
}

/** What another master has accepted and is not its node's own, unless the person has said otherwise for this one. */
export function withHandedOver(options: JoinOptions, { accepted, config }: HandedOver): JoinOptions {
  const { given } = options;
  // The cluster may be at another version than that master's host has last been told.
  const followed = Object.entries({ ...accepted, k8sVersion: config.version, image: config.image }).filter(
    ([key]) => !ofNode.has(key) && (!given.has(key) || isClusterWide(key)),
  );
  return { ...options, ...Object.fromEntries(followed) };
}

/** What a master has accepted of its own node. */
const ofNode: ReadonlySet<string> = new Set([
  "ip",
  "ipInterface",
  "nodeName",
  "nodeLabels",
  "nodeTaints",
  "networkInterface",
  "etcdVersion",
  "join",
]);

/** A file may say these of a cluster that is there already. */
function isClusterWide(key: string): boolean {
  return ["clusterName", "podCidr", "serviceCidr", "clusterDomain", "network", "severalMasters", "controlPlaneEndpoint", "k8sVersion"].includes(key);
}

async function tokenOf({ token, join }: JoinOptions, context: RunContext): Promise<string> {
  if (token !== undefined) return token;
  const where = "`tsdeploy token create --role master` there prints one";
  if (context.isTTY) return context.askSecret(`Token for masters of ${join} (${where}): `);
  throw new TsdeployError("usage", {
    code: "TOKEN_MISSING",
    message: `a token for masters is needed to join the cluster at ${join}`,
    hint: "Run `tsdeploy token create --role master` there; give what it prints by --token, --token-file - or TSDEPLOY_TOKEN.",
  });
}

/** A cluster as a further master sees it before its own API server runs. */
export interface JoinedCluster {
  /** As its administrator, by the master that was named. */
  readonly api: KubernetesClient;
  readonly etcd: HostEtcd;
  /** Address of a master whose etcd answers. */
  readonly from: string;
  readonly members: readonly EtcdMember[];
  close(): void;
}

/** @throws TsdeployError `unreachable` if the master that was named, or every etcd, does not answer */
export async function openJoined(
  helper: Helper,
  identity: ClusterIdentity,
  options: JoinOptions,
  { signal }: RunContext,
): Promise<JoinedCluster> {
  const { host, port } = masterAddress(options.join);
  const api = new KubernetesClient({
    server: `https://${host}:${port}`,
    connect: () => helper.openTcp(host, port),
    caPem: identity.ca.certificate,
    credentials: { keyPair: identity.admin },
    timeoutMs: requestTimeoutMs(options.timeoutMs),
  });
  const etcd = new HostEtcd(helper, identity, options);
  const close = (): void => {
    api.close();
    etcd.close();
  };
  try {
    const hosts = [...new Set([host, ...(await masterAddresses(api, signal))])];
    let failure: unknown;
    for (const from of hosts) {
      try {
        const { members } = await etcd.at(from).members({ signal });
        return { api, etcd, from, members, close };
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Two members of one name would be one that was lost and its successor.
 *
 * @throws TsdeployError `conflict`, `NODE_NAME_TAKEN`, if a member of this name answers
 */
export async function refuseLivingMember(
  { etcd, members }: JoinedCluster,
  { nodeName, nodeIp }: NodeIdentity,
  signal: AbortSignal,
): Promise<void> {
  const namesake = members.filter((member) => member.name === nodeName && !member.peerUrls.includes(peerUrl(nodeIp)));
  const living = await etcd.living(namesake, signal);
  if (living.size === 0) return;
  throw new TsdeployError("conflict", {
    code: "NODE_NAME_TAKEN",
    message: `the cluster has a master named ${nodeName}, whose etcd answers`,
    hint: "Give this one another name with --node-name, or tear that one down first.",
  });
}

/**
 * One that was taken for lost comes back to a cluster that knows it no more: its etcd would only end.
 *
 * @throws TsdeployError `conflict`, `MEMBER_REMOVED`
 */
export function refuseRemovedMember({ members }: JoinedCluster, { nodeName, nodeIp }: NodeIdentity): void {
  if (members.some(({ name, peerUrls }) => name === nodeName || peerUrls.includes(peerUrl(nodeIp)))) return;
  throw new TsdeployError("conflict", {
    code: "MEMBER_REMOVED",
    message: `master ${nodeName} was removed from the cluster, and what its etcd has is of no use any more`,
    hint: "Run `tsdeploy teardown` here; then it can join anew: `tsdeploy token create --role master` on a master prints the line.",
  });
}

/**
 * What a cluster of several masters shows of itself: the address that it has shown before, as long as there is a
 * master, and the add-ons of that one; else this one's.
 *
 * @param was where this master was before it moved
 */
export async function shownConfigOf(
  api: KubernetesClient,
  members: readonly EtcdMember[],
  own: ClusterConfig,
  was: string | undefined,
  signal: AbortSignal,
): Promise<ClusterConfig> {
  const shown = await api.get(clusterConfigPath, { signal }).then(parseClusterConfig, (error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return own;
    throw error;
  });
  refuseOtherEndpoint(shown, own);
  const host = new URL(shown.apiserver).hostname;
  const isOwn = shown.apiserver === own.apiserver || host === was;
  if (isOwn || !members.some((member) => hostOf(member) === host)) return own;
  const { apiserver, addons, dnsFromImage } = shown;
  return { ...own, apiserver, addons, ...defined({ dnsFromImage }) };
}

/** Each master writes what the cluster shows: one that has not heard of a change would take it back. */
function refuseOtherEndpoint(shown: ClusterConfig, own: ClusterConfig): void {
  if (shown.controlPlaneEndpoint === undefined || shown.apiserver === own.apiserver) return;
  if (shown.controlPlaneEndpoint === own.controlPlaneEndpoint) return;
  throw new TsdeployError("conflict", {
    code: "ENDPOINT_DIFFERS",
    message: `the cluster's control-plane endpoint is ${shown.controlPlaneEndpoint}, and not ${own.controlPlaneEndpoint ?? "a master"}`,
    hint: `Say --control-plane-endpoint ${shown.controlPlaneEndpoint} here, too; another one is for the master at ${new URL(shown.apiserver).hostname} to begin with.`,
  });
}

/** Takes the Node of a failed run out of the cluster, when nothing of it runs any more; never throws. */
export async function forgetJoined(
  api: KubernetesClient,
  { nodeName }: Pick<NodeIdentity, "nodeName">,
  { timeoutMs }: Pick<MasterOptions, "timeoutMs">,
  context: RunContext,
): Promise<void> {
  await deleteNode(api, nodeName, AbortSignal.timeout(timeoutMs)).catch((error: unknown) => {
    context.report({ kind: "warning", message: `node ${nodeName} is still in the cluster: ${messageOf(error)}` });
  });
}

function notForMasters(): TsdeployError {
  return new TsdeployError("unreachable", {
    code: "TOKEN_REFUSED",
    message: "the cluster keeps nothing for a further master by this token: it has ended, or was not made for masters",
    hint: "Make one on a master: `tsdeploy token create --role master`.",
  });
}
