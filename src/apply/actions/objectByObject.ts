import type { ObjectReference } from "../../model/kubernetesObject.js";
import { isPassingRefusal } from "../passingRefusal.js";
import type { StepTools } from "../planRun.js";

/**
 * Does something with each object, in their order. One that the API server refuses for the moment is tried again, and
 * those before it are not done twice: right after its start it may still be making namespaces and roles.
 */
export async function objectByObject<Item extends ObjectReference>(
  objects: readonly Item[],
  { run, step }: StepTools,
  act: (object: Item, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const left = [...objects];
  await run.wait(step, async (signal) => {
    for (let next = left[0]; next; next = left[0]) {
      const { kind, metadata } = next;
      try {
        await act(next, signal);
      } catch (error) {
        if (!isPassingRefusal(error)) throw error;
        return { done: false, seen: `${kind} ${metadata.name}: ${error.message}` };
      }
      left.shift();
    }
    return { done: true };
  });
}
