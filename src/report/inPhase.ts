import type { Report } from "./events.js";

/** Reports when a phase begins, and how it ends. */
export async function inPhase<T>(phase: string, report: Report, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  report({ kind: "phase-started", phase });
  try {
    const result = await work();
    report({ kind: "phase-finished", phase, durationMs: performance.now() - began });
    return result;
  } catch (error) {
    report({ kind: "phase-failed", phase, durationMs: performance.now() - began });
    throw error;
  }
}
