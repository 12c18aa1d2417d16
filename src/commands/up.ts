import { exitCodeOf } from "../deploy/manyHosts.js";
import type { LookedAtCluster } from "../deploy/lookAtHosts.js";
import { type HostOutcome, upCluster, type UpOutcome } from "../deploy/upCluster.js";
import { evenMasters } from "../model/clusterHosts.js";
import { TsdeployError } from "../model/errors.js";
import type { UpOptions } from "../model/options.js";
import type { ClusterPlan } from "../plan/planCluster.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";
import { reportUpgrade, upgradePlanResult } from "./upgradeText.js";

/** `tsdeploy up -f FILE`: a cluster of many machines becomes, or stays, what its file says. */
export async function up(options: UpOptions, context: RunContext): Promise<CommandResult> {
  const warning = evenMasters(options.hosts);
  if (warning !== undefined) context.report({ kind: "warning", message: warning });
  const outcome = await upCluster(options, context, async (plan, seen, upgrade) => {
    if (upgrade) {
      reportUpgrade(upgrade, context);
      return confirmPrunes(plan, options, context);
    }
    reportFailures(seen, context);
    if (plan.waves.length > 0 || plan.prunes.length > 0) context.report({ kind: "notice", message: planText(plan, seen) });
    return confirmPrunes(plan, options, context);
  });
  const { masters, workers } = outcome.seen;
  for (const { name, warnings } of [...masters, ...workers]) {
    // Those that were worked on have said theirs.
    if (outcome.hosts && !outcome.plan.left.includes(name)) continue;
    for (const message of warnings) context.report({ kind: "warning", host: name, message });
  }
  if (!outcome.hosts) {
    if (outcome.upgrade) {
      const { text, ...result } = upgradePlanResult(outcome.upgrade);
      return { ...result, text: `${text}\n\nThen \`up\` looks again, for what else the file says.` };
    }
    reportFailures(outcome.seen, context);
    return { ...plannedResult(outcome), exitCode: exitCodeOf(outcome.failures, context.signal) };
  }
  return doneResult(outcome, outcome.hosts, exitCodeOf(outcome.failures, context.signal));
}

async function confirmPrunes({ prunes }: ClusterPlan, options: UpOptions, context: RunContext): Promise<boolean> {
  if (prunes.length === 0 || options.yes) return true;
  if (!context.isTTY) throw pruneUnconfirmed(prunes);
  return context.confirm(`Remove ${nodes(prunes)}?`);
}

function pruneUnconfirmed(prunes: readonly string[]): TsdeployError {
  return new TsdeployError("usage", {
    code: "PRUNE_UNCONFIRMED",
    message: `--prune removes ${nodes(prunes)}, and there is no terminal to ask on`,
    hint: "Say --yes as well if that is meant.",
  });
}

function nodes(names: readonly string[]): string {
  return `${names.length === 1 ? "node" : "nodes"} ${names.join(", ")}`;
}

/** What the look has found that is not reached, or that a check stands against. */
function reportFailures({ masters, workers }: LookedAtCluster, { report }: RunContext): void {
  for (const { name, failure, state, host } of [...masters, ...workers]) {
    const what = state.kind === "unreachable" ? "is not reached" : "cannot be what the file says";
    const title = `${host.place}: this host ${what}`;
    if (failure) report({ kind: "problems", host: name, title, problems: failure.problems });
  }
}

function planText(plan: ClusterPlan, { masters, workers }: LookedAtCluster): string {
  const state = new Map([...masters, ...workers].map((host) => [host.name, host.state]));
  const changesOf = (name: string): readonly string[] => {
    const found = state.get(name);
    return found?.kind === "different" ? found.changes.map((change) => `      ${change}`) : [];
  };
  return [
    ...plan.waves.flatMap(({ work, hosts, parallel }) => [
      `  ${work}${hosts.length > 1 ? ` (${Math.min(parallel, hosts.length)} at once)` : ""}`,
      ...hosts.flatMap((name) => [`    ${name}`, ...changesOf(name)]),
    ]),
    ...(plan.prunes.length > 0 ? ["  remove", ...plan.prunes.map((node) => `    ${node}`)] : []),
    ...(plan.left.length > 0 ? [`  leave as it is: ${plan.left.join(", ")}`] : []),
    ...plan.skipped.map(({ host, why }) => `  not now: ${host}, because ${why}`),
    ...strangersText(plan),
  ].join("\n");
}

function strangersText({ strangers, prunes, prunesNot }: ClusterPlan): string[] {
  const left = strangers.filter((node) => !prunes.includes(node));
  if (left.length === 0) return [];
  const why = prunesNot ?? "--prune removes such nodes";
  return [`  in the cluster and not in the file: ${left.join(", ")} (${why})`];
}

function plannedResult({ plan, seen }: UpOutcome): CommandResult {
  const hosts = [...seen.masters, ...seen.workers].map(({ name, nodeName, state, description, failure }) => ({
    host: name,
    node: nodeName,
    ...state,
    problems: failure?.problems,
    plan: description?.data,
  }));
  const descriptions = [...seen.masters, ...seen.workers].flatMap(({ name, state, description }) =>
    description && state.kind !== "same" ? [`== ${name}`, description.text] : [],
  );
  const nothing = plan.waves.length + plan.prunes.length === 0 ? ["Nothing to change"] : [];
  return { data: { dryRun: true, plan, hosts }, text: [...nothing, planText(plan, seen), "", ...descriptions].join("\n") };
}

function doneResult(outcome: UpOutcome, hosts: readonly HostOutcome[], exitCode: number): CommandResult {
  const { plan, pruned, kubeconfig } = outcome;
  const isSame = hosts.every((host) => host.outcome === "same") && pruned.length === 0;
  const rows = hosts.map(({ host, outcome: what, failure }) => [
    host.name,
    host.host.role,
    host.nodeName ?? "?",
    what,
    failure?.problems[0]?.code ?? plan.skipped.find((one) => one.host === host.name)?.why ?? (what === "skipped" ? "not begun" : ""),
  ]);
  const data = {
    changed: hosts.some((host) => ["made", "joined", "changed"].includes(host.outcome)) || pruned.length > 0,
    hosts: hosts.map(({ host, outcome: what, failure }) => ({
      host: host.name,
      role: host.host.role,
      node: host.nodeName,
      outcome: what,
      error: failure,
    })),
    strangers: plan.strangers.filter((node) => !pruned.includes(node)),
    pruned,
    kubeconfig,
  };
  const text = [
    ...(isSame ? [`Nothing to change: ${hosts.length} hosts are as the file says`, ""] : []),
    textTable([["HOST", "ROLE", "NODE", "OUTCOME", ""], ...rows]),
    ...(pruned.length > 0 ? [`Removed: ${nodes(pruned)}. What is left on the machine itself, \`tsdeploy teardown\` there removes`] : []),
    ...strangersText({ ...plan, prunes: pruned }),
    ...(kubeconfig ? ["", `kubectl: context ${kubeconfig.context} in ${kubeconfig.path}`] : []),
    ...(exitCode === 0 ? [] : ["", "Not all is as the file says; the same command goes on from here."]),
  ];
  return { data, text: text.join("\n"), exitCode };
}
