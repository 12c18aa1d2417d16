import { minor } from "semver";
import { isReadyNode, type Node } from "../apply/probes.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { presentImage } from "../image/chooseImage.js";
import { chooseNodeImage } from "../image/chooseNodeImage.js";
import { helperImage } from "../image/helperImage.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { defaultVersion, featuresOf, resolveVersion } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ClusterHost, ClusterHosts, MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts } from "../model/hostFacts.js";
import { labels } from "../model/hostLayout.js";
import { kubeletOf } from "../model/ownership.js";
import { describeChange, type PlanDescription } from "../plan/describePlan.js";
import { ipv4Identity } from "../plan/nodeIdentity.js";
import type { HostState, SeenHost } from "../plan/planCluster.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import type { PlannedNode } from "./changeNode.js";
import { checkDocker } from "./checkDocker.js";
import { deployMasterOn } from "./deployMaster.js";
import { adminApi } from "./hostApi.js";
import { checkTier, openSession } from "./hostSession.js";
import { joinWorkerOn } from "./joinWorker.js";
import { contextOf, failureOf, type HostFailure, inPool, looksAtOnce } from "./manyHosts.js";
import { wantedOfWorker } from "./settleWorker.js";
import { withEngine } from "./withEngine.js";
import { withHelperOn } from "./withHelper.js";

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
  readonly master: LookedAt<MasterHost>;
  readonly workers: readonly LookedAt<WorkerHost>[];
  /** Of the cluster, if it runs. */
  readonly nodes: readonly Node[];
}

type Seen = Pick<LookedAt, "nodeName" | "state" | "description" | "docker">;

/** The cluster as it runs now. */
interface RunningCluster {
  /** Its API server's host. */
  readonly master: string;
  readonly nodes: readonly Node[];
}

/** What workers are compared with: known one after the other, so that nobody waits for more than he needs. */
interface KnownOfMaster {
  /** Undefined if no API server answers. */
  readonly running: Promise<RunningCluster | undefined>;
  /** As the file will have it; undefined if the master cannot be that. */
  readonly config: Promise<ClusterConfig | undefined>;
}

/** Looks at all hosts of a file, and compares each with what the file says. Changes nothing; no host makes it throw. */
export async function lookAtHosts({ master, workers }: ClusterHosts, context: RunContext): Promise<LookedAtCluster> {
  const running = promised<RunningCluster | undefined>();
  const config = promised<ClusterConfig | undefined>();
  const masterLook = look(master, context, (quiet) =>
    lookAtMaster(master, quiet, { running: running.resolve, config: config.resolve }),
  ).finally(() => {
    running.resolve(undefined);
    config.resolve(undefined);
  });
  const known = { running: running.promise, config: config.promise };
  const workerLooks = inPool(workers, looksAtOnce, (worker) =>
    look(worker, context, (quiet) => lookAtWorker(worker, known, quiet)),
  );
  const [seenMaster, seenWorkers] = await Promise.all([masterLook, workerLooks]);
  const nodes = (await running.promise)?.nodes ?? [];
  return { master: seenMaster, workers: refuseTwins(seenMaster, seenWorkers), nodes };
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

async function lookAtMaster(
  host: MasterHost,
  context: RunContext,
  tell: {
    readonly running: (cluster: RunningCluster | undefined) => void;
    readonly config: (config: ClusterConfig) => void;
  },
): Promise<Seen> {
  const options = { ...host.options, dryRun: true };
  return withEngine(options, context, async (engine) => {
    const running = runningCluster(engine, context);
    void running.then(tell.running);
    const looks = [collectEngineFacts(engine), deployMasterOn(engine, options, context)] as const;
    try {
      const [facts, outcome] = await Promise.all(looks);
      if (outcome.kind !== "planned") throw new Error("a dry run has changed something");
      tell.config(outcome.config);
      const runs = kubeletOf(facts.containers)?.labels[labels.version];
      const { nodeName } = outcome.plan;
      const state = stateOf(outcome, isReady((await running)?.nodes, nodeName), runs);
      return { nodeName, state, description: outcome.description, docker: dockerOf(facts) };
    } finally {
      // Its helper has to be gone before the connection is.
      await running;
    }
  });
}

/** Undefined where no API server answers. */
async function runningCluster(engine: ContainerEngine, context: RunContext): Promise<RunningCluster | undefined> {
  try {
    return await withHelperOn(engine, context, async ({ helper }) => {
      const api = await adminApi(helper, await helper.readFiles());
      const { signal } = context;
      try {
        const [nodes, config] = await Promise.all([
          api.list<Node>("/api/v1/nodes", { signal }),
          api.get(clusterConfigPath, { signal }),
        ]);
        return { nodes, master: new URL(parseClusterConfig(config).apiserver).hostname };
      } finally {
        api.close();
      }
    });
  } catch {
    return undefined;
  }
}

async function lookAtWorker(
  host: WorkerHost,
  known: KnownOfMaster,
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
    const running = await known.running;
    if (!running) return unknown;
    const { master, nodes } = running;
    const planned = await joinWorkerOn(engine, { ...host.options, master, dryRun: true }, context).catch(
      (error: unknown) => {
        // Its own credential is good no more: it joins anew.
        if (error instanceof TsdeployError && error.problems[0]?.code === "TOKEN_MISSING") return undefined;
        throw error;
      },
    );
    if (planned?.kind !== "planned") return unknown;
    const { nodeName } = planned.plan;
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

/**
 * All checks that need no master. Without an image here, what only a helper sees is checked when the host joins.
 *
 * @returns the node's name
 */
async function checkNewWorker(
  engine: Parameters<typeof joinWorkerOn>[0],
  engineFacts: EngineFacts,
  { options }: WorkerHost,
  config: ClusterConfig | undefined,
  context: RunContext,
): Promise<string> {
  const version = resolveVersion(options.k8sVersion ?? config?.version ?? defaultVersion);
  const own = { ...options, master: "" };
  const wanted = wantedOfWorker(own, config && { config, version });
  const wish = { requested: options, version, ...(config && { cluster: config }) };
  const chosen = presentImage(await chooseNodeImage(engine, engineFacts, wish));
  await checkDocker({ engine, engineFacts, wanted, context, image: () => Promise.resolve(chosen) });
  const image = chosen ?? (await helperImage(engine, engineFacts.containers));
  if (image === undefined) return options.nodeName ?? engineFacts.info.hostname.toLowerCase();
  const { helper, observed } = await openSession({
    engine,
    engineFacts,
    image: { how: "present", reference: image },
    version,
    wanted,
    options: { ...options, dryRun: true },
    context,
  });
  try {
    // Another image than the node's shows what the host is like, and nothing of what that version needs.
    const known = chosen === undefined ? wantedOfWorker(own, config && { config }) : wanted;
    checkTier(runPreflight("host", observed, known), context);
    return ipv4Identity(options, observed.host, featuresOf(version)).nodeName;
  } finally {
    await helper.close();
  }
}

/** Two endpoints of one Docker, and two nodes of one name, which no file shows. */
function refuseTwins(master: LookedAt, workers: readonly LookedAt<WorkerHost>[]): LookedAt<WorkerHost>[] {
  const before: LookedAt[] = [master];
  return workers.map((worker) => {
    const sameDocker = before.find(({ docker }) => docker !== undefined && docker === worker.docker);
    const sameNode = before.find(({ nodeName }) => nodeName !== undefined && nodeName === worker.nodeName);
    before.push(worker);
    const twin = sameDocker ?? sameNode;
    if (!twin) return worker;
    const problem = sameDocker
      ? { code: "HOST_TWICE", message: `${worker.name} and ${twin.name} are the same Docker`, hint: "Give each machine once." }
      : {
          code: "NODE_NAME_TWICE",
          message: `${worker.name} and ${twin.name} would both be node ${worker.nodeName ?? ""}`,
          hint: "Give one of them another nodeName.",
        };
    return { ...worker, state: { kind: "refused" }, failure: { exitCode: 4, problems: [problem] } };
  });
}
