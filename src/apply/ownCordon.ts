import type { KubernetesClient } from "../api/kubernetesClient.js";
import { cordonMark } from "../model/hostLayout.js";
import { type Node, nodeOf } from "./probes.js";

/**
 * Takes a node out of the scheduler's hands for work on it, and marks it in the same request: a run that is cut short
 * leaves the node to the next one.
 *
 * @returns whether it takes pods again when the work is done: not where its owner has cordoned it
 */
export async function cordonForWork(api: KubernetesClient, node: string, signal: AbortSignal): Promise<boolean> {
  const before = await nodeOf(api, node, signal);
  if (before?.spec?.unschedulable === true) return isMarked(before);
  const annotations = { [cordonMark]: new Date().toISOString() };
  await api.patch(`/api/v1/nodes/${node}`, { metadata: { annotations }, spec: { unschedulable: true } }, { signal });
  return true;
}

/** Has it take pods again. */
export async function endOwnCordon(api: KubernetesClient, node: string, signal: AbortSignal): Promise<void> {
  const annotations = { [cordonMark]: null };
  await api.patch(`/api/v1/nodes/${node}`, { metadata: { annotations }, spec: { unschedulable: false } }, { signal });
}

/**
 * Names of nodes that a run has left marked. One that its owner has uncordoned since is among them: its mark has to go
 * before the owner cordons it again.
 */
export function leftCordons(nodes: readonly Node[]): string[] {
  return nodes.filter(isMarked).map(({ metadata }) => metadata.name);
}

function isMarked({ metadata }: Node): boolean {
  return metadata.annotations?.[cordonMark] !== undefined;
}
