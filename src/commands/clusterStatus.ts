import { nodeVersion, isReadyNode } from "../apply/probes.js";
import { type LookedAt, lookAtHosts } from "../deploy/lookAtHosts.js";
import { exitCodeOf } from "../deploy/manyHosts.js";
import type { ClusterHosts } from "../model/clusterHosts.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** `tsdeploy status -f FILE`: one table of all hosts, and of nodes that are none of them. Changes nothing. */
export async function clusterStatus(hosts: ClusterHosts, context: RunContext): Promise<CommandResult> {
  const seen = await lookAtHosts(hosts, context);
  const looked: readonly LookedAt[] = [seen.master, ...seen.workers];
  const rows = looked.map((host) => {
    const node = seen.nodes.find(({ metadata }) => metadata.name === host.nodeName);
    return {
      host: host.name,
      role: host.host.role,
      node: host.nodeName,
      ready: node && isReadyNode(node),
      version: node && nodeVersion(node),
      state: host.state.kind,
      changes: host.state.kind === "different" ? host.state.changes : undefined,
      error: host.failure,
    };
  });
  const known = new Set(looked.map(({ nodeName }) => nodeName));
  const others = seen.nodes.filter(({ metadata }) => !known.has(metadata.name));
  const ready = (is: boolean | undefined): string => (is === undefined ? "-" : is ? "Ready" : "NotReady");
  const table = textTable([
    ["HOST", "ROLE", "NODE", "STATUS", "VERSION", "COMPARED WITH THE FILE"],
    ...rows.map((row) => [
      row.host,
      row.role,
      row.node ?? "?",
      ready(row.ready),
      row.version ?? "-",
      [row.state, ...(row.error?.problems.map(({ code }) => code) ?? row.changes ?? [])].join(": "),
    ]),
    ...others.map((node) => ["-", "-", node.metadata.name, ready(isReadyNode(node)), nodeVersion(node), "no host known by this name"]),
  ]);
  const failures = looked.flatMap(({ failure }) => failure ?? []);
  for (const { name, failure } of looked) {
    if (failure) context.report({ kind: "problems", host: name, title: "cannot be looked at as a whole", problems: failure.problems });
  }
  return {
    data: { hosts: rows, others: others.map(({ metadata }) => metadata.name) },
    text: table,
    exitCode: exitCodeOf(failures, context.signal),
  };
}
