import { tearDown, type TeardownOutcome } from "../deploy/tearDown.js";
import { unreachable } from "../model/errors.js";
import type { TeardownOptions } from "../model/options.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { describeAction } from "../plan/describePlan.js";
import type { CommandResult } from "../report/events.js";
import { phaseTable } from "../report/phaseTable.js";
import type { RunContext } from "../report/runContext.js";
import { confirmPurge, refuseUnconfirmedPurge } from "./confirmPurge.js";

/** `tsdeploy teardown`: takes this host out of its cluster, and the cluster off this host. */
export async function teardown(options: TeardownOptions, context: RunContext): Promise<CommandResult> {
  refuseUnconfirmedPurge(options, context);
  return resultOf(
    await tearDown(options, context, async (plan) => {
      context.report({ kind: "notice", message: describe(plan) });
      return confirmPurge(options, context);
    }),
  );
}

function resultOf(outcome: TeardownOutcome): CommandResult {
  switch (outcome.kind) {
    case "nothing":
      return { data: { removed: false, kept: outcome.keeps }, text: nothingHere(outcome) };
    case "planned": {
      const { plan } = outcome;
      const steps = plan.steps.map(({ action, ...step }) => ({ ...step, does: describeAction(action) }));
      const lines = steps.map(({ id, does }) => `  ${id}: ${does}`);
      return { data: { dryRun: true, plan: { ...plan, steps } }, text: [describe(plan), "", "Steps", ...lines].join("\n") };
    }
    case "removed": {
      const { plan, times } = outcome;
      return {
        data: {
          role: plan.role,
          cluster: plan.clusterName,
          removed: true,
          kept: plan.keeps,
          left: [...plan.foreign, ...plan.foreignVirtualServers],
          phases: times,
        },
        text: [
          plan.keeps.length === 0
            ? `Gone${left(plan).length === 0 ? " without a trace" : ""}.`
            : `Gone, but for what a later \`tsdeploy master\` goes on with (--purge deletes it): ${plan.keeps.join(", ")}`,
          ...left(plan),
          "",
          phaseTable(times),
        ].join("\n"),
      };
    }
    default:
      return unreachable(outcome);
  }
}

function describe(plan: TeardownPlan): string {
  const what = plan.role === undefined ? "what is left of tsdeploy" : `the ${plan.role} of cluster ${plan.clusterName ?? "?"}`;
  const drains = plan.steps.some(({ action }) => action.kind === "drain-node");
  return [
    `This removes ${what}:`,
    ...(drains ? ["  its pods, by draining the node, and its Node object"] : []),
    ...plan.containers.map(({ name }) => `  container ${name}`),
    ...plan.leftovers.map((line) => `  ${line}`),
    ...(plan.keeps.length > 0 ? [`and keeps ${plan.keeps.join(", ")}`] : []),
    ...left(plan),
  ].join("\n");
}

/** Files of whoever owns the host, in folders of ours, and what IPVS serves for others. */
function left({ foreign, foreignVirtualServers }: TeardownPlan): string[] {
  const files =
    `Left, because nothing shows that tsdeploy wrote it: ${foreign.join(", ")} ` +
    `(to remove it by hand: rm ${foreign.join(" ")})`;
  const servers =
    `Left, because nothing shows that kube-proxy made it: IPVS virtual server ${foreignVirtualServers.join(", ")} ` +
    "(to remove one by hand: ipvsadm -D -t ADDRESS:PORT, or -u for UDP)";
  return [...(foreign.length === 0 ? [] : [files]), ...(foreignVirtualServers.length === 0 ? [] : [servers])];
}

function nothingHere({ endpoint, keeps, blind }: Extract<TeardownOutcome, { kind: "nothing" }>): string {
  const remark = blind ? "; no hyperkube image is here to look at the host's files with" : "";
  const kept = keeps.length === 0 ? remark : `; kept for a later \`tsdeploy master\`: ${keeps.join(", ")}`;
  return `Nothing of tsdeploy runs on ${endpoint}${kept}`;
}
