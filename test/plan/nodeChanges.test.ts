import { describe, expect, it } from "vitest";
import { TsdeployError } from "../../src/model/errors.js";
import type { Plan } from "../../src/model/plan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { refuseNodeChanges } from "../../src/plan/nodeChanges.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { workerInput } from "./fixtures.js";

const planOf = (options: Partial<typeof workerInput.options>) =>
  planWorker({ ...workerInput, options: { ...workerInput.options, ...options } });
const first = { nodeName: "one", nodeLabels: { disk: "ssd", zone: "a" }, nodeTaints: [] };

/** As far as it matters. */
function hostOf(plan: Plan): Parameters<typeof refuseNodeChanges>[1] {
  return { containers: containersOf(plan), files: new Map(filesOf(plan).map((file) => [file.path, file])) };
}

function refusals(options: Partial<typeof workerInput.options>): string[] {
  try {
    refuseNodeChanges(planOf({ ...first, ...options }), hostOf(planOf(first)));
    return [];
  } catch (error) {
    if (!(error instanceof TsdeployError)) throw error;
    return error.problems.map(({ code, hint }) => `${code} ${hint.replace(/^.*, (and run: )?/, "")}`);
  }
}

describe("a node that has registered", () => {
  it("may change all that its kubelet follows", () => {
    expect(refusals({})).toEqual([]);
    expect(refusals({ extraArgs: { kubelet: { v: "4" } }, restartPolicy: "always" })).toEqual([]);
  });

  it("keeps its name", () => {
    expect(refusals({ nodeName: "two" })).toEqual(["NODE_NAME_CHANGED or run `tsdeploy teardown` here first."]);
  });

  it("gets other labels and taints by kubectl", () => {
    expect(refusals({ nodeLabels: { disk: "hdd", rack: "7" } })).toEqual([
      "NODE_LABELS_CHANGED kubectl label --overwrite node one disk=hdd rack=7 zone-",
    ]);
    expect(refusals({ nodeTaints: [{ key: "gpu", effect: "NoSchedule" }] })).toEqual([
      "NODE_TAINTS_CHANGED kubectl taint --overwrite node one gpu=:NoSchedule",
    ]);
  });
});
