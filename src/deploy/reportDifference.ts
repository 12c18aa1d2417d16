import type { Plan } from "../model/plan.js";
import { describeChange } from "../plan/describePlan.js";
import type { PlanDiff } from "../plan/diff.js";
import type { RunContext } from "../report/runContext.js";

/** Shows warnings, and what a run changes on a node that is there already. */
export function reportDifference(plan: Plan, difference: PlanDiff, isFirstRun: boolean, context: RunContext): void {
  for (const warning of plan.warnings) context.report({ kind: "warning", ...warning });
  for (const { path, lines } of difference.kept) {
    const message = `${path} was edited on the host and stays as it is; --overwrite replaces it`;
    context.report({ kind: "difference", subject: message, lines });
  }
  if (isFirstRun) return;
  for (const change of difference.changes) {
    context.report({ kind: "difference", subject: describeChange(change), lines: change.lines });
  }
}
