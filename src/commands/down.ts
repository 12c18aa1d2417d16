import { downCluster, type DownHost } from "../deploy/downCluster.js";
import { exitCodeOf } from "../deploy/manyHosts.js";
import type { DownOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";
import { confirmPurge, refuseUnconfirmedPurge } from "./confirmPurge.js";

/** `tsdeploy down -f FILE`: takes a cluster off all machines of its file. */
export async function down(options: DownOptions, context: RunContext): Promise<CommandResult> {
  refuseUnconfirmedPurge(options, context);
  const hosts = await downCluster(options, context, async (planned) => {
    context.report({ kind: "notice", message: planText(planned) });
    return confirmPurge(options, context);
  });
  for (const { name, outcome, failure, plan } of hosts) {
    // Those whose teardown failed have said so.
    if (failure && !plan) context.report({ kind: "problems", host: name, title: outcome, problems: failure.problems });
  }
  const failures = hosts.flatMap(({ failure }) => failure ?? []);
  const skipped = hosts.filter(({ outcome }) => outcome === "skipped");
  return {
    data: {
      dryRun: options.dryRun,
      hosts: hosts.map(({ name, outcome, plan, failure }) => ({
        host: name,
        outcome,
        kept: plan?.keeps,
        left: plan?.foreign,
        error: failure,
      })),
    },
    text: [
      ...(options.dryRun ? [planText(hosts), ""] : []),
      textTable([["HOST", "OUTCOME", ""], ...hosts.map(rowOf)]),
      ...(skipped.length > 0 ? ["", "What was skipped waits for the others: run the same again, or say --force."] : []),
    ].join("\n"),
    exitCode: exitCodeOf(failures, context.signal),
  };
}

function rowOf({ name, outcome, plan, failure }: DownHost): string[] {
  const kept = plan === undefined || plan.keeps.length === 0 || outcome !== "removed" ? "" : `kept: ${plan.keeps.join(", ")}`;
  return [name, outcome, failure?.problems[0]?.code ?? kept];
}

function planText(hosts: readonly DownHost[]): string {
  const lines = hosts.flatMap(({ name, plan }) =>
    plan
      ? [
          `  ${name}: the ${plan.role ?? "rest"} of cluster ${plan.clusterName ?? "?"}`,
          ...(plan.keeps.length > 0 ? [`    keeps ${plan.keeps.join(", ")}`] : []),
          ...(plan.foreign.length > 0 ? [`    leaves ${plan.foreign.join(", ")}: nothing shows that tsdeploy wrote it`] : []),
        ]
      : [],
  );
  return lines.length === 0 ? "Nothing of tsdeploy runs on these hosts" : ["This removes", ...lines].join("\n");
}
