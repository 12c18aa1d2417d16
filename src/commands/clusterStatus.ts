import { nodeVersion, isReadyNode } from "../apply/probes.js";
import { type LookedAt, type LookedAtCluster, lookAtHosts } from "../deploy/lookAtHosts.js";
import { exitCodeOf, type HostFailure } from "../deploy/manyHosts.js";
import type { ClusterHosts } from "../model/clusterHosts.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";
import { progressText, upgradeProgress } from "./upgradeProgress.js";

/** A host of the file, or a node that is none of them. */
export interface StatusRow {
  /** Undefined for a node that no host is known to be. */
  readonly host?: string;
  readonly role?: string;
  readonly node?: string | undefined;
  /** Undefined where nobody knows. */
  readonly ready?: boolean | undefined;
  readonly version?: string | undefined;
  readonly state: string;
  readonly changes?: readonly string[] | undefined;
  readonly error?: HostFailure | undefined;
}

/** `tsdeploy status -f FILE`: one table of all hosts, and of nodes that are none of them. Changes nothing. */
export async function clusterStatus(hosts: ClusterHosts, context: RunContext): Promise<CommandResult> {
  const seen = await lookAtHosts(hosts, context);
  const rows = statusRows(seen);
  const failures = rows.flatMap(({ error }) => error ?? []);
  for (const { host, error } of rows) {
    if (!host || !error) continue;
    context.report({ kind: "problems", host, title: "cannot be looked at as a whole", problems: error.problems });
  }
  const others = rows.filter(({ host }) => host === undefined);
  const ofMaster = rows.find(({ role, version }) => role === "master" && version !== undefined);
  const upgrade = upgradeProgress(seen.nodes, ofMaster?.version);
  return {
    data: { hosts: rows.filter(({ host }) => host !== undefined), others: others.map(({ node }) => node), upgrade },
    text: upgrade ? `${statusTable(rows)}\n\n${progressText(upgrade)}` : statusTable(rows),
    exitCode: exitCodeOf(failures, context.signal),
  };
}

/** Hosts in the order of the file, then the other nodes. */
export function statusRows(seen: LookedAtCluster): StatusRow[] {
  const looked: readonly LookedAt[] = [...seen.masters, ...seen.workers];
  const known = new Set(looked.map(({ nodeName }) => nodeName));
  const others = seen.nodes.filter(({ metadata }) => !known.has(metadata.name));
  return [
    ...looked.map((host): StatusRow => {
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
    }),
    ...others.map((node) => ({
      node: node.metadata.name,
      ready: isReadyNode(node),
      version: nodeVersion(node),
      state: "no host known by this name",
    })),
  ];
}

export function statusTable(rows: readonly StatusRow[]): string {
  return textTable([["HOST", "ROLE", "NODE", "STATUS", "VERSION", "COMPARED WITH THE FILE"], ...rows.map(statusCells)]);
}

/** A row's cells. */
export function statusCells({ host, role, node, ready, version, state, changes, error }: StatusRow): string[] {
  return [
    host ?? "-",
    role ?? "-",
    node ?? "?",
    ready === undefined ? "-" : ready ? "Ready" : "NotReady",
    version ?? "-",
    [state, ...(error?.problems.map(({ code }) => code) ?? changes ?? [])].join(": "),
  ];
}
