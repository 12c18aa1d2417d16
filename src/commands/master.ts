import { type DeployedMaster, deployMaster } from "../deploy/deployMaster.js";
import { publicApiserver } from "../kubernetes/networks.js";
import { defined } from "../model/defined.js";
import type { MasterOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { phaseTable } from "../report/phaseTable.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy master`: this Docker host becomes, or stays, the control plane of a cluster. */
export async function master(options: MasterOptions, context: RunContext): Promise<CommandResult> {
  const result = await deployMaster(options, context);
  return result.kind === "planned" ? result.description : { data: dataOf(result), text: textOf(result) };
}

function dataOf({ config, plan, changed, times, kubeconfig, joinCommand }: DeployedMaster): unknown {
  const endedAt = (phase: string): number | undefined => times.find((time) => time.phase === phase)?.endedAtMs;
  return {
    role: "master",
    cluster: config.clusterName,
    version: config.version,
    node: plan.nodeName,
    address: new URL(config.apiserver).hostname,
    apiserver: publicApiserver(config),
    changed,
    phases: times,
    apiAnswersMs: endedAt("control plane"),
    nodeReadyMs: endedAt("node"),
    ...defined({ kubeconfig, joinCommand }),
  };
}

function textOf({ config, plan, changed, times, kubeconfig, joinCommand }: DeployedMaster): string {
  return [
    changed
      ? `Kubernetes ${config.version} runs: node ${plan.nodeName}, ${publicApiserver(config)}`
      : `Nothing to change: Kubernetes ${config.version} runs on node ${plan.nodeName}, ${publicApiserver(config)}`,
    "",
    phaseTable(times),
    "",
    ...(kubeconfig
      ? [`kubectl: context ${kubeconfig.context} in ${kubeconfig.path}`]
      : ["kubectl: `tsdeploy kubeconfig` prints a kubeconfig"]),
    ...(kubeconfig?.previousContext === undefined
      ? []
      : [`  before: kubectl config use-context ${kubeconfig.previousContext}`]),
    ...(joinCommand === undefined
      ? ["More workers: `tsdeploy token create` prints the line to run there"]
      : ["More workers, on each of them:", "", `  ${joinCommand}`]),
  ].join("\n");
}
