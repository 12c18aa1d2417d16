import { minor } from "semver";
import { isReadyNode, type Node } from "../apply/probes.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { presentImage } from "../image/chooseImage.js";
import { chooseNodeImage } from "../image/chooseNodeImage.js";
import { helperImage } from "../image/helperImage.js";
import { defaultVersion, featuresOf, resolveVersion } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ClusterHost, ClusterHosts, MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { isProblem, TsdeployError } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import { labels } from "../model/hostLayout.js";
import { kubeletOf } from "../model/ownership.js";
import { describeChange, type PlanDescription } from "../plan/describePlan.js";
import { ipv4Identity } from "../plan/nodeIdentity.js";
import type { HostState, SeenHost } from "../plan/planCluster.js";
import type { Wanted } from "../preflight/check.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import type { PlannedNode } from "./changeNode.js";
import { checkDocker } from "./checkDocker.js";
import { deployMasterOn } from "./deployMaster.js";
import { checkTier, type HostSession, openSession, type OpenSessionInput } from "./hostSession.js";
import { refuseFirstMaster } from "./joinMaster.js";
import { joinWorkerOn } from "./joinWorker.js";
import { contextOf, failureOf, type HostFailure, inPool, looksAtOnce } from "./manyHosts.js";
import { type SeenCluster, seeCluster } from "./seenCluster.js";
import { wantedOfMaster } from "./settleMaster.js";
import { wantedOfWorker } from "./settleWorker.js";
import { withEngine } from "./withEngine.js";
import { withLookOn } from "./withHelper.js";

/** A host of the file, as a look that changed nothing has found it. */
export interface LookedAt<Host extends ClusterHost = ClusterHost> extends SeenHost {
  readonly host: Host;
  /** Of a host that is not reached or is refused. */
  readonly failure?: HostFailure;
  /** Of `master` or `worker` there. */
  readonly description?: PlanDescription;
  /** What was warned of; the work on the host will say it again. */
  readonly warnings: readonly string[];
  /** Docker's own id and the host's name, by which two endpoints are one Docker. */
  readonly docker?: string;
}

export interface LookedAtCluster {
  readonly masters: readonly [LookedAt<MasterHost>, ...LookedAt<MasterHost>[]];
  readonly workers: readonly LookedAt<WorkerHost>[];
  /** Of the cluster, if it runs. */
  readonly nodes: readonly Node[];
}

type Seen = Pick<LookedAt, "nodeName" | "state" | "description" | "docker">;

/** What workers are compared with: known one after the other, so that nobody waits for more than he needs. */
interface KnownOfMasters {
  /** Undefined if no API server answers. */
  readonly running: Promise<SeenCluster | undefined>;
  /** As the file will have it; undefined if no master can be that. */
  readonly config: Promise<ClusterConfig | undefined>;
}

/** Looks at all hosts of a file, and compares each with what the file says. Changes nothing; no host makes it throw. */
export async function lookAtHosts({ masters, workers }: ClusterHosts, context: RunContext): Promise<LookedAtCluster> {
  const [first, ...further] = masters;
  // A cluster file has few masters, and what they say is waited for.
  const firstLook = lookAtMaster(first, lookAtFirst, context);
  const furtherLooks = further.map((host) => lookAtMaster(host, lookAtFurther, context));
  const looks = [firstLook, ...furtherLooks];
  const known: KnownOfMasters = {
    running: firstThatIs(looks.map(({ running }) => running)),
    config: firstInOrder(looks.map(({ config }) => config)),
  };
  const workerLooks = inPool(workers, looksAtOnce, (worker) =>
    look(worker, context, (quiet) => lookAtWorker(worker, known, quiet)),
  );
  const [seenFirst, seenFurther, seenWorkers, running] = await Promise.all([
    firstLook.seen,
    Promise.all(furtherLooks.map(({ seen }) => seen)),
    workerLooks,
    known.running,
  ]);
  const refuse = refuserOfTwins(seenFirst);
  const seenMasters = [seenFirst, ...seenFurther.map(refuse<MasterHost>)] as const;
  return { masters: seenMasters, workers: seenWorkers.map(refuse<WorkerHost>), nodes: running?.nodes ?? [] };
}

/** What comes first and is not undefined; undefined if nothing is. */
async function firstThatIs<T>(promises: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const found = promises.map(async (promise) => (await promise) ?? Promise.reject(new Error("nothing")));
  return Promise.any(found).catch(() => undefined);
}

/** The same, in the given order. */
async function firstInOrder<T>(promises: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  for (const promise of promises) {
    const found = await promise;
    if (found !== undefined) return found;
  }
  return undefined;
}

function promised<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((fulfil) => (resolve = fulfil));
  return { promise, resolve };
}

async function look<Host extends ClusterHost>(
  host: Host,
  context: RunContext,
  see: (quiet: RunContext) => Promise<Seen>,
): Promise<LookedAt<Host>> {
  const warnings: string[] = [];
  const quiet: RunContext = {
    ...contextOf(host, context),
    report: (event) => {
      if (event.kind === "warning") warnings.push(event.message);
    },
  };
  const { name } = host;
  try {
    return { host, name, warnings, ...(await see(quiet)) };
  } catch (error) {
    if (context.signal.aborted) throw error;
    const failure = failureOf(error, context.signal);
    const isUnreachable = error instanceof TsdeployError && error.kind === "unreachable";
    const { nodeName } = host.options;
    const state: HostState = { kind: isUnreachable ? "unreachable" : "refused" };
    return { host, name, warnings, failure, state, ...defined({ nodeName }) };
  }
}

interface MasterLook extends KnownOfMasters {
  readonly seen: Promise<LookedAt<MasterHost>>;
}

/** Compares a master with the file, by a connection that is open. */
type SeeMaster = (
  engine: ContainerEngine,
  facts: EngineFacts,
  host: MasterHost,
  cluster: ClusterOfMaster,
  context: RunContext,
) => Promise<Seen & { readonly config?: ClusterConfig }>;

/** What the API server there says: asked once, through the helper that looks at the host, if one does. */
interface ClusterOfMaster {
  readonly ask: (session?: HostSession) => Promise<void>;
  readonly running: Promise<SeenCluster | undefined>;
}

function lookAtMaster(host: MasterHost, see: SeeMaster, context: RunContext): MasterLook {
  const running = promised<SeenCluster | undefined>();
  const config = promised<ClusterConfig | undefined>();
  const seen = look(host, context, (quiet) =>
    withEngine(host.options, quiet, async (engine) => {
      let asking: Promise<void> | undefined;
      const ask = (session?: HostSession): Promise<void> => {
        asking ??= (session ? clusterBy(session, quiet) : clusterOn(engine, quiet)).then(running.resolve);
        return asking;
      };
      const seeing = collectEngineFacts(engine).then((facts) =>
        see(engine, facts, host, { ask, running: running.promise }, quiet),
      );
      const { config: planned, ...rest } = await seeing.catch(async (error: unknown) => {
        // A host that is refused may have a cluster all the same.
        await ask();
        throw error;
      });
      config.resolve(planned);
      return rest;
    }),
  ).finally(() => {
    running.resolve(undefined);
    config.resolve(undefined);
  });
  return { seen, running: running.promise, config: config.promise };
}

async function lookAtFirst(...[engine, facts, host, cluster, context]: Parameters<SeeMaster>): ReturnType<SeeMaster> {
  const { ask: onSession, running } = cluster;
  const options = { ...host.options, dryRun: true };
  const outcome = await deployMasterOn(engine, options, context, { onSession, engineFacts: facts });
  await onSession();
  if (outcome.kind !== "planned") throw new Error("a dry run has changed something");
  const { config, description, plan } = outcome;
  const { nodeName } = plan;
  const runs = kubeletOf(facts.containers)?.labels[labels.version];
  const state = stateOf(outcome, isReady((await running)?.nodes, nodeName), runs);
  return { nodeName, state, description, docker: dockerOf(facts), config };
}

/** One that has not joined can be compared with no cluster, as a worker. One that has follows what it has accepted. */
async function lookAtFurther(...seeing: Parameters<SeeMaster>): ReturnType<SeeMaster> {
  const [engine, facts, host, , context] = seeing;
  if (kubeletOf(facts.containers)?.labels[labels.role] === "master") return lookAtFirst(...seeing);
  const nodeName = await checkNewMaster(engine, facts, host, context);
  return { nodeName, state: { kind: "new" }, docker: dockerOf(facts) };
}

/** Undefined where no API server answers. */
async function clusterOn(engine: ContainerEngine, context: RunContext): Promise<SeenCluster | undefined> {
  try {
    return await withLookOn(engine, context, async ({ helper }) =>
      seeCluster(helper, await helper.readFiles(), context.signal),
    );
  } catch {
    return undefined;
  }
}

/** The same through a helper that is there. */
async function clusterBy(
  { helper, observed }: HostSession,
  context: RunContext,
): Promise<SeenCluster | undefined> {
  return seeCluster(helper, observed.files, context.signal).catch(() => undefined);
}

/** What ends the comparison of a worker. */
const noCluster = "no API server of the cluster answers";

/** A host is looked at while the cluster is still being found. */
async function lookAtWorker(
  host: WorkerHost,
  known: KnownOfMasters,
  context: RunContext,
): Promise<Seen> {
  return withEngine(host.options, context, async (engine) => {
    const facts = await collectEngineFacts(engine);
    const docker = dockerOf(facts);
    const unknown: Seen = { ...defined({ nodeName: host.options.nodeName }), state: { kind: "unknown" }, docker };
    const kubelet = kubeletOf(facts.containers);
    if (kubelet?.labels[labels.role] !== "worker") {
      const nodeName = await checkNewWorker(engine, facts, host, await known.config, context);
      return { nodeName, state: { kind: "new" }, docker };
    }
    const cluster = known.running.then((running) => running ?? Promise.reject(new Error(noCluster)));
    // Whoever needs it hears of it.
    cluster.catch(() => undefined);
    const options = { ...host.options, master: "", dryRun: true };
    const extras = { cluster, engineFacts: facts };
    const planned = await joinWorkerOn(engine, options, context, extras).catch((error: unknown) => {
      // Its own credential is good no more: it joins anew.
      const joinsAnew = isProblem(error, "TOKEN_MISSING");
      if (joinsAnew || (error instanceof Error && error.message === noCluster)) return undefined;
      throw error;
    });
    if (planned?.kind !== "planned") return unknown;
    const { nodeName } = planned.plan;
    const nodes = (await known.running)?.nodes;
    const state = stateOf(planned, isReady(nodes, nodeName), kubelet.labels[labels.version]);
    return { nodeName, state, description: planned.description, docker };
  });
}

function isReady(nodes: readonly Node[] | undefined, nodeName: string): boolean {
  const node = nodes?.find(({ metadata }) => metadata.name === nodeName);
  return node !== undefined && isReadyNode(node);
}

function dockerOf({ info }: EngineFacts): string {
  return `${info.id} ${info.hostname}`;
}

/** @param runs the version of our kubelet there, if there is one */
function stateOf({ plan, difference }: PlannedNode, ready: boolean, runs: string | undefined): HostState {
  if (!difference && runs === undefined) return { kind: "new" };
  // Without the image that it is to run from nobody can compare the files.
  const changes = difference?.changes.map(describeChange) ?? [`run ${plan.version} from an image that is not there yet`];
  // Another kubelet leaves pods alone, but Kubernetes wants none to be there when its minor version changes.
  const drains = runs !== undefined && minor(runs) !== minor(plan.version);
  if (changes.length > 0) return { kind: "different", changes, drains };
  return ready ? { kind: "same" } : { kind: "different", changes: [`wait until node ${plan.nodeName} is Ready`], drains };
}

/** All checks that need no cluster. @returns the node's name */
async function checkNewWorker(
  engine: ContainerEngine,
  engineFacts: EngineFacts,
  { options }: WorkerHost,
  config: ClusterConfig | undefined,
  context: RunContext,
): Promise<string> {
  const version = resolveVersion(options.k8sVersion ?? config?.version ?? defaultVersion);
  const own = { ...options, master: "" };
  const wanted = wantedOfWorker(own, config && { config, version });
  const wish = { requested: options, version, ...(config && { cluster: config }) };
  const image = presentImage(await chooseNodeImage(engine, engineFacts, wish));
  // Another image than the node's shows what the host is like, and nothing of what that version needs.
  const wantedOn = (): Wanted => (image === undefined ? wantedOfWorker(own, config && { config }) : wanted);
  return checkNewHost({ engine, engineFacts, options, version, wanted, image, wantedOn, context });
}

/** The same of a further master. */
async function checkNewMaster(
  engine: ContainerEngine,
  engineFacts: EngineFacts,
  { options }: MasterHost,
  context: RunContext,
): Promise<string> {
  const version = resolveVersion(options.k8sVersion ?? defaultVersion);
  const wanted = wantedOfMaster(options, version);
  const image = presentImage(await chooseNodeImage(engine, engineFacts, { requested: options, version }));
  const wantedOn = ({ files }: ObservedHost): Wanted => {
    refuseFirstMaster(files);
    return image === undefined ? defined({ ...wanted, version: undefined }) : wanted;
  };
  return checkNewHost({ engine, engineFacts, options, version, wanted, image, wantedOn, context });
}

interface NewHost extends Pick<OpenSessionInput, "engine" | "engineFacts" | "version" | "wanted" | "context"> {
  readonly options: ClusterHost["options"];
  /** That of the node, if it is here. */
  readonly image: string | undefined;
  /** What is wanted of the host, once it is known. */
  readonly wantedOn: (observed: ObservedHost) => Wanted;
}

/** Without an image here, what only a helper sees is checked when the host joins. */
async function checkNewHost({ image, wantedOn, ...input }: NewHost): Promise<string> {
  const { engine, engineFacts, options, version, context } = input;
  await checkDocker({ ...input, image: () => Promise.resolve(image) });
  const reference = image ?? (await helperImage(engine, engineFacts.containers));
  if (reference === undefined) return options.nodeName ?? engineFacts.info.hostname.toLowerCase();
  const { helper, observed } = await openSession({
    ...input,
    image: { how: "present", reference },
    options: { ...options, dryRun: true },
  });
  try {
    checkTier(runPreflight("host", observed, wantedOn(observed)), context);
    return ipv4Identity(options, observed.host, featuresOf(version)).nodeName;
  } finally {
    await helper.close();
  }
}

/** Two endpoints of one Docker, and two nodes of one name, which no file shows. Asked for each host in their order. */
function refuserOfTwins(first: LookedAt): <Host extends ClusterHost>(host: LookedAt<Host>) => LookedAt<Host> {
  const before: LookedAt[] = [first];
  return (host) => {
    const sameDocker = before.find(({ docker }) => docker !== undefined && docker === host.docker);
    const sameNode = before.find(({ nodeName }) => nodeName !== undefined && nodeName === host.nodeName);
    before.push(host);
    const twin = sameDocker ?? sameNode;
    if (!twin) return host;
    const problem = sameDocker
      ? { code: "HOST_TWICE", message: `${host.name} and ${twin.name} are the same Docker`, hint: "Give each machine once." }
      : {
          code: "NODE_NAME_TWICE",
          message: `${host.name} and ${twin.name} would both be node ${host.nodeName ?? ""}`,
          hint: "Give one of them another nodeName.",
        };
    return { ...host, state: { kind: "refused" }, failure: { exitCode: 4, problems: [problem] } };
  };
}
