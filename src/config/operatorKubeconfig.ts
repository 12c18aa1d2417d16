import { homedir } from "node:os";
import { defined } from "../model/defined.js";
import type { RunContext } from "../report/runContext.js";
import { changeKubeconfigFile, kubeconfigPath } from "./kubeconfigFile.js";
import { type MergedKubeconfig, mergeKubeconfig } from "./kubeconfigMerge.js";

/** What became of the operator's kubeconfig. */
export interface OperatorKubeconfig extends Omit<MergedKubeconfig, "text"> {
  readonly path: string;
}

/**
 * Adds the cluster to the operator's kubeconfig and makes it current; what is there stays.
 *
 * @param formerServer where the cluster was before it moved
 */
export async function mergeIntoKubeconfig(
  adminConf: string,
  clusterName: string,
  named: string | undefined,
  context: RunContext,
  formerServer?: string,
): Promise<OperatorKubeconfig> {
  const path = kubeconfigPath(named, context.env, context.env["HOME"] ?? homedir());
  let merged: MergedKubeconfig | undefined;
  await changeKubeconfigFile(path, (existing) => {
    merged = mergeKubeconfig(existing, clusterName, adminConf, clusterName, formerServer);
    return merged.text;
  });
  if (!merged) throw new Error("the kubeconfig was not merged");
  const { context: current, previousContext } = merged;
  return { path, context: current, ...defined({ previousContext }) };
}
