import { messageOf } from "../model/errors.js";
import type { Step } from "../model/plan.js";
import type { PhaseTime, Report } from "../report/events.js";

/** What a step leaves to be done later. */
export interface Aftermath {
  /**
   * Called before anything is undone, also by `beforeUndo`: what can only be taken back while all still runs. If it
   * throws, nothing is undone.
   */
  readonly retreat?: () => Promise<void>;
  /** Takes the step back, however far it has come; called in reverse order if a step fails. */
  readonly undo?: () => Promise<void>;
  /** Called after all undoing: what can only start when everything is again as it was. */
  readonly resume?: () => Promise<void>;
  /** What only makes sense when everything has worked, such as removing the container that was replaced. */
  readonly commit?: () => Promise<void>;
}

export interface RunStepsOptions {
  readonly report: Report;
  /** A step says what it will leave before it changes anything, so that one that fails half-way is undone as well. */
  readonly run: (step: Step, leave: (aftermath: Aftermath) => void) => Promise<void>;
  /** Leaves what was done where it is, for those who want to look. */
  readonly keepOnFailure: boolean;
  /** Called before the steps are undone. */
  readonly beforeUndo?: (() => Promise<void>) | undefined;
}

/**
 * The one loop: each step runs as soon as all that it needs is done. The first failure lets the steps under way end,
 * undoes what was done in reverse order, and is thrown.
 */
export async function runSteps(steps: readonly Step[], options: RunStepsOptions): Promise<PhaseTime[]> {
  const phases = new PhaseClock(steps, options.report);
  const aftermaths: Aftermath[] = [];
  const settled = new Map<string, Promise<boolean>>();
  const failures: unknown[] = [];

  const start = (step: Step): Promise<boolean> => {
    const known = settled.get(step.id);
    if (known) return known;
    const needs = step.needs.map((id) => {
      const needed = steps.find((other) => other.id === id);
      if (!needed) throw new Error(`step ${step.id} needs ${id}, which is not in the plan`);
      return start(needed);
    });
    const running = (async () => {
      const ready = (await Promise.all(needs)).every(Boolean);
      if (!ready || failures.length > 0) return false;
      const beganMs = performance.now();
      phases.begin(step);
      options.report({ kind: "step-started", step: step.id });
      try {
        await options.run(step, (aftermath) => aftermaths.push(aftermath));
        options.report({ kind: "step-finished", step: step.id, durationMs: performance.now() - beganMs });
        phases.end(step);
        return true;
      } catch (error) {
        failures.push(error);
        phases.fail(step);
        return false;
      }
    })();
    settled.set(step.id, running);
    return running;
  };

  await Promise.all(steps.map(start));
  if (failures.length > 0) {
    aftermaths.reverse();
    if (!options.keepOnFailure && (await retreats(aftermaths, options.report))) {
      const undone = aftermaths.map(({ undo }) => undo);
      const resumed = aftermaths.map(({ resume }) => resume);
      for (const work of [options.beforeUndo, ...undone, ...resumed]) {
        await work?.().catch((error: unknown) => {
          options.report({ kind: "warning", message: `could not be undone: ${messageOf(error)}` });
        });
      }
    }
    throw failures[0];
  }
  for (const { commit } of aftermaths) {
    await commit?.().catch((error: unknown) => {
      options.report({ kind: "warning", message: `could not be tidied up: ${messageOf(error)}` });
    });
  }
  return phases.times();
}

/** @returns whether the steps may be undone */
async function retreats(aftermaths: readonly Aftermath[], report: Report): Promise<boolean> {
  try {
    for (const { retreat } of aftermaths) await retreat?.();
    return true;
  } catch (error) {
    report({ kind: "warning", message: `nothing is undone: ${messageOf(error)}` });
    return false;
  }
}

/** A phase runs from the beginning of its first step to the end of its last. */
class PhaseClock {
  readonly #report: Report;
  readonly #left = new Map<string, number>();
  readonly #began = new Map<string, number>();
  readonly #times: PhaseTime[] = [];

  constructor(steps: readonly Step[], report: Report) {
    this.#report = report;
    for (const { phase } of steps) this.#left.set(phase, (this.#left.get(phase) ?? 0) + 1);
  }

  begin({ phase }: Step): void {
    if (this.#began.has(phase)) return;
    this.#began.set(phase, performance.now());
    this.#report({ kind: "phase-started", phase });
  }

  end({ phase }: Step): void {
    const left = (this.#left.get(phase) ?? 1) - 1;
    this.#left.set(phase, left);
    if (left > 0) return;
    const durationMs = this.#duration(phase);
    this.#times.push({ phase, durationMs, endedAtMs: performance.now() });
    this.#report({ kind: "phase-finished", phase, durationMs });
  }

  fail({ phase }: Step): void {
    this.#report({ kind: "phase-failed", phase, durationMs: this.#duration(phase) });
  }

  times(): PhaseTime[] {
    return this.#times;
  }

  #duration(phase: string): number {
    return performance.now() - (this.#began.get(phase) ?? performance.now());
  }
}
