import { labels } from "../../model/hostLayout.js";
import type { ActionOf } from "../../model/plan.js";
import { HeldContainers } from "../heldContainers.js";
import type { PlanRun, StepTools } from "../planRun.js";
import { untilAborted } from "../untilAborted.js";

/** What has been ordered to stop goes on stopping when the run is aborted; the next run goes on from there. */
export async function stopContainers(
  { containers, comesBack }: ActionOf<"stop-containers">,
  { run, leave }: StepTools,
): Promise<void> {
  const { context } = run;
  const { engine, signal } = context;
  const held = new HeldContainers(engine);
  const stopOne = comesBack ? held.stop.bind(held) : engine.stopContainer.bind(engine);
  if (comesBack) {
    leave({
      resume: async () => {
        for (const { id } of containers) if (!hasSuccessor(id, run)) await held.start(id);
      },
    });
  }
  const stop = Promise.all(containers.map(({ id, graceSeconds }) => stopOne(id, graceSeconds)));
  await untilAborted(stop, signal);
}

/** One of the same component stays in its place. */
function hasSuccessor(id: string, { context, stays }: PlanRun): boolean {
  const component = context.containers.find((one) => one.id === id)?.labels[labels.component];
  return [...stays].some((one) => one === component);
}
