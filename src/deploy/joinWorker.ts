import type { KubernetesClient } from "../api/kubernetesClient.js";
import { imageReference } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import type { Helper } from "../host/helperSession.js";
import { unknownHost } from "../host/unknownHost.js";
import type { ImageChoice } from "../image/chooseImage.js";
import { chooseNodeImage, reportMissingImage } from "../image/chooseNodeImage.js";
import { versionByImage } from "../image/versionByImage.js";
import { defaultVersion, featuresOf, resolveVersion } from "../kubernetes/versions.js";
import { checkSkew } from "../kubernetes/versionSkew.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import type { EngineFacts } from "../model/hostFacts.js";
import { imageLabels } from "../model/imageLabels.js";
import type { WorkerOptions } from "../model/options.js";
import { kubeletOf } from "../model/ownership.js";
import { describePlan } from "../plan/describePlan.js";
import { followMove } from "../plan/movedNode.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { bringDnsImage } from "./bringDnsImage.js";
import { checkDocker } from "./checkDocker.js";
import { type ChangedNode, changeNode, compareNode, type PlannedNode } from "./changeNode.js";
import { configurationsFor } from "./clusterConfigurations.js";
import { checkTier, type HostSession, openSession } from "./hostSession.js";
import {
  findMembership,
  type KnownMembership,
  knownToken,
  type Membership,
  membershipBy,
  membershipByToken,
  refuseTakenName,
  type WayToMaster,
} from "./membership.js";
import type { SeenCluster } from "./seenCluster.js";
import { followWorker, planWorkerHost, type SettledWorker, wantedOfWorker } from "./settleWorker.js";
import { withEngine } from "./withEngine.js";

/** A worker that is a node of its cluster. */
export interface JoinedWorker extends ChangedNode {
  readonly config: ClusterConfig;
  /** The node's own, such as `v1.20.2`. */
  readonly version: string;
}

/** This Docker host joins, or stays in, a cluster. */
export async function joinWorker(
  requested: WorkerOptions,
  context: RunContext,
): Promise<JoinedWorker | PlannedNode> {
  return withEngine(requested, context, (engine) => joinWorkerOn(engine, requested, context));
}

/** What whoever looks at many hosts knows already. */
export interface WorkerExtras {
  /** As a master sees it, in place of the options' `master`; the host is looked at while that is found out. */
  readonly cluster?: Promise<SeenCluster>;
  /** Docker's, just read. */
  readonly engineFacts?: EngineFacts;
}

/** The same by a connection that is open. */
export async function joinWorkerOn(
  engine: ContainerEngine,
  given: WorkerOptions,
  context: RunContext,
  extras: WorkerExtras = {},
): Promise<JoinedWorker | PlannedNode> {
  const requested = await versionByImage(engine, given, context);
  const engineFacts = extras.engineFacts ?? (await collectEngineFacts(engine));
  const wanted = wantedOfWorker(requested);
  const image = async (): Promise<string | undefined> => localImage({ engine, engineFacts }, requested);
  const { warnings } = await checkDocker({ engine, engineFacts, wanted, context, image });
  const docker: DockerHost = { engine, engineFacts, warnings, context };
  const way: WayToMaster = { helper: undefined };
  // A host that is no node yet can only join by its token: the cluster is looked at while the host is.
  const isNew =
    kubeletOf(engineFacts.containers) === undefined && (await knownToken(requested, context)) !== undefined;
  let byToken: Promise<Membership> | undefined;
  try {
    const first = await openLocalImage(docker, requested, (helper) => {
      way.helper = helper;
      if (isNew) byToken = membershipByToken(way, requested, context);
      // Whoever needs it hears of its failure; until then it is nobody's.
      byToken?.catch(() => undefined);
    });
    const followed = first ? followWorker(requested, first.session.observed) : requested;
    const cluster = await extras.cluster;
    const options = { ...followed, master: cluster?.master ?? followed.master };
    // To change a node, the cluster has to be asked on the way that its kubelet takes.
    const known = cluster && first && options.dryRun ? membershipBy(cluster, first.session.observed) : undefined;
    if (known) return await join({ docker, first, way, membership: known, api: undefined, options });
    const membership = await findMembership({ way, session: first?.session, options, context, byToken });
    const { api } = membership;
    try {
      return await join({ docker, first, way, membership, api, options });
    } finally {
      api.close();
    }
  } finally {
    void byToken?.then(
      ({ api }) => {
        api.close();
      },
      () => undefined,
    );
    await way.helper?.close();
  }
}

/** A host as far as Docker's API shows it. */
interface DockerHost {
  readonly engine: ContainerEngine;
  readonly engineFacts: EngineFacts;
  /** Those that have been reported. */
  readonly warnings: readonly string[];
  readonly context: RunContext;
}

/** A host, and the image that its helper runs from. */
interface OpenedWorker {
  readonly session: HostSession;
  readonly image: string;
}

interface Joining {
  readonly docker: DockerHost;
  /** Opened before the cluster has said which image the node is to run from. */
  readonly first: OpenedWorker | undefined;
  readonly way: WayToMaster;
  readonly membership: KnownMembership;
  /** Undefined for a dry run that need not ask the cluster. */
  readonly api: KubernetesClient | undefined;
  /** Those of an earlier run included. */
  readonly options: WorkerOptions;
}

/** With an image that is here the host itself connects to the master, on the way that its kubelet will take. */
async function openLocalImage(
  docker: DockerHost,
  options: WorkerOptions,
  onOpen: (helper: Helper) => void,
): Promise<OpenedWorker | undefined> {
  const image = await localImage(docker, options);
  if (image === undefined) return undefined;
  const session = await openSession({
    ...docker,
    image: { how: "present", reference: image },
    version: defaultVersion,
    wanted: wantedOfWorker(options),
    options,
    onOpen,
  });
  return { session, image };
}

async function localImage(
  { engine, engineFacts }: Pick<DockerHost, "engine" | "engineFacts">,
  { image, registry, k8sVersion }: WorkerOptions,
): Promise<string | undefined> {
  const named = [
    image,
    k8sVersion === undefined ? undefined : imageReference({ registry, version: resolveVersion(k8sVersion) }),
    kubeletOf(engineFacts.containers)?.image,
  ];
  for (const reference of named) {
    if (reference !== undefined && (await engine.inspectImage(reference))) return reference;
  }
  const { architecture } = engineFacts.version;
  const images = await engine.listImages([imageLabels.pause]);
  return images.find((any) => any.architecture === architecture && any.tags.length > 0)?.tags[0];
}

async function join(joining: Joining): Promise<JoinedWorker | PlannedNode> {
  const { docker, first, membership, api } = joining;
  const { engine, engineFacts, context } = docker;
  const { config, configurations, credentials, hasJoined, masters, validity } = membership;
  const version = resolveVersion(joining.options.k8sVersion ?? config.version);
  const options = first ? followMove(joining.options, first.session.observed, featuresOf(version)) : joining.options;
  checkSkew({ master: config.version, worker: version });
  const image = await chooseNodeImage(engine, engineFacts, { requested: options, version, cluster: config });
  const base = configurationsFor(featuresOf(version), configurations);
  const settled: SettledWorker = { options, version, image: image.reference, config, base, credentials, masters };
  // Without the image: what a plan says as far as it can be said.
  if (options.dryRun && image.how !== "present") {
    reportMissingImage(image, context);
    const plan = await planWorkerHost(settled, unknownHost(engineFacts));
    return { kind: "planned", plan, description: describePlan(plan) };
  }

  const wanted = wantedOfWorker(options, settled);
  // Some checks of Docker are by version, or by the cluster's registry.
  const { errors, warnings } = runPreflight("engine", engineFacts, wanted);
  checkTier({ errors, warnings: warnings.filter((warning) => !docker.warnings.includes(warning)) }, context);
  const session = await openChosenImage(joining, settled, image);
  const { observed } = session;
  checkTier(runPreflight("host", observed, { ...wanted, ...defined({ validity }) }), context);
  const plan = await planWorkerHost(settled, observed);
  if (api && !hasJoined) await refuseTakenName(api, plan.nodeName, context.signal);
  if (options.dryRun) return compareNode(plan, session, { overwrite: false });
  if (!api) throw new Error("a node cannot be changed without the cluster");
  const { architecture } = engineFacts.version;
  await bringDnsImage(engine, { config, image: image.reference, architecture, options }, context);
  const change = { plan, session, api, options: { ...options, overwrite: false }, keepsData: false, context };
  return { ...(await changeNode(change)), config, version };
}

/** The session of the image that the node is to run from; the facts of the first one hold if it is the same. */
async function openChosenImage(
  { docker, first, way, api, options }: Joining,
  settled: SettledWorker,
  image: ImageChoice,
): Promise<HostSession> {
  if (first?.image === image.reference) return first.session;
  // Docker 20.10 leaves streams through a helper that is gone open: a request on a kept one would wait in vain.
  api?.disconnect();
  await way.helper?.close();
  way.helper = undefined;
  const wanted = wantedOfWorker(options, settled);
  const session = await openSession({ ...docker, image, version: settled.version, wanted, options });
  way.helper = session.helper;
  return session;
}
