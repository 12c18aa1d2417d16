import { containerName, labels } from "../../model/hostLayout.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { accepts, filled } from "./runContainer.js";

/** Of a first run, whose undoing leaves none of its component; the next run goes on with what a killed one has left. */
export async function replaceContainer(action: ActionOf<"replace-container">, tools: StepTools): Promise<void> {
  const { run, step, leave } = tools;
  const { engine, newId } = run.context;
  const { container: spec, health, values } = action;
  const name = containerName(spec.component, newId());
  leave({ undo: () => engine.removeContainer(name) });
  const first = await engine.listContainers([`${labels.component}=${spec.component}`]);
  const id = await engine.createContainer(name, filled(spec, values));
  for (const one of first) {
    await engine.stopContainer(one.id, spec.stopGraceSeconds ?? 10);
    await engine.removeContainer(one.id);
  }
  await engine.startContainer(id);
  run.started.push(id);
  await run.wait(step, () => accepts(health, run));
}
