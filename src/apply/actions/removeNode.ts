import type { ActionOf } from "../../model/plan.js";
import { deleteNode } from "../leaveCluster.js";
import type { StepTools } from "../planRun.js";
import { unlessClusterIsGone } from "./unlessClusterIsGone.js";

export async function removeNode({ node }: ActionOf<"remove-node">, { run }: StepTools): Promise<void> {
  await unlessClusterIsGone(node, run, async (api) => {
    await deleteNode(api, node, run.context.signal);
    run.nodeIsRemoved = true;
  });
}
