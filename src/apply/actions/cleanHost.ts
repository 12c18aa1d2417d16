import { cleanFootprint, showFootprint } from "../../host/footprint.js";
import type { CleanupScope } from "../../model/cleanupScope.js";
import type { ActionOf } from "../../model/plan.js";
import { describeFootprint, sysctlsToRestore } from "../../plan/planTeardown.js";
import type { StepTools } from "../planRun.js";
import { teardownIncomplete } from "../teardownIncomplete.js";
import { untilAborted } from "../untilAborted.js";

/** A scope in which nothing is looked for but what every look shows. */
const nothing: CleanupScope = {
  network: undefined,
  before: [],
  sysctls: {},
  paths: [],
  keeps: [],
  emptyFolders: [],
  links: [],
  routes: [],
};

/** @throws TsdeployError `TEARDOWN_INCOMPLETE` with all that is still there */
export async function cleanHost({ scope }: ActionOf<"clean-host">, { run: { context } }: StepTools): Promise<void> {
  const { helper, signal } = context;
  const { sysctls } = scope;
  // Not what the plan saw: until kubelet and kube-proxy had stopped, they could set more.
  const isNone = Object.keys(sysctls).length === 0;
  const now = isNone ? {} : (await untilAborted(showFootprint(helper, { ...nothing, sysctls }), signal)).sysctls;
  const cleaned = { ...scope, sysctls: sysctlsToRestore(sysctls, now) };
  const left = await untilAborted(cleanFootprint(helper, cleaned), signal);
  const lines = describeFootprint(left, cleaned);
  if (lines.length > 0) throw teardownIncomplete(lines);
}
