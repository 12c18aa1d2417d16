import { deleteNode } from "../apply/leaveCluster.js";
import { endOwnCordon, leftCordons } from "../apply/ownCordon.js";
import { isMasterNode, isReadyNode, type Node, nodeVersion } from "../apply/probes.js";
import type { OperatorKubeconfig } from "../config/operatorKubeconfig.js";
import type { ClusterHost, MasterHost } from "../model/clusterHosts.js";
import { isProblem, TsdeployError } from "../model/errors.js";
import type { UpOptions } from "../model/options.js";
import { type ClusterPlan, type HostWork, planCluster, type Wave } from "../plan/planCluster.js";
import { onHost } from "../report/onHost.js";
import type { RunContext } from "../report/runContext.js";
import { changeWorker, drainForWork, joinFurtherMaster, whileDrained } from "./changeWorker.js";
import { deployMaster } from "./deployMaster.js";
import { removeLostMember } from "./etcdMembers.js";
import { type LookedAt, type LookedAtCluster, lookAtHosts } from "./lookAtHosts.js";
import { contextOf, failureOf, type HostFailure, inPool, workOn } from "./manyHosts.js";
import { prepareUpgrade, type Upgrade } from "./prepareUpgrade.js";
import { type RunningCluster, withCluster } from "./runningCluster.js";
import { carryOutUpgrade, refuseUpgrade } from "./upgradeCluster.js";

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
  /** Of Kubernetes, where the file says another version than the hosts have. */
  readonly upgrade?: Upgrade;
}

/** Shows what will be done; false: it is not to be. */
export type ConfirmUp = (plan: ClusterPlan, seen: LookedAtCluster, upgrade: Upgrade | undefined) => Promise<boolean>;

/**
 * Brings all hosts of a file to what it says: looks at each, plans, and does on each what `master` and `worker` do.
 *
 * @param confirm is shown the plan before anything is done
 * @throws TsdeployError `aborted` if it is not confirmed
 */
export async function upCluster(
  options: UpOptions,
  context: RunContext,
  confirm: ConfirmUp,
): Promise<UpOutcome> {
  const seen = await lookAtHosts(options.hosts, context);
  const wish = { ...options.hosts, onlyAsSaid: true };
  const upgrade = changesVersion(seen) ? await prepareUpgrade(wish, context) : undefined;
  if (!upgrade || upgrade.plan.stops.length + upgrade.blockers.length === 0) {
    return bringToFile(seen, options, context, (plan) => confirm(plan, seen, undefined));
  }
  const nodes = namesOfNodes(seen);
  const plan = planCluster({ ...seen, nodes, options });
  if (options.dryRun) return { plan, seen, upgrade, pruned: [], failures: [] };
  const how = { ...options, force: false };
  refuseUpgrade(upgrade, how);
  if (!(await confirm(plan, seen, upgrade))) throw notConfirmed();
  const { hosts: upgraded, failures } = await carryOutUpgrade(upgrade, how, context);
  const outcomeOf = new Map(upgraded.map((host) => [host.name, host]));
  if (failures.length > 0 || context.signal.aborted) {
    const hosts = [...seen.masters, ...seen.workers].map((host): HostOutcome => {
      const { outcome = "skipped", failure } = outcomeOf.get(host.name) ?? {};
      return { host, outcome: asUp[outcome], ...(failure && { failure }) };
    });
    return { plan, seen, upgrade, hosts, pruned: [], failures };
  }
  // What else the file says, with the new version.
  const then = await lookAtHosts(options.hosts, context);
  const rest = await bringToFile(then, options, context, (next) => confirm(next, then, undefined));
  const hosts = rest.hosts?.map((one): HostOutcome => {
    const wasUpgraded = one.outcome === "same" && outcomeOf.get(one.host.name)?.outcome === "upgraded";
    return wasUpgraded ? { ...one, outcome: "changed" } : one;
  });
  return { ...rest, upgrade, ...(hosts && { hosts }) };
}

const asUp = { upgraded: "changed", left: "same", failed: "failed", skipped: "skipped" } as const;

function notConfirmed(): TsdeployError {
  const hint = "Leave out --prune to keep those nodes, or answer y.";
  return new TsdeployError("aborted", { code: "ABORTED", message: "nothing was changed", hint });
}

/** Whether the file has a host run another version than it does: that is an upgrade, for which there is one way. */
function changesVersion({ masters, workers, nodes }: LookedAtCluster): boolean {
  if (workers.some(({ state }) => state.kind === "different" && state.drains)) return true;
  return masters.some(({ host, nodeName, state, failure }) => {
    if (failure?.problems.some(({ code }) => code === "MINOR_SKIPPED") === true) return true;
    if (state.kind !== "different") return false;
    const { k8sVersion, image } = host.options;
    const node = nodes.find(({ metadata }) => metadata.name === nodeName);
    return node !== undefined && (k8sVersion === undefined ? image !== undefined : nodeVersion(node) !== k8sVersion);
  });
}

/** A master that the file does not name has joined by itself: no stranger, it leaves by its own teardown alone. */
function namesOfNodes({ masters, nodes }: LookedAtCluster): string[] {
  const named = masters.map(({ nodeName }) => nodeName);
  const isOtherMaster = (node: Node): boolean =>
    isMasterNode(node) && !named.includes(node.metadata.name) && isReadyNode(node);
  return nodes.filter((node) => !isOtherMaster(node)).map(({ metadata }) => metadata.name);
}

/** What is not the version of Kubernetes, and all of hosts that are new. */
async function bringToFile(
  seen: LookedAtCluster,
  options: UpOptions,
  context: RunContext,
  confirm: (plan: ClusterPlan) => Promise<boolean>,
): Promise<UpOutcome> {
  const nodes = namesOfNodes(seen);
  const plan = planCluster({ ...seen, nodes, options });
  const lookFailures = [...seen.masters, ...seen.workers].flatMap(({ failure }) => failure ?? []);
  if (options.dryRun) return { plan, seen, pruned: [], failures: lookFailures };
  if (!(await confirm(plan))) throw notConfirmed();
  const run = new UpRun(options, seen, plan, context);
  await run.carryOut();
  const outcome = run.outcome();
  if (!mayHaveMoved(outcome, context)) return { plan, seen, ...outcome };
  const later = await followMasters(outcome.hosts, options, context);
  const hosts = outcome.hosts.map((host) => later.get(host.host.name) ?? host);
  const failures = [...outcome.failures, ...[...later.values()].flatMap(({ failure }) => failure ?? [])];
  return { plan, seen, ...outcome, hosts, failures };
}

/** Whether workers that were as they should be may now differ: they follow their masters' configuration. */
function mayHaveMoved({ hosts }: UpRunOutcome, { signal }: RunContext): boolean {
  const are = (role: ClusterHost["role"], wanted: HostOutcome["outcome"]): boolean =>
    hosts.some(({ host, outcome }) => host.host.role === role && outcome === wanted);
  return are("master", "changed") && are("worker", "same") && !signal.aborted;
}

/** Looks again at workers that were as they should be, and changes those that differ now. @returns these, by name */
async function followMasters(
  before: readonly HostOutcome[],
  options: UpOptions,
  context: RunContext,
): Promise<Map<string, HostOutcome>> {
  const same = before.flatMap(({ host, outcome }) => (outcome === "same" ? host.name : []));
  const workers = options.hosts.workers.filter(({ name }) => same.includes(name));
  const seen = await lookAtHosts({ ...options.hosts, workers }, context);
  const plan = planCluster({ ...seen, nodes: [], options: { ...options, prune: false, continue: true } });
  const waves = plan.waves.filter((wave) => !isOfMasters(wave, seen));
  const run = new UpRun(options, seen, { ...plan, waves }, context);
  await run.carryOut();
  const touched = run.outcome().hosts.filter(({ outcome }) => outcome === "changed" || outcome === "failed");
  return new Map(touched.map((host) => [host.host.name, host]));
}

function isOfMasters({ hosts }: Wave, { masters }: LookedAtCluster): boolean {
  return masters.some(({ name }) => hosts.includes(name));
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
    // What a master does by itself, and what needs a cluster that runs.
    const isOwn = (wave: Wave): boolean => isOfMasters(wave, this.#seen) && wave.work !== "join";
    const waves = this.#plan.waves.filter((wave) => !isOwn(wave));
    for (const wave of this.#plan.waves.filter(isOwn)) {
      await this.#workOnMasters(wave, (host) =>
        deployMaster(host.options, contextOf(host, this.#context), { joinToken: false }),
      );
    }
    const left = leftCordons(this.#seen.nodes);
    if (this.#failed.size > 0 || waves.length + this.#plan.prunes.length + left.length === 0) return;
    const [master, ...others] = this.#mastersThere();
    if (!master) return;
    try {
      await withCluster([master, ...others], this.#context, async (cluster) => {
        for (const wave of waves) {
          if (isOfMasters(wave, this.#seen)) {
            await this.#workOnMasters(wave, (host) => joinFurtherMaster(host, cluster, this.#context));
            if (this.#failed.size > 0) return;
          } else await this.#workOnWorkers(wave, cluster);
        }
        for (const node of left) await this.#endCordon(node, cluster);
        for (const node of this.#plan.prunes) await this.#prune(node, cluster);
      });
    } catch (error) {
      const failure = failureOf(error, this.#context.signal);
      this.#otherFailures.push(failure);
      const title = `${master.name}: other hosts cannot be worked on`;
      this.#context.report({ kind: "problems", title, problems: failure.problems });
    }
  }

  outcome(): UpRunOutcome {
    const hosts = [...this.#seen.masters, ...this.#seen.workers].map((host): HostOutcome => {
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

  /** One after the other; one that fails has undone itself, and none is worked on after it. */
  async #workOnMasters(
    { work, hosts }: Wave,
    act: (host: MasterHost) => ReturnType<typeof deployMaster>,
  ): Promise<void> {
    for (const { name, host } of this.#seen.masters.filter((one) => hosts.includes(one.name))) {
      if (this.#failed.size > 0) return;
      await this.#work(name, work, async () => {
        const result = await act(host);
        if (result.kind === "changed") this.#kubeconfig = result.kubeconfig ?? this.#kubeconfig;
      });
    }
  }

  /** Those by which the cluster may answer. */
  #mastersThere(): MasterHost[] {
    const isThere = ({ name, state }: LookedAt): boolean =>
      this.#done.has(name) || !["new", "unreachable", "refused"].includes(state.kind);
    return this.#seen.masters.filter(isThere).map(({ host }) => host);
  }

  async #workOnWorkers({ work, hosts, parallel }: Wave, cluster: RunningCluster): Promise<void> {
    const workers = this.#seen.workers.filter(({ name }) => hosts.includes(name));
    const { timeoutMs } = this.#options;
    await inPool(workers, parallel, ({ host, state, nodeName = "" }) =>
      this.#work(host.name, work, async () => {
        const change = () => changeWorker(host, cluster, this.#context);
        const drain = { cluster, context: contextOf(host, this.#context), timeoutMs };
        const drains = state.kind === "different" && state.drains;
        await (drains ? whileDrained(nodeName, drain, change) : change());
      }),
    );
  }

  /** Of a run that was cut short. A host that has failed in this one is as that run has left it. */
  async #endCordon(node: string, { api }: RunningCluster): Promise<void> {
    const { signal } = this.#context;
    const host = this.#seen.workers.find(({ nodeName }) => nodeName === node);
    const wasDrained = host?.state.kind === "different" && host.state.drains;
    if (wasDrained || this.#failed.has(host?.name ?? "") || signal.aborted) return;
    await endOwnCordon(api, node, signal);
    this.#context.report({ kind: "notice", message: `node ${node}, which an earlier run had drained, takes pods again` });
  }

  /** With its member of etcd: else the others would need one more of themselves for ever. */
  async #isRemovedAsMaster(node: string, context: RunContext): Promise<boolean> {
    const isMaster = this.#seen.nodes.some((one) => one.metadata.name === node && isMasterNode(one));
    const [master] = this.#mastersThere();
    if (!isMaster || !master) return false;
    try {
      await removeLostMember({ ...master.options, name: node }, context);
      return true;
    } catch (error) {
      // A master that has another name now has left this one.
      if (isProblem(error, "NO_SUCH_MEMBER")) return false;
      throw error;
    }
  }

  async #prune(node: string, cluster: RunningCluster): Promise<void> {
    if (this.#context.signal.aborted) return;
    const { timeoutMs } = this.#options;
    const context = onHost(node, this.#context);
    const failure = await workOn(node, "remove", this.#context, async () => {
      if (cluster.config.severalMasters === true && (await this.#isRemovedAsMaster(node, context))) return;
      await drainForWork(node, { cluster, context, timeoutMs });
      await deleteNode(cluster.api, node, context.signal);
    });
    if (failure) this.#otherFailures.push(failure);
    else this.#pruned.push(node);
  }
}
