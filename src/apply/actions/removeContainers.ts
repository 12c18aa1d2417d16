import { messageOf } from "../../model/errors.js";
import { isKubeletMade } from "../../model/ownership.js";
import type { ActionOf, NamedContainer } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { teardownIncomplete } from "../teardownIncomplete.js";
import { untilAborted } from "../untilAborted.js";

/** Removes all that can be removed. @throws TsdeployError `TEARDOWN_INCOMPLETE` with the rest */
export async function removeContainers(
  { containers, andPods }: ActionOf<"remove-containers">,
  { run: { context } }: StepTools,
): Promise<void> {
  const { engine, signal } = context;
  const late = andPods ? (await engine.listContainers()).filter(isKubeletMade) : [];
  const known = new Set(containers.map(({ id }) => id));
  const failed: string[] = [];
  const remove = async ({ id, name }: NamedContainer): Promise<void> => {
    await engine.removeContainer(id).catch((error: unknown) => {
      failed.push(`container ${name}: ${messageOf(error)}`);
    });
  };
  await untilAborted(Promise.all([...containers, ...late.filter(({ id }) => !known.has(id))].map(remove)), signal);
  if (failed.length > 0) throw teardownIncomplete(failed);
}
