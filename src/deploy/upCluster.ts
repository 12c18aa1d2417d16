import { setUnschedulable, deleteNode, drainNode } from "../apply/leaveCluster.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { OperatorKubeconfig } from "../config/operatorKubeconfig.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { UpOptions } from "../model/options.js";
import { type ClusterPlan, type HostWork, planCluster, type Wave } from "../plan/planCluster.js";
import { formatJoinToken } from "../pki/joinToken.js";
import type { RunContext } from "../report/runContext.js";
import { bringImage } from "./bringImage.js";
import { deployMaster } from "./deployMaster.js";
import { fixedTokenOf } from "./fixedToken.js";
import { adminApi } from "./hostApi.js";
import { endToken, makeToken } from "./joinTokens.js";
import { joinWorker } from "./joinWorker.js";
import { type LookedAt, type LookedAtCluster, lookAtHosts } from "./lookAtHosts.js";
import { contextOf, failureOf, type HostFailure, inPool, workOn } from "./manyHosts.js";
import { withHelper } from "./withHelper.js";

/** What a run did on a host. */
export interface HostOutcome {
  readonly host: LookedAt;
  readonly outcome: "made" | "joined" | "changed" | "same" | "failed" | "skipped";
  readonly failure?: HostFailure;
}

export interface UpOutcome {
  readonly plan: ClusterPlan;
  readonly seen: LookedAtCluster;
  /** Undefined for a dry run. */
  readonly hosts?: readonly HostOutcome[];
  readonly pruned: readonly string[];
  readonly failures: readonly HostFailure[];
  readonly kubeconfig?: OperatorKubeconfig;
}

/**
 * Brings all hosts of a file to what it says: looks at each, plans, and does on each what `master` and `worker` do.
 *
 * @param confirm is shown the plan before anything is done
 * @throws TsdeployError `aborted` if it is not confirmed
 */
export async function upCluster(
  options: UpOptions,
  context: RunContext,
  confirm: (plan: ClusterPlan, seen: LookedAtCluster) => Promise<boolean>,
): Promise<UpOutcome> {
  const seen = await lookAtHosts(options.hosts, context);
  const nodes = seen.nodes.map(({ metadata }) => metadata.name);
  const plan = planCluster({ ...seen, nodes, options });
  const lookFailures = [seen.master, ...seen.workers].flatMap(({ failure }) => failure ?? []);
  if (options.dryRun) return { plan, seen, pruned: [], failures: lookFailures };
  if (!(await confirm(plan, seen))) throw new TsdeployError("aborted", { code: "ABORTED", message: "nothing was changed" });
  const run = new UpRun(options, seen, plan, context);
  await run.carryOut();
  const outcome = run.outcome();
  if (!mayHaveMoved(outcome, context)) return { plan, seen, ...outcome };
  const later = await followMaster(outcome.hosts, options, context);
  const hosts = outcome.hosts.map((host) => later.get(host.host.name) ?? host);
  const failures = [...outcome.failures, ...[...later.values()].flatMap(({ failure }) => failure ?? [])];
  return { plan, seen, ...outcome, hosts, failures };
}

/** Whether workers that were as they should be may now differ: they follow their master's configuration. */
function mayHaveMoved({ hosts }: UpRunOutcome, { signal }: RunContext): boolean {
  const [master, ...workers] = hosts;
  return master?.outcome === "changed" && workers.some(({ outcome }) => outcome === "same") && !signal.aborted;
}

/** Looks again at workers that were as they should be, and changes those that differ now. @returns these, by name */
async function followMaster(
  before: readonly HostOutcome[],
  options: UpOptions,
  context: RunContext,
): Promise<Map<string, HostOutcome>> {
  const same = before.flatMap(({ host, outcome }) => (outcome === "same" ? host.name : []));
  const workers = options.hosts.workers.filter(({ name }) => same.includes(name));
  const seen = await lookAtHosts({ master: options.hosts.master, workers }, context);
  const plan = planCluster({ ...seen, nodes: [], options: { ...options, prune: false, continue: true } });
  const waves = plan.waves.filter(({ hosts }) => !hosts.includes(seen.master.name));
  const run = new UpRun(options, seen, { ...plan, waves }, context);
  await run.carryOut();
  const touched = run.outcome().hosts.filter(({ outcome }) => outcome === "changed" || outcome === "failed");
  return new Map(touched.map((host) => [host.host.name, host]));
}

type UpRunOutcome = Required<Pick<UpOutcome, "hosts" | "pruned">> & Pick<UpOutcome, "failures" | "kubeconfig">;

const finished: Readonly<Record<HostWork, HostOutcome["outcome"]>> = { make: "made", join: "joined", change: "changed" };

class UpRun {
  readonly #options: UpOptions;
  readonly #seen: LookedAtCluster;
  readonly #plan: ClusterPlan;
  readonly #context: RunContext;
  readonly #done = new Map<string, HostOutcome["outcome"]>();
  readonly #failed = new Map<string, HostFailure>();
  readonly #pruned: string[] = [];
  /** Of no host of the file. */
  readonly #otherFailures: HostFailure[] = [];
  #kubeconfig: OperatorKubeconfig | undefined;

  constructor(options: UpOptions, seen: LookedAtCluster, plan: ClusterPlan, context: RunContext) {
    this.#options = options;
    this.#seen = seen;
    this.#plan = plan;
    this.#context = context;
  }

  async carryOut(): Promise<void> {
    const { master } = this.#seen;
    const waves = this.#plan.waves.filter((wave) => !wave.hosts.includes(master.name));
    const own = this.#plan.waves.find((wave) => wave.hosts.includes(master.name));
    if (own) await this.#workOnMaster(master.host, own.work);
    if (this.#failed.size > 0 || waves.length + this.#plan.prunes.length === 0) return;
    try {
      await withCluster(master.host, this.#context, async (cluster) => {
        for (const wave of waves) await this.#workOnWorkers(wave, cluster);
        for (const node of this.#plan.prunes) await this.#prune(node, cluster);
      });
    } catch (error) {
      const failure = failureOf(error, this.#context.signal);
      this.#otherFailures.push(failure);
      const title = `${master.name}: workers cannot be worked on`;
      this.#context.report({ kind: "problems", title, problems: failure.problems });
    }
  }

  outcome(): UpRunOutcome {
    const hosts = [this.#seen.master, ...this.#seen.workers].map((host): HostOutcome => {
      const failure = this.#failed.get(host.name) ?? host.failure;
      const outcome = this.#plan.left.includes(host.name) ? "same" : (this.#done.get(host.name) ?? "skipped");
      return { host, outcome, ...(failure && { failure }) };
    });
    const failures = [...hosts.flatMap(({ failure }) => failure ?? []), ...this.#otherFailures];
    const kubeconfig = this.#kubeconfig;
    return { hosts, pruned: this.#pruned, failures, ...(kubeconfig && { kubeconfig }) };
  }

  async #work(host: string, work: HostWork, act: () => Promise<void>): Promise<void> {
    // What has not begun when the person stops the run is left for the next one.
    if (this.#context.signal.aborted) return;
    const failure = await workOn(host, work, this.#context, act);
    this.#done.set(host, failure ? "failed" : finished[work]);
    if (failure) this.#failed.set(host, failure);
  }

  async #workOnMaster(host: MasterHost, work: HostWork): Promise<void> {
    await this.#work(host.name, work, async () => {
      const result = await deployMaster(host.options, contextOf(host, this.#context), { joinToken: false });
      if (result.kind === "changed") this.#kubeconfig = result.kubeconfig;
    });
  }

  async #workOnWorkers({ work, hosts, parallel }: Wave, cluster: RunningCluster): Promise<void> {
    const workers = this.#seen.workers.filter(({ name }) => hosts.includes(name));
    await inPool(workers, parallel, ({ host, state, nodeName = "" }) =>
      this.#work(host.name, work, async () => {
        const drains = state.kind === "different" && state.drains;
        await (drains ? this.#drained(nodeName, host, cluster) : this.#join(host, cluster));
      }),
    );
  }

  async #join(host: WorkerHost, cluster: RunningCluster): Promise<void> {
    const { image, version, apiserver } = cluster.config;
    const master = new URL(apiserver).hostname;
    const { pullTimeoutMs, timeoutMs, image: ownImage, k8sVersion } = host.options;
    if ((ownImage ?? image) === image && (k8sVersion ?? version) === version) {
      await bringImage(image, this.#seen.master.host, host, this.#context);
    }
    const token = await cluster.token(2 * (pullTimeoutMs + timeoutMs));
    await joinWorker({ ...host.options, master, token }, contextOf(host, this.#context));
  }

  /** Its pods go elsewhere first; then it takes pods again, changed or as it was. */
  async #drained(node: string, host: WorkerHost, cluster: RunningCluster): Promise<void> {
    const { report, signal } = contextOf(host, this.#context);
    try {
      await this.#drain(node, cluster, (seen) => {
        report({ kind: "waiting", phase: "drain", seen });
      });
      await this.#join(host, cluster);
    } finally {
      await this.#takesPodsAgain(node, cluster, signal.aborted ? AbortSignal.timeout(host.options.timeoutMs) : signal);
    }
  }

  /** Unless somebody had cordoned it before this run. */
  async #takesPodsAgain(node: string, { api }: RunningCluster, signal: AbortSignal): Promise<void> {
    const before = this.#seen.nodes.find(({ metadata }) => metadata.name === node);
    if (before?.spec?.unschedulable !== true) await setUnschedulable(api, node, false, signal);
  }

  async #drain(node: string, { api, config }: RunningCluster, onSeen: (seen: string) => void): Promise<void> {
    const { timeoutMs } = this.#options;
    const evictionApiVersion = featuresOf(config.version).apis.eviction;
    await drainNode(api, { node, evictionApiVersion, timeoutMs, signal: this.#context.signal, onSeen });
  }

  async #prune(node: string, cluster: RunningCluster): Promise<void> {
    if (this.#context.signal.aborted) return;
    const { report, signal } = this.#context;
    const failure = await workOn(node, "remove", this.#context, async () => {
      await this.#drain(node, cluster, (seen) => {
        report({ kind: "waiting", phase: "drain", seen, host: node });
      }).catch(async (error: unknown) => {
        const anew = AbortSignal.timeout(this.#options.timeoutMs);
        await this.#takesPodsAgain(node, cluster, anew).catch(() => undefined);
        throw error;
      });
      await deleteNode(cluster.api, node, signal);
    });
    if (failure) this.#otherFailures.push(failure);
    else this.#pruned.push(node);
  }
}

/** A cluster whose master runs, as its administrator. */
interface RunningCluster {
  readonly api: KubernetesClient;
  readonly config: ClusterConfig;
  /** A join token that is good for so long; the same for all that need one at a time. */
  token(lifeMs: number): Promise<string>;
}

/** Opens the cluster by its master's Docker. Tokens that were made are revoked at the end, however it comes. */
async function withCluster(
  host: MasterHost,
  context: RunContext,
  use: (cluster: RunningCluster) => Promise<void>,
): Promise<void> {
  const own = contextOf(host, context);
  const made: string[] = [];
  try {
    await withHelper(host.options, own, async ({ helper }) => {
      const files = await helper.readFiles();
      const api = await adminApi(helper, files);
      const { signal } = context;
      let current: { readonly token: Promise<string>; readonly freshUntilMs: number } | undefined;
      const fixed = fixedTokenOf(files);
      const make = async (lifeMs: number): Promise<string> => {
        if (fixed) return formatJoinToken(fixed.token);
        const expiresMs = (await helper.clockMs()) + lifeMs;
        const { id, joinToken } = await makeToken(api, { expiresMs, description: "made by tsdeploy up" }, signal);
        made.push(id);
        return joinToken;
      };
      try {
        const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
        await use({
          api,
          config,
          token: (lifeMs) => {
            // Who gets it late still has half of its life.
            if (!current || performance.now() > current.freshUntilMs) {
              current = { token: make(2 * lifeMs), freshUntilMs: performance.now() + lifeMs };
            }
            return current.token;
          },
        });
        if (!signal.aborted) await revokeAll(api, made, signal);
      } finally {
        api.close();
      }
    });
  } finally {
    if (made.length > 0) await revokeAnew(host, made, own);
  }
}

async function revokeAll(api: KubernetesClient, ids: string[], signal: AbortSignal): Promise<void> {
  for (let id = ids.at(-1); id !== undefined; id = ids.at(-1)) {
    await endToken(api, id, signal);
    ids.pop();
  }
}

/** After a failure, or when the person has stopped the run: the connection of before may be of no use. */
async function revokeAnew(host: MasterHost, ids: string[], context: RunContext): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  try {
    await withHelper(host.options, { ...context, signal }, async ({ helper }) => {
      const api = await adminApi(helper, await helper.readFiles());
      try {
        await revokeAll(api, ids, signal);
      } finally {
        api.close();
      }
    });
  } catch (error) {
    const lines = ids.map((id) => `\`tsdeploy token revoke ${id}\``).join(", ");
    context.report({ kind: "warning", message: `join tokens of this run could not be revoked (${lines}): ${messageOf(error)}` });
  }
}
