import { nanoid } from "nanoid";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { podsOf, probeApi } from "../apply/probes.js";
import { imageReference } from "../config/imageReference.js";
import { mergeIntoKubeconfig, type OperatorKubeconfig } from "../config/operatorKubeconfig.js";
import { TokenStore } from "../config/tokenStore.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { unknownHost } from "../host/unknownHost.js";
import { presentImage } from "../image/chooseImage.js";
import { chooseNodeImage } from "../image/chooseNodeImage.js";
import { versionByImage } from "../image/versionByImage.js";
import { bootstrapObjects } from "../kubernetes/bootstrapObjects.js";
import { tokenSecret } from "../kubernetes/clusterInfo.js";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import { namedAddress, publicApiserver } from "../kubernetes/networks.js";
import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import { defaultVersion, resolveVersion } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import { messageOf } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import { labels, paths } from "../model/hostLayout.js";
import type { ClusterIdentity, JoinToken } from "../model/identity.js";
import type { MasterOptions } from "../model/options.js";
import { kubeletOf } from "../model/ownership.js";
import { formatJoinToken, makeJoinToken } from "../pki/joinToken.js";
import { type MadeIdentity, makeIdentity, makeSpareIdentity, type SpareIdentity } from "../pki/makeIdentity.js";
import { unmadeIdentity } from "../pki/unmadeIdentity.js";
import { describePlan } from "../plan/describePlan.js";
import { moveOf } from "../plan/movedNode.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { checkDocker } from "./checkDocker.js";
import { type ChangedNode, changeNode, compareNode, isFirstRunOn, type PlannedNode } from "./changeNode.js";
import { refuseEndpoint, warnOfSilence } from "./controlPlaneEndpoint.js";
import { masterConfigurations } from "./clusterConfigurations.js";
import { clusterNodes, hasOthers } from "./clusterNodes.js";
import { masterApi } from "./hostApi.js";
import { HostEtcd } from "./hostEtcd.js";
import { checkTier, type HostSession } from "./hostSession.js";
import {
  fetchHandOver,
  forgetJoined,
  type HandedOver,
  isJoining,
  type JoinedCluster,
  openJoined,
  refuseLivingMember,
  refuseRemovedMember,
  shownConfigOf,
  withHandedOver,
} from "./joinMaster.js";
import { refuseNameOfWorker } from "./membership.js";
import { type OpenedMaster, openMasterHost } from "./openMasterHost.js";
import {
  follow,
  guessedNames,
  identityNames,
  planMasterHost,
  settle,
  type Settled,
  wantedOfMaster,
  wantedWhenFollowed,
} from "./settleMaster.js";
import { systemPullSecret } from "./systemPullSecret.js";
import { withEngine } from "./withEngine.js";

/** A master that runs, and what its operator gets of it. */
export interface DeployedMaster extends ChangedNode {
  readonly config: ClusterConfig;
  /** The line to run on workers; of a first run alone. */
  readonly joinCommand?: string;
  readonly kubeconfig?: OperatorKubeconfig;
}

/** What a master would be. */
export interface PlannedMaster extends PlannedNode {
  readonly config: ClusterConfig;
}

/** This Docker host becomes, or stays, the control plane of a cluster. */
export async function deployMaster(
  requested: MasterOptions,
  context: RunContext,
  extras: MasterExtras = {},
): Promise<DeployedMaster | PlannedMaster> {
  return withEngine(requested, context, (engine) => deployMasterOn(engine, requested, context, extras));
}

/** What else a run is to do for its operator. */
export interface MasterExtras {
  /** Docker's, for whoever has just read them. */
  readonly engineFacts?: EngineFacts;
  /** Whether a first run makes a join token, saves it here and prints it. Default: yes. */
  readonly joinToken?: boolean;
  /**
   * Sees the host as soon as it has been looked at, and has it for as long as it wants; undefined for a dry run that
   * has no image to look with.
   */
  readonly onSession?: (session: HostSession | undefined) => Promise<unknown>;
}

/** The same by a connection that is open. */
export async function deployMasterOn(
  engine: ContainerEngine,
  given: MasterOptions,
  context: RunContext,
  extras: MasterExtras = {},
): Promise<DeployedMaster | PlannedMaster> {
  const engineFacts = extras.engineFacts ?? (await collectEngineFacts(engine));
  const handedOver = isJoining(given) ? await fetchHandOver(engine, engineFacts, given, context) : undefined;
  const own = isJoining(given) && handedOver ? withHandedOver(given, handedOver) : given;
  const requested = await versionByImage(engine, own, context);
  const running = kubeletOf(engineFacts.containers);
  const version = resolveVersion(requested.k8sVersion ?? running?.labels[labels.version] ?? defaultVersion);
  const { clusterName = "", ...known } = wantedOfMaster(requested, version);
  // Not said: an earlier run may have accepted another than the default.
  const wanted = requested.given.has("clusterName") ? { ...known, clusterName } : known;
  await checkDocker({
    ...{ engine, engineFacts, wanted, context },
    image: async () => presentImage(await chooseNodeImage(engine, engineFacts, { requested, version })),
    wantedOn: (observed) => wantedWhenFollowed(follow(requested, observed)),
  });

  let spare: SpareIdentity | undefined;
  const onOpening = (): void => {
    spare ??= makeSpareIdentity(guessedNames(requested, engineFacts, version), Date.now());
  };
  const mayBeFirst = !requested.dryRun && !running && !isJoining(given);
  const opened = await openMasterHost({
    ...{ engine, engineFacts, version, wanted, options: requested, context },
    ...(mayBeFirst && { onOpening }),
  });
  const seeing = extras.onSession?.(opened?.session);
  if (!opened) {
    const [planned] = await Promise.all([planUnknown(requested, engineFacts, version, context), seeing]);
    return planned;
  }
  let released: Promise<void> | undefined;
  const release = (): Promise<void> => {
    const seen = Promise.resolve(seeing).catch(() => undefined);
    released ??= seen.then(() => opened.session.helper.close());
    return released;
  };
  try {
    return await deploy(opened, requested, context, { ...extras, spare, handedOver, release });
  } finally {
    await release();
  }
}

/** Without the image: what a plan says as far as it can be said. */
async function planUnknown(
  requested: MasterOptions,
  engineFacts: EngineFacts,
  version: string,
  context: RunContext,
): Promise<PlannedMaster> {
  const observed = unknownHost(engineFacts);
  return planWithoutIdentity(settle(requested, observed, imageReference({ ...requested, version })), observed, context);
}

async function planWithoutIdentity(
  settled: Settled,
  observed: ObservedHost,
  context: RunContext,
): Promise<PlannedMaster> {
  const plan = await planMasterHost(settled, observed, {
    pkiFiles: unmadeIdentity(identityNames(settled)),
    // A plan for --dry-run has their names, which no CA changes.
    bootstrapObjects: bootstrapObjects(settled.config, "", settled.features, []),
    pullSecret: await systemPullSecret(settled, observed, undefined, context),
  });
  return { kind: "planned", plan, config: settled.config, description: describePlan(plan) };
}

async function deploy(
  { session, image }: OpenedMaster,
  requested: MasterOptions,
  context: RunContext,
  {
    joinToken = true,
    spare,
    handedOver,
    release,
  }: MasterExtras & {
    readonly spare: SpareIdentity | undefined;
    readonly handedOver: HandedOver | undefined;
    /** Ends the helper, for what needs it no more. Never throws. */
    readonly release: () => Promise<void>;
  },
): Promise<DeployedMaster | PlannedMaster> {
  const { helper, observed } = session;
  const settled = settle(requested, observed, image);
  const { options, accepted, features } = settled;
  checkTier(runPreflight("host", observed, wantedWhenFollowed(settled)), context);

  if (options.dryRun && !observed.files.has(`${paths.pki}/ca.key`) && !handedOver) {
    // Docker takes as long to remove the helper as the plan takes to make.
    void release();
    return planWithoutIdentity(settled, observed, context);
  }
  const made = await makeIdentity({
    ...identityNames(settled),
    existing: handedOver ? new Map([...observed.files, ...handedOver.files]) : observed.files,
    clusterName: settled.config.clusterName,
    etcdData: observed.host.etcdData,
    nowMs: observed.host.clockMs,
    spare,
  });
  const caPem = made.identity.ca.certificate;
  const isFirstRun = isFirstRunOn(session);
  const isFounding = isFirstRun && !isJoining(options);
  const makesToken = joinToken && isFounding && features.nodeCredentials === "bootstrap-token";
  const tokens = makesToken ? [makeJoinToken(caPem)] : [];
  const api = masterApi(helper, made.identity, options);
  const own = options.severalMasters ? new HostEtcd(helper, made.identity, options) : undefined;
  let joined: JoinedCluster | undefined;
  try {
    const isUp = !isFirstRun && (await probeApi(api, context.signal)).done;
    if (isJoining(options) && !isUp) joined = await clusterToJoin(session, made.identity, options, context);
    if (joined && observed.host.etcdData) refuseRemovedMember(joined, settled);
    else if (joined) await refuseLivingMember(joined, settled, context.signal);
    const endpoint = settled.config.controlPlaneEndpoint;
    const isNewEndpoint = endpoint !== undefined && options.controlPlaneEndpoint !== accepted?.controlPlaneEndpoint;
    if (isNewEndpoint) await refuseEndpoint(helper, endpoint, caPem, context.signal);
    const cluster = joined?.api ?? api;
    const base = isFounding ? {} : await masterConfigurations(cluster, features, context);
    const answering = isUp || joined ? cluster : undefined;
    const config = await shownConfig(settled, observed, answering, joined?.members ?? own, context);
    const secrets = tokens.map((token) => {
      const expiresMs = observed.host.clockMs + options.tokenTtlMs;
      return tokenSecret(token, { expiresMs, description: "made by tsdeploy master" });
    });
    const objects = [...secrets, ...bootstrapObjects(config, caPem, features, tokens)];
    const pullSecret = await systemPullSecret(settled, observed, isFounding ? undefined : cluster, context);
    const nodes = isUp || joined ? await clusterNodes(cluster, context.signal) : [];
    if (isFirstRun) refuseNameOfWorker(nodes, settled.nodeName);
    const podsOfNodes = nodes.flatMap(podsOf);
    const hasOtherNodes = hasOthers(nodes, settled.nodeName);
    const state = { isUp, hasOtherNodes, podsOfNodes, addonRevision: nanoid() };
    const parts = { pkiFiles: made.files, base, bootstrapObjects: objects, ...state, pullSecret, joins: joined?.from };
    const plan = await planMasterHost({ ...settled, config }, observed, parts);
    if (options.dryRun) return { ...(await compareNode(plan, session, options)), config };
    // Of a further master others have all of it.
    const keepsData = observed.host.etcdData || (accepted !== undefined && !isJoining(options));
    const others = joined?.api;
    const forget = others && (() => forgetJoined(others, settled, options, context));
    const change = { plan, session, api, etcd: own, options, keepsData, forget, context };
    const outcome = await changeNode(change);
    if (isNewEndpoint) await warnOfSilence(helper, endpoint, caPem, context);
    const token = isFounding && joinToken ? (made.joinToken ?? tokens[0]) : undefined;
    const former = observed.files.get(paths.adminConf)?.content;
    return { ...outcome, config, ...(await giveToOperator({ ...settled, config }, made, token, former, context)) };
  } finally {
    api.close();
    own?.close();
    joined?.close();
  }
}

/** With data here the run goes on without the others, should they not be there: etcd here may know them. */
async function clusterToJoin(
  { helper, observed }: HostSession,
  identity: ClusterIdentity,
  options: MasterOptions & { readonly join: string },
  context: RunContext,
): Promise<JoinedCluster | undefined> {
  return openJoined(helper, identity, options, context).catch((error: unknown) => {
    context.signal.throwIfAborted();
    if (!observed.host.etcdData) throw error;
    return undefined;
  });
}

/** One of several masters shows what the cluster shows. @param cluster undefined if it does not answer */
async function shownConfig(
  settled: Settled,
  observed: ObservedHost,
  cluster: KubernetesClient | undefined,
  members: readonly EtcdMember[] | HostEtcd | undefined,
  { signal }: RunContext,
): Promise<ClusterConfig> {
  const { config } = settled;
  if (!cluster || !members) return config;
  const known = members instanceof HostEtcd ? await members.membersHere(signal) : members;
  return shownConfigOf(cluster, known, config, moveOf(observed, settled)?.was, signal);
}

/** The cluster runs by now: what the operator's own files refuse is no failure of it. */
async function giveToOperator(
  { config, options, nodeName }: Settled,
  made: MadeIdentity,
  joinToken: JoinToken | undefined,
  formerAdminConf: string | undefined,
  context: RunContext,
): Promise<Pick<DeployedMaster, "joinCommand" | "kubeconfig">> {
  const warn = (what: string) => (error: unknown) => {
    context.report({ kind: "warning", message: `${what}: ${messageOf(error)}` });
    return undefined;
  };
  const server = publicApiserver(config);
  const address = namedAddress(server);
  const name = isJoining(options) ? `${config.clusterName}-${nodeName}` : config.clusterName;
  const token = joinToken && formatJoinToken(joinToken);
  if (token !== undefined) {
    await new TokenStore(context.env)
      .save(new URL(server).host, token)
      .catch(warn("the join token could not be saved here"));
  }
  const adminConf = made.files.find(({ path }) => path === paths.adminConf)?.content ?? "";
  const { kubeconfig: path } = options;
  return defined({
    joinCommand: token && `tsdeploy worker --master ${address} --token ${token}`,
    kubeconfig:
      path === undefined
        ? undefined
        : await mergeIntoKubeconfig(adminConf, name, path, context, serverOf(formerAdminConf)).catch(
            warn(`the cluster could not be added to ${path}`),
          ),
  });
}

function serverOf(kubeconfig: string | undefined): string | undefined {
  try {
    return kubeconfig === undefined ? undefined : readKubeconfig(kubeconfig).server;
  } catch {
    return undefined;
  }
}
