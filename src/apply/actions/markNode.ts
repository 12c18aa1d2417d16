import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

export async function markNode(action: ActionOf<"mark-node">, { run }: StepTools): Promise<void> {
  const { node, labels, annotations } = action;
  const metadata = { labels, ...(annotations && { annotations }) };
  await run.api.patch(`/api/v1/nodes/${node}`, { metadata }, { signal: run.context.signal });
}
