import { minor } from "semver";
import type { OperatorKubeconfig } from "../config/operatorKubeconfig.js";
import { endOwnCordon, leftCordons } from "../apply/ownCordon.js";
import type { ClusterHost, MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { exitCodes, type Problem, TsdeployError } from "../model/errors.js";
import type { RunContext } from "../report/runContext.js";
import { changeWorker, whileDrained } from "./changeWorker.js";
import { deployMaster } from "./deployMaster.js";
import { contextOf, failureOf, type HostFailure, inPool, workOn } from "./manyHosts.js";
import type { NodeSight } from "./nodeSight.js";
import { masterAt, workerAt } from "./optionsAt.js";
import type { Blocker, Upgrade } from "./prepareUpgrade.js";
import { type RunningCluster, withCluster } from "./runningCluster.js";
import { bringUpgradeImage } from "./upgradeImages.js";

/** What a run did on a host. `left`: it had nothing to do. */
export interface UpgradedHost {
  readonly name: string;
  readonly role: ClusterHost["role"];
  readonly outcome: "upgraded" | "left" | "failed" | "skipped";
  readonly failure?: HostFailure;
}

export interface UpgradeOutcome {
  readonly hosts: readonly UpgradedHost[];
  readonly failures: readonly HostFailure[];
  readonly kubeconfig?: OperatorKubeconfig;
}

export interface UpgradeRunOptions {
  /** Workers at once. */
  readonly parallel?: number;
  readonly continue: boolean;
  readonly force: boolean;
  readonly timeoutMs: number;
}

/** @throws TsdeployError with all that stands against the upgrade */
export function refuseUpgrade(
  upgrade: Pick<Upgrade, "blockers">,
  options: Pick<UpgradeRunOptions, "continue" | "force">,
): void {
  const given = { "--continue": options.continue, "--force": options.force };
  const blockers = upgrade.blockers.filter(({ unless }) => unless === undefined || !given[unless]);
  const [first] = blockers;
  if (!first) return;
  // Who cannot be reached has to be before anything else is of use.
  const worst = blockers.find(({ exitCode }) => exitCode === exitCodes.unreachable) ?? first;
  const kind = (["environment", "conflict", "unreachable"] as const).find((one) => exitCodes[one] === worst.exitCode);
  throw new TsdeployError(kind ?? "failed", blockers.map(problemOf));
}

function problemOf({ host, code, message, hint, unless }: Blocker): Problem {
  const way = unless === "--continue" ? `${hint} Or go on without it by --continue.` : hint;
  return { code, message: host === undefined ? message : `${host}: ${message}`, hint: way };
}

/**
 * Carries out an upgrade that nothing stands against: images first, on all hosts; then stop by stop the masters in
 * turn, and the workers. A master that fails is undone by itself, and ends the run; a worker that fails stops no other.
 * What is done shows on the hosts, so that the next run goes on from there.
 *
 * @throws TsdeployError if an image cannot be brought to a host: none has been changed then
 */
export async function carryOutUpgrade(
  upgrade: Upgrade,
  options: UpgradeRunOptions,
  context: RunContext,
): Promise<UpgradeOutcome> {
  const run = new UpgradeRun(upgrade, options, context);
  await run.bringImages();
  await run.carryOut();
  return run.outcome();
}

class UpgradeRun {
  readonly #upgrade: Upgrade;
  readonly #options: UpgradeRunOptions;
  readonly #context: RunContext;
  readonly #excluded: ReadonlySet<string>;
  readonly #done = new Map<string, UpgradedHost["outcome"]>();
  readonly #failed = new Map<string, HostFailure>();
  #otherFailure: HostFailure | undefined;
  #kubeconfig: OperatorKubeconfig | undefined;

  constructor(upgrade: Upgrade, options: UpgradeRunOptions, context: RunContext) {
    this.#upgrade = upgrade;
    this.#options = options;
    this.#context = context;
    const without = upgrade.blockers.filter(({ unless }) => unless === "--continue");
    this.#excluded = new Set(without.flatMap(({ host }) => host ?? []));
  }

  async bringImages(): Promise<void> {
    const { images, use, first, masters, workers } = this.#upgrade;
    if (!use) return;
    const missing = images.filter(({ host, how }) => how !== "present" && !this.#excluded.has(host));
    const bring = async (sights: readonly NodeSight<MasterHost | WorkerHost>[]): Promise<void> => {
      await inPool(sights, imagesAtOnce, async (sight) => {
        const own = missing.filter(({ host }) => host === sight.name);
        if (own.length === 0 || this.#context.signal.aborted) return;
        const failure = await workOn(sight.name, "fetch", this.#context, async () => {
          for (const image of own) {
            await bringUpgradeImage(sight as NodeSight<MasterHost>, image, use.config, first, this.#context);
          }
        });
        if (failure) this.#failed.set(sight.name, failure);
      });
      this.#refuseWithoutImages();
    };
    // The others may get theirs from the first master.
    await bring(masters.filter((sight) => sight === first.sight));
    await bring([...masters.filter((sight) => sight !== first.sight), ...workers]);
  }

  #refuseWithoutImages(): void {
    const [first] = this.#failed.values();
    if (!first) return;
    const kinds = ["environment", "conflict", "unreachable", "failed", "aborted"] as const;
    const kind = kinds.find((one) => exitCodes[one] === first.exitCode) ?? "failed";
    const problems = [...this.#failed].flatMap(([host, failure]) =>
      failure.problems.map((problem) => ({ ...problem, message: `${host}: ${problem.message}` })),
    );
    throw new TsdeployError(kind, problems);
  }

  async carryOut(): Promise<void> {
    const { plan } = this.#upgrade;
    for (const { version, masters, workers } of plan.stops) {
      for (const name of masters) {
        await this.#upgradeMaster(name, version);
        if (this.#failed.size > 0 || this.#context.signal.aborted) return;
      }
      const some = this.#upgrade.workers.filter(({ name }) => workers.includes(name) && !this.#excluded.has(name));
      if (some.length > 0) {
        await this.#withCluster((cluster) => this.#upgradeWorkers(some, version, cluster));
      }
      const isLast = version === plan.stops.at(-1)?.version;
      // An API server of the next version would refuse the kubelets that have stayed.
      if (this.#otherFailure || (!isLast && this.#failed.size > 0)) return;
    }
  }

  async #withCluster(use: (cluster: RunningCluster) => Promise<void>): Promise<void> {
    const { masters, first } = this.#upgrade;
    const { host } = first.sight;
    const others = masters.filter(({ name }) => name !== host.name).map((sight) => sight.host);
    try {
      await withCluster([host, ...others], this.#context, use);
    } catch (error) {
      this.#otherFailure = failureOf(error, this.#context.signal);
      const title = `${host.name}: workers cannot be worked on`;
      this.#context.report({ kind: "problems", title, problems: this.#otherFailure.problems });
    }
  }

  async #upgradeMaster(name: string, version: string): Promise<void> {
    const sight = this.#upgrade.masters.find((one) => one.name === name);
    if (!sight) return;
    const { options } = masterAt(sight, version);
    await this.#work(sight, version, async () => {
      const result = await deployMaster(options, contextOf(sight.host, this.#context), { joinToken: false });
      if (result.kind === "changed") this.#kubeconfig = result.kubeconfig ?? this.#kubeconfig;
    });
  }

  async #upgradeWorkers(
    sights: readonly NodeSight<WorkerHost>[],
    version: string,
    cluster: RunningCluster,
  ): Promise<void> {
    const { timeoutMs, parallel = 1 } = this.#options;
    await inPool(sights, parallel, (sight) =>
      this.#work(sight, version, async () => {
        const host = workerAt(sight, version);
        const change = () => changeWorker(host, cluster, this.#context);
        const { nodeName = "", version: before = version } = sight.there ?? {};
        const drain = { cluster, context: contextOf(host, this.#context), timeoutMs };
        // Another kubelet leaves pods alone, but Kubernetes wants none to be there when its minor version changes.
        const drains = minor(before) !== minor(version);
        await (drains ? whileDrained(nodeName, drain, change) : change());
        if (drains) return;
        // An earlier run may have been cut short before that.
        if (leftCordons(this.#upgrade.use?.nodes ?? []).includes(nodeName)) {
          await endOwnCordon(cluster.api, nodeName, this.#context.signal);
        }
      }),
    );
  }

  async #work({ name }: NodeSight, version: string, act: () => Promise<void>): Promise<void> {
    // What has not begun when the person stops the run is left for the next one.
    if (this.#context.signal.aborted || this.#failed.has(name)) return;
    const failure = await workOn(name, `upgrade to ${version}`, this.#context, act);
    this.#done.set(name, failure ? "failed" : "upgraded");
    if (failure) this.#failed.set(name, failure);
  }

  outcome(): UpgradeOutcome {
    const { masters, workers, plan } = this.#upgrade;
    const hosts = [...masters, ...workers].map(({ name, host, failure: seen }): UpgradedHost => {
      const failure = this.#failed.get(name) ?? seen;
      const outcome = this.#done.get(name) ?? (plan.left.includes(name) ? "left" : "skipped");
      return { name, role: host.role, outcome, ...(failure && { failure }) };
    });
    const others = this.#otherFailure ? [this.#otherFailure] : [];
    const failures = [...hosts.flatMap(({ failure }) => failure ?? []), ...others];
    return { hosts, failures, ...(this.#kubeconfig && { kubeconfig: this.#kubeconfig }) };
  }
}

/** Hosts that get images at once. */
const imagesAtOnce = 4;
