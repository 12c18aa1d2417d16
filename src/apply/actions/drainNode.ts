import type { ActionOf } from "../../model/plan.js";
import { isProblem, messageOf } from "../../model/errors.js";
import { drainNode as drain, setUnschedulable } from "../leaveCluster.js";
import type { StepTools } from "../planRun.js";
import { type Node, nodeOf } from "../probes.js";
import { unlessClusterIsGone } from "./unlessClusterIsGone.js";

/** Undone while the Node object is there: it takes pods again. */
export async function drainNode(action: ActionOf<"drain-node">, { run, step, leave }: StepTools): Promise<void> {
  const { node, evictionApiVersion } = action;
  const { report, signal, timeoutMs } = run.context;
  let there: Node | undefined;
  // Only its first answer says whether it is there: a drain that is cut short must not end in pods that are killed.
  await unlessClusterIsGone(node, run, async (api) => {
    there = await nodeOf(api, node, signal);
  });
  if (!there) return;
  const { api } = run;
  const wasUnschedulable = there.spec?.unschedulable === true;
  leave({
    undo: async () => {
      if (wasUnschedulable || run.nodeIsRemoved) return;
      await setUnschedulable(api, node, false, AbortSignal.timeout(timeoutMs));
    },
  });
  const onSeen = (seen: string): void => {
    report({ kind: "waiting", phase: step.phase, seen });
  };
  await drain(api, { node, evictionApiVersion, timeoutMs, signal, onSeen }).catch((error: unknown) => {
    // Old clusters' nodes may evict nothing, and one that is to leave is not to stay for that.
    if (!isProblem(error, "DRAIN_REFUSED")) throw error;
    report({ kind: "warning", message: `${messageOf(error)}. What pods it has end with it` });
  });
}
