import { ApiError } from "../../api/apiFault.js";
import { pathOf } from "../../api/pathOf.js";
import { readConfigurationMap } from "../../kubernetes/configurationMaps.js";
import { labels } from "../../model/hostLayout.js";
import type { KubernetesObject } from "../../model/kubernetesObject.js";
import type { ActionOf } from "../../model/plan.js";
import { isPassingRefusal } from "../passingRefusal.js";
import type { PlanRun, StepTools } from "../planRun.js";

/** Right after its start the API server may still be making the namespaces and roles that these need. */
export async function applyObjects({ objects }: ActionOf<"apply-objects">, { run, step }: StepTools): Promise<void> {
  const left = [...objects];
  await run.wait(step, async (signal) => {
    for (let next = left[0]; next; next = left[0]) {
      const { kind, metadata } = next;
      try {
        await applyObject(next, run, signal);
      } catch (error) {
        if (!isPassingRefusal(error)) throw error;
        return { done: false, seen: `${kind} ${metadata.name}: ${error.message}` };
      }
      left.shift();
    }
    return { done: true };
  });
}

async function applyObject(object: KubernetesObject, { api }: PlanRun, signal: AbortSignal): Promise<void> {
  if (isConfigurationMap(object)) {
    const existing = await api.get(pathOf(object), { signal }).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    });
    if (existing && readConfigurationMap(existing).edited) return;
  }
  await api.apply(object, { signal });
}

/** One that people may edit; it carries the digest of its data. */
function isConfigurationMap({ kind, metadata }: KubernetesObject): boolean {
  return kind === "ConfigMap" && metadata.annotations?.[labels.spec] !== undefined;
}
