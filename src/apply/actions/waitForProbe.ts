import { unreachable } from "../../model/errors.js";
import type { ActionOf, Probe } from "../../model/plan.js";
import { probeNameResolves } from "../nameProbe.js";
import type { PlanRun, StepTools } from "../planRun.js";
import {
  probeApi,
  probeApiServes,
  probeNodeAnnotations,
  probeNodeCidr,
  probeNodeReady,
  probeNodeRegistered,
} from "../probes.js";
import { StartAnew } from "../startAnew.js";
import { probeRestarted } from "../staticPods.js";
import type { Sight } from "../waitFor.js";
import { probeObjectsGone, probeWorkloads } from "../workloadProbes.js";

export async function waitForProbe({ probe, madeBy = [] }: ActionOf<"wait">, tools: StepTools): Promise<void> {
  const { run, step } = tools;
  const startAnew = new StartAnew(madeBy, tools);
  await run.wait(step, async (signal) => {
    const sight = await look(probe, run, signal);
    const hasStarted = await startAnew.afterSight(sight);
    if (hasStarted && probe.kind === "node-registered") run.context.report({ kind: "warning", message: cutOff(probe.node) });
    return sight;
  });
}

/**
 * Kubernetes deletes a node's pods some time after the Node, but not if it is back by then. Where a first run was cut
 * short the Node may never have been there.
 */
function cutOff(node: string): string {
  const command = `kubectl delete pods --all-namespaces --field-selector spec.nodeName=${node}`;
  return (
    `node ${node} registers anew. If it had been deleted, it gets another pod CIDR, and pods that it still has from ` +
    `before are out of the others' reach until they are made anew. To have that done: ${command}`
  );
}

async function look(probe: Probe, run: PlanRun, signal: AbortSignal): Promise<Sight> {
  const { api, context } = run;
  const { engine, helper } = context;
  switch (probe.kind) {
    case "api-serves": {
      for (const pod of run.changedPods) {
        const sight = await probeRestarted(engine, pod);
        if (!sight.done) return sight;
      }
      return probeApiServes(api, helper, probe.version, signal);
    }
    case "api-answers":
      return probeApi(api, signal);
    case "node-registered":
      return probeNodeRegistered(api, probe.node, signal);
    case "node-ready":
      return probeNodeReady(api, probe.node, run.kubeletStartedAtMs, signal);
    case "node-has-cidr":
      return probeNodeCidr(api, probe.node, signal);
    case "node-annotated":
      return probeNodeAnnotations(api, probe.node, probe.annotations, signal);
    case "workloads-available":
      return probeWorkloads(api, probe.workloads, signal);
    case "objects-gone":
      return probeObjectsGone(api, probe, signal);
    case "name-resolves":
      return probeNameResolves({ api, helper, report: context.report, timeoutMs: context.timeoutMs }, probe, signal);
    default:
      return unreachable(probe);
  }
}
