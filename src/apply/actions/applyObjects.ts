import type { KubernetesClient } from "../../api/kubernetesClient.js";
import { pathOf } from "../../api/pathOf.js";
import { isEditedMap } from "../../kubernetes/configurationMaps.js";
import { labels } from "../../model/hostLayout.js";
import type { KubernetesObject } from "../../model/kubernetesObject.js";
import type { ActionOf } from "../../model/plan.js";
import { getIfThere } from "../getIfThere.js";
import { deleteIfThere } from "../leaveCluster.js";
import type { StepTools } from "../planRun.js";
import { objectByObject } from "./objectByObject.js";

export async function applyObjects({ objects }: ActionOf<"apply-objects">, tools: StepTools): Promise<void> {
  await objectByObject(objects, tools, (object, signal) => applyObject(object, tools, signal));
}

async function applyObject(object: KubernetesObject, { run, leave }: StepTools, signal: AbortSignal): Promise<void> {
  const { api, context } = run;
  if (isConfigurationMap(object)) {
    const existing = await getIfThere<KubernetesObject>(api, pathOf(object), signal);
    if (existing && isEditedMap(existing)) return;
  }
  await api.apply(object, {
    signal,
    onWrite: (existing) => {
      // A first run is undone with all of its cluster.
      if (context.beforeUndo) return;
      leave({ undo: () => putBack(api, object, existing, AbortSignal.timeout(context.timeoutMs)) });
    },
  });
}

async function putBack(
  api: KubernetesClient,
  object: KubernetesObject,
  existing: KubernetesObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (!existing) return deleteIfThere(api, pathOf(object), signal);
  // Of what it was before this run: the API server would take that for a conflict.
  const metadata = { ...existing.metadata, resourceVersion: undefined };
  await api.replace({ ...existing, metadata }, { signal });
}

/** One that people may edit; it carries the digest of its data. */
function isConfigurationMap({ kind, metadata }: KubernetesObject): boolean {
  return kind === "ConfigMap" && metadata.annotations?.[labels.spec] !== undefined;
}
