import { cleanFootprint } from "../../host/footprint.js";
import type { ActionOf } from "../../model/plan.js";
import { describeFootprint } from "../../plan/planTeardown.js";
import type { StepTools } from "../planRun.js";
import { teardownIncomplete } from "../teardownIncomplete.js";
import { untilAborted } from "../untilAborted.js";

/** @throws TsdeployError `TEARDOWN_INCOMPLETE` with all that is still there */
export async function cleanHost({ scope }: ActionOf<"clean-host">, { run: { context } }: StepTools): Promise<void> {
  const left = await untilAborted(cleanFootprint(context.helper, scope), context.signal);
  const lines = describeFootprint(left, scope);
  if (lines.length > 0) throw teardownIncomplete(lines);
}
