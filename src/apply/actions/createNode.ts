import type { ActionOf } from "../../model/plan.js";
import { deleteNode } from "../leaveCluster.js";
import { isPassingRefusal } from "../passingRefusal.js";
import type { StepTools } from "../planRun.js";
import { nodeOf } from "../probes.js";

export async function createNode({ object }: ActionOf<"create-node">, { run, step, leave }: StepTools): Promise<void> {
  const { api } = run;
  const { name } = object.metadata;
  await run.wait(step, async (signal) => {
    try {
      if (await nodeOf(api, name, signal)) return { done: true };
      await api.create(object, { signal });
    } catch (error) {
      if (!isPassingRefusal(error)) throw error;
      return { done: false, seen: `node ${name}: ${error.message}` };
    }
    leave({ undo: () => deleteNode(api, name, AbortSignal.timeout(run.context.timeoutMs)) });
    return { done: true };
  });
}
