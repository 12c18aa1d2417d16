import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { hasOurKubelet } from "../model/ownership.js";
import type { PlanWarning } from "../model/plan.js";
import type { NodePlan } from "./nodePlan.js";

/**
 * What whoever runs the command has to know when it changes the pod network of a node that runs.
 *
 * @param masterIp of a master that has workers: they follow when their runs are repeated
 */
export function networkChangeWarnings(
  { files }: Pick<NodePlan, "files">,
  { engine, files: present }: Pick<ObservedHost, "engine" | "files">,
  masterIp?: string,
): PlanWarning[] {
  if (!hasOurKubelet(engine.containers)) return [];
  const isChanged = (path: string): boolean => {
    const wanted = files.find((file) => file.path === path);
    return wanted !== undefined && present.get(path)?.content !== wanted.content;
  };
  const pods = isChanged(paths.cniConfigFile) ? " Pods that run keep their interfaces until they are made anew." : "";
  const workers =
    masterIp === undefined ? "" : ` When this has worked, run \`tsdeploy worker --master ${masterIp}\` on each worker.`;
  const changes = [paths.cniConfigFile, paths.flannelConfig].some(isChanged);
  return changes ? [{ message: `The pod network changes.${pods}${workers}` }] : [];
}
