import { ApiError } from "../../api/apiFault.js";
import type { KubernetesClient } from "../../api/kubernetesClient.js";
import { pathOf } from "../../api/pathOf.js";
import { isEditedMap } from "../../kubernetes/configurationMaps.js";
import { labels } from "../../model/hostLayout.js";
import type { KubernetesObject, ObjectReference } from "../../model/kubernetesObject.js";
import type { ActionOf } from "../../model/plan.js";
import { getIfThere } from "../getIfThere.js";
import type { StepTools } from "../planRun.js";
import { objectByObject } from "./objectByObject.js";

export async function deleteObjects({ objects }: ActionOf<"delete-objects">, tools: StepTools): Promise<void> {
  await objectByObject(objects, tools, (object, signal) => deleteObject(object, tools, signal));
}

async function deleteObject(reference: ObjectReference, { run, leave }: StepTools, signal: AbortSignal): Promise<void> {
  const { api, context } = run;
  const path = pathOf(reference);
  const existing = await getIfThere<KubernetesObject>(api, path, signal);
  if (!existing) return;
  if (isKept(existing)) {
    const { name, namespace = "default" } = existing.metadata;
    context.report({ kind: "warning", message: `ConfigMap ${namespace}/${name} was edited by somebody, and stays` });
    return;
  }
  leave({ undo: () => bringBack(api, existing, AbortSignal.timeout(context.timeoutMs)) });
  // Without it the oldest APIs of Deployments leave the pods.
  const body = { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background" };
  await api.delete(path, { signal, body }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });
}

/** Whether it is configuration that a person has edited. */
export function isKept({ kind, metadata, ...object }: KubernetesObject): boolean {
  return kind === "ConfigMap" && metadata.annotations?.[labels.spec] !== undefined && isEditedMap({ metadata, ...object });
}

/** As it was, for all that the API server lets itself be told. */
async function bringBack(api: KubernetesClient, existing: KubernetesObject, signal: AbortSignal): Promise<void> {
  if (await getIfThere(api, pathOf(existing), signal)) return;
  const metadata = { ...existing.metadata, resourceVersion: undefined, uid: undefined };
  await api.create({ ...existing, metadata }, { signal });
}
