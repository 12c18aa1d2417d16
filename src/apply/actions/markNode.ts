import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { tolerant } from "../probes.js";

export async function markNode(action: ActionOf<"mark-node">, { run, step }: StepTools): Promise<void> {
  const { node, labels, annotations } = action;
  const metadata = { labels, ...(annotations && { annotations }) };
  await run.wait(step, (signal) =>
    tolerant(`node ${node}`, async () => {
      await run.api.patch(`/api/v1/nodes/${node}`, { metadata }, { signal });
      return { done: true };
    }),
  );
}
