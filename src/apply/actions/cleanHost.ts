import { cleanFootprint, showFootprint } from "../../host/footprint.js";
import type { ActionOf } from "../../model/plan.js";
import { describeFootprint, sysctlsToRestore } from "../../plan/planTeardown.js";
import type { StepTools } from "../planRun.js";
import { teardownIncomplete } from "../teardownIncomplete.js";
import { untilAborted } from "../untilAborted.js";

/** @throws TsdeployError `TEARDOWN_INCOMPLETE` with all that is still there */
export async function cleanHost({ scope }: ActionOf<"clean-host">, { run: { context } }: StepTools): Promise<void> {
  const { helper, signal } = context;
  // Not what the plan saw: until kubelet and kube-proxy had stopped, they could set more.
  const now = await untilAborted(showFootprint(helper, scope), signal);
  const cleaned = { ...scope, sysctls: sysctlsToRestore(scope.sysctls, now.sysctls) };
  const left = await untilAborted(cleanFootprint(helper, cleaned), signal);
  const lines = describeFootprint(left, cleaned);
  if (lines.length > 0) throw teardownIncomplete(lines);
}
