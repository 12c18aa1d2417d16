import { unreachable } from "../model/errors.js";
import type { Plan } from "../model/plan.js";
import type { PhaseTime } from "../report/events.js";
import { addMember } from "./actions/addMember.js";
import { applyObjects } from "./actions/applyObjects.js";
import { cleanHost } from "./actions/cleanHost.js";
import { createNode } from "./actions/createNode.js";
import { deleteObjects } from "./actions/deleteObjects.js";
import { drainNode } from "./actions/drainNode.js";
import { keepCopy } from "./actions/keepCopy.js";
import { makeFolder } from "./actions/makeFolder.js";
import { markNode } from "./actions/markNode.js";
import { pullImage } from "./actions/pullImage.js";
import { removeContainers } from "./actions/removeContainers.js";
import { removeFiles } from "./actions/removeFiles.js";
import { removeFolder } from "./actions/removeFolder.js";
import { removeMember } from "./actions/removeMember.js";
import { removeNode } from "./actions/removeNode.js";
import { replaceContainer } from "./actions/replaceContainer.js";
import { runContainer } from "./actions/runContainer.js";
import { setPodCidr } from "./actions/setPodCidr.js";
import { settleMember } from "./actions/settleMember.js";
import { spareMember } from "./actions/spareMember.js";
import { stopContainers } from "./actions/stopContainers.js";
import { waitForProbe } from "./actions/waitForProbe.js";
import { writeFiles } from "./actions/writeFiles.js";
import { writePodNetwork } from "./actions/writePodNetwork.js";
import type { ApplyContext } from "./applyContext.js";
import { PlanRun, type StepTools } from "./planRun.js";
import { runSteps } from "./runSteps.js";
import { throwIfAborted } from "./waitFor.js";

/** Carries the plan out. @returns the time by phase @throws TsdeployError when a step fails or a wait ends in vain */
export async function applyPlan(plan: Pick<Plan, "steps">, context: ApplyContext): Promise<PhaseTime[]> {
  const run = new PlanRun(context);
  const { report, keepOnFailure, beforeUndo, signal } = context;
  return runSteps(plan.steps, {
    report,
    keepOnFailure,
    beforeUndo,
    run: async (step, leave) => {
      throwIfAborted(signal);
      try {
        await runAction({ run, step, leave });
      } catch (error) {
        // Nothing else has to be waited for any more.
        run.fail();
        throw error;
      }
    },
  });
}

async function runAction(tools: StepTools): Promise<void> {
  const { action } = tools.step;
  switch (action.kind) {
    case "write-files":
      return writeFiles(action, tools);
    case "remove-files":
      return removeFiles(action, tools);
    case "make-folder":
      return makeFolder(action, tools);
    case "pull-image":
      return pullImage(action, tools);
    case "run-container":
      return runContainer(action, tools);
    case "replace-container":
      return replaceContainer(action, tools);
    case "add-member":
      return addMember(action, tools);
    case "settle-member":
      return settleMember(action, tools);
    case "spare-member":
      return spareMember(tools);
    case "remove-member":
      return removeMember(action, tools);
    case "wait":
      return waitForProbe(action, tools);
    case "apply-objects":
      return applyObjects(action, tools);
    case "delete-objects":
      return deleteObjects(action, tools);
    case "create-node":
      return createNode(action, tools);
    case "set-pod-cidr":
      return setPodCidr(action, tools);
    case "write-pod-network":
      return writePodNetwork(action, tools);
    case "mark-node":
      return markNode(action, tools);
    case "drain-node":
      return drainNode(action, tools);
    case "remove-node":
      return removeNode(action, tools);
    case "stop-containers":
      return stopContainers(action, tools);
    case "keep-copy":
      return keepCopy(action, tools);
    case "remove-folder":
      removeFolder(action, tools);
      return;
    case "remove-containers":
      return removeContainers(action, tools);
    case "clean-host":
      return cleanHost(action, tools);
    default:
      return unreachable(action);
  }
}
