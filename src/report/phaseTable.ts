import type { PhaseTime } from "./events.js";
import { formatDuration } from "./formatDuration.js";

/** How long each phase took, one a line, without newline at the end. Phases may have run side by side. */
export function phaseTable(times: readonly PhaseTime[]): string {
  const rows = times.map(({ phase, durationMs }) => ({ phase, duration: formatDuration(durationMs) }));
  const nameWidth = Math.max(0, ...rows.map(({ phase }) => phase.length));
  const durationWidth = Math.max(0, ...rows.map(({ duration }) => duration.length));
  return rows
    .map(({ phase, duration }) => `  ${phase.padEnd(nameWidth)}  ${duration.padStart(durationWidth)}`)
    .join("\n");
}
