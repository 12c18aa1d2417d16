import type { ActionOf } from "../../model/plan.js";
import { drainNode as drain, setUnschedulable } from "../leaveCluster.js";
import type { StepTools } from "../planRun.js";
import { nodeOf } from "../probes.js";
import { unlessClusterIsGone } from "./unlessClusterIsGone.js";

/** Undone while the Node object is there: it takes pods again. */
export async function drainNode(action: ActionOf<"drain-node">, { run, step, leave }: StepTools): Promise<void> {
  const { node, evictionApiVersion } = action;
  const { report, signal, timeoutMs } = run.context;
  await unlessClusterIsGone(node, run, async (api) => {
    const wasUnschedulable = (await nodeOf(api, node, signal))?.spec?.unschedulable === true;
    leave({
      undo: async () => {
        if (wasUnschedulable || run.nodeIsRemoved) return;
        await setUnschedulable(api, node, false, AbortSignal.timeout(timeoutMs));
      },
    });
    await drain(api, {
      node,
      evictionApiVersion,
      timeoutMs,
      signal,
      onSeen: (seen) => {
        report({ kind: "waiting", phase: step.phase, seen });
      },
    });
  });
}
