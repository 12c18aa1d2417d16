import { setTimeout as delay } from "node:timers/promises";
import { lookAtHosts } from "../deploy/lookAtHosts.js";
import type { ClusterHosts } from "../model/clusterHosts.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { statusCells, type StatusRow, statusRows, statusTable } from "./clusterStatus.js";

/**
 * Between two looks. A look compares each host with the file, for which there is no event of Docker's or Kubernetes',
 * and runs a script there: so hosts are looked at for a fifth of the time at most.
 */
const leastPauseMs = 5_000;
const pausePerLook = 4;

/**
 * `tsdeploy status -f FILE --watch`: the table again and again on a terminal, else a line for each row that has
 * changed, until Ctrl-C. Keeps only what it saw last.
 */
export async function watchStatus(
  hosts: ClusterHosts,
  output: "text" | "json",
  context: RunContext,
): Promise<CommandResult> {
  const { signal, redraw } = context;
  const show = output === "text" && redraw ? tableOn(redraw) : linesOn(output, context);
  while (!signal.aborted) {
    const beganMs = performance.now();
    await lookAtHosts(hosts, context)
      .then((seen) => show(statusRows(seen)))
      .catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    const pauseMs = Math.max(leastPauseMs, pausePerLook * (performance.now() - beganMs));
    // Nothing but the signal ends it early.
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  return { data: {}, text: "", isWritten: true };
}

type Show = (rows: readonly StatusRow[]) => Promise<void>;

function tableOn(redraw: (text: string) => Promise<void>): Show {
  return (rows) => redraw(`${statusTable(rows)}\n\n${new Date().toLocaleTimeString()}; Ctrl-C ends it\n`);
}

/** A line for each row that is not as it was, and for each that is no more. */
function linesOn(output: "text" | "json", { write }: RunContext): Show {
  let before = new Map<string, string>();
  return async (rows) => {
    const time = new Date().toISOString();
    const now = new Map(rows.map((row) => [keyOf(row), JSON.stringify(row)]));
    const changed = rows.filter((row) => before.get(keyOf(row)) !== now.get(keyOf(row)));
    const gone = [...before].filter(([key]) => !now.has(key)).map(([, row]) => JSON.parse(row) as StatusRow);
    before = now;
    for (const row of [...changed, ...gone.map((one): StatusRow => ({ ...one, state: "gone" }))]) {
      await write(output === "json" ? `${JSON.stringify({ time, ...row })}\n` : `${time}  ${statusCells(row).join("  ")}\n`);
    }
  };
}

function keyOf({ host, node }: StatusRow): string {
  return host === undefined ? `node ${node ?? ""}` : `host ${host}`;
}
