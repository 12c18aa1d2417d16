import { exitCodeOf } from "../deploy/manyHosts.js";
import { prepareUpgrade, type Upgrade, type UpgradeWish } from "../deploy/prepareUpgrade.js";
import { roleThere } from "../deploy/roleThere.js";
import { carryOutUpgrade, refuseUpgrade, type UpgradeOutcome } from "../deploy/upgradeCluster.js";
import { upgradeWorkerHere, type WorkerUpgrade } from "../deploy/upgradeWorkerHere.js";
import type { UpgradeApplyOptions, UpgradePlanOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";
import { reportUpgrade, upgradePlanResult } from "./upgradeText.js";

/** `tsdeploy upgrade plan`: the way to another version, and what stands against it. Changes nothing. */
export async function upgradePlan(options: UpgradePlanOptions, context: RunContext): Promise<CommandResult> {
  const wish = await wishOf(options, context);
  if (wish) return upgradePlanResult(await prepareUpgrade(wish, context));
  return workerResult(await upgradeWorker(options, false, context), false);
}

/** `tsdeploy upgrade apply`: goes that way. */
export async function upgradeApply(options: UpgradeApplyOptions, context: RunContext): Promise<CommandResult> {
  const wish = await wishOf(options, context);
  if (!wish) return workerResult(await upgradeWorker(options, true, context), true);
  const upgrade = await prepareUpgrade(wish, context);
  refuseUpgrade(upgrade, options);
  reportUpgrade(upgrade, context);
  const outcome = await carryOutUpgrade(upgrade, options, context);
  return appliedResult(upgrade, outcome, options, exitCodeOf(outcome.failures, context.signal));
}

/** Undefined for one worker by itself. */
async function wishOf(options: UpgradePlanOptions, context: RunContext): Promise<UpgradeWish | undefined> {
  const { hosts, local, targetVersion } = options;
  if (hosts) return { masters: hosts.masters, workers: hosts.workers, targetVersion };
  if (!local) throw new Error("neither a file nor a host was named");
  const isWorker = (await roleThere(local.master, context)) === "worker";
  return isWorker ? undefined : { masters: [local.master], workers: [], targetVersion };
}

async function upgradeWorker(options: UpgradePlanOptions, apply: boolean, context: RunContext): Promise<WorkerUpgrade> {
  const { local, targetVersion } = options;
  if (!local) throw new Error("no host was named");
  return upgradeWorkerHere(local.worker, targetVersion, apply, context);
}

function workerResult(upgrade: WorkerUpgrade, applied: boolean): CommandResult {
  const { node, from, to, drains } = upgrade;
  const drained = drains ? ", drained before" : "";
  const text = applied
    ? `Node ${node} runs Kubernetes ${to}${from === to ? ", as it did" : `, after ${from}`}`
    : from === to
      ? `Nothing to upgrade: node ${node} runs ${to}, as its cluster does`
      : `Node ${node}: Kubernetes ${from} -> ${to}, the cluster's${drained}`;
  return { data: { ...upgrade, applied }, text };
}

function appliedResult(
  upgrade: Upgrade,
  { hosts, kubeconfig }: UpgradeOutcome,
  options: UpgradeApplyOptions,
  exitCode: number,
): CommandResult {
  const { plan } = upgrade;
  const sights = [...upgrade.masters, ...upgrade.workers];
  const isThere = new Map(sights.map(({ name, there }) => [name, there !== undefined]));
  const rows = hosts.map(({ name, role, outcome, failure }) => {
    const why = isThere.get(name) === true ? "" : "no node runs there";
    return [name, role, outcome, failure?.problems[0]?.code ?? why];
  });
  const changed = hosts.some(({ outcome }) => outcome === "upgraded");
  const data = {
    changed,
    to: plan.target,
    hosts: hosts.map(({ name, role, outcome, failure }) => ({ host: name, role, outcome, error: failure })),
    kubeconfig,
  };
  const said = options.hosts?.masters[0].options.k8sVersion;
  const isOld = said !== undefined && said !== plan.target;
  const text = [
    ...(plan.stops.length === 0 ? [`Nothing to upgrade: all hosts run ${plan.target}`, ""] : []),
    textTable([["HOST", "ROLE", "OUTCOME", ""], ...rows]),
    ...(exitCode === 0 ? [] : ["", "Not all hosts are upgraded; the same command goes on from here."]),
    ...(isOld ? ["", `Write k8sVersion: ${plan.target} into the file: until then \`up\` refuses to go back to ${said}.`] : []),
    ...(options.hosts || exitCode !== 0 ? [] : ["", "Workers next, one after the other: `tsdeploy upgrade apply` with the Docker of each."]),
  ];
  return { data, text: text.join("\n"), exitCode };
}
