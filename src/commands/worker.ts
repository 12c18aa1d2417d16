import { joinWorker } from "../deploy/joinWorker.js";
import type { WorkerOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { phaseTable } from "../report/phaseTable.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy worker`: this Docker host joins, or stays in, a cluster. */
export async function worker(options: WorkerOptions, context: RunContext): Promise<CommandResult> {
  const result = await joinWorker(options, context);
  if (result.kind === "planned") return result.description;
  const { plan, config, version, changed, times } = result;
  const node = `node ${plan.nodeName} (${version}) of cluster ${config.clusterName} is Ready`;
  return {
    data: {
      role: "worker",
      cluster: config.clusterName,
      version,
      node: plan.nodeName,
      apiserver: config.apiserver,
      changed,
      phases: times,
      nodeReadyMs: times.find(({ phase }) => phase === "node")?.endedAtMs,
    },
    text: [changed ? node.replace(/^n/, "N") : `Nothing to change: ${node}`, "", phaseTable(times)].join("\n"),
  };
}
