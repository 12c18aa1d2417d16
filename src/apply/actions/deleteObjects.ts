import { ApiError } from "../../api/apiFault.js";
import type { KubernetesClient } from "../../api/kubernetesClient.js";
import { pathOf } from "../../api/pathOf.js";
import { isEditedMap } from "../../kubernetes/configurationMaps.js";
import { labels } from "../../model/hostLayout.js";
import type { KubernetesObject, ObjectReference } from "../../model/kubernetesObject.js";
import type { ActionOf } from "../../model/plan.js";
import { isPassingRefusal } from "../passingRefusal.js";
import type { StepTools } from "../planRun.js";

export async function deleteObjects({ objects }: ActionOf<"delete-objects">, tools: StepTools): Promise<void> {
  const { run, step } = tools;
  const left = [...objects];
  await run.wait(step, async (signal) => {
    for (let next = left[0]; next; next = left[0]) {
      const { kind, metadata } = next;
      try {
        await deleteObject(next, tools, signal);
      } catch (error) {
        if (!isPassingRefusal(error)) throw error;
        return { done: false, seen: `${kind} ${metadata.name}: ${error.message}` };
      }
      left.shift();
    }
    return { done: true };
  });
}

async function deleteObject(reference: ObjectReference, { run, leave }: StepTools, signal: AbortSignal): Promise<void> {
  const { api, context } = run;
  const path = pathOf(reference);
  const existing = await getIfThere(api, path, signal);
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

async function getIfThere(
  api: KubernetesClient,
  path: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  return api.get(path, { signal }).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  });
}

function isKept({ kind, metadata, ...object }: KubernetesObject): boolean {
  return kind === "ConfigMap" && metadata.annotations?.[labels.spec] !== undefined && isEditedMap({ metadata, ...object });
}

/** As it was, for all that the API server lets itself be told. */
async function bringBack(api: KubernetesClient, existing: KubernetesObject, signal: AbortSignal): Promise<void> {
  if (await getIfThere(api, pathOf(existing), signal)) return;
  const metadata = { ...existing.metadata, resourceVersion: undefined, uid: undefined };
  await api.create({ ...existing, metadata }, { signal });
}
