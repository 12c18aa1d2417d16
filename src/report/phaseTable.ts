import type { PhaseTime } from "../apply/runSteps.js";
export function phaseTable(times: readonly PhaseTime[]): string {
  return times.map((t) => `  ${t.phase.padEnd(20)} ${(t.durationMs / 1000).toFixed(1)} s`).join("\n");
}
