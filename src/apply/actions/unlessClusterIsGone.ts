import { ApiError } from "../../api/apiFault.js";
import type { KubernetesClient } from "../../api/kubernetesClient.js";
import { messageOf, TsdeployError } from "../../model/errors.js";
import type { PlanRun } from "../planRun.js";

/** Asks the cluster that a node leaves. One that does not answer, or refuses, does not hold the node back. */
export async function unlessClusterIsGone(
  node: string,
  run: PlanRun,
  work: (api: KubernetesClient) => Promise<void>,
): Promise<void> {
  if (run.clusterIsGone) return;
  try {
    await work(run.api);
  } catch (error) {
    const isRefusal = error instanceof ApiError;
    const isFailure = error instanceof TsdeployError && (error.kind === "failed" || error.kind === "aborted");
    if (!isRefusal && (isFailure || !(error instanceof TsdeployError))) throw error;
    run.clusterIsGone = true;
    run.context.report({ kind: "warning", message: cannotLeave(node, error) });
  }
}

/** What is reported of a node that could not leave. */
export function cannotLeave(node: string, error: unknown): string {
  return (
    `node ${node} could not leave its cluster: ${messageOf(error)}. ` +
    `If the cluster lives, run there: kubectl delete node ${node}`
  );
}
