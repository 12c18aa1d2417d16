import type { Action, Step } from "../model/plan.js";

/** A step of a plan; it runs as soon as all that it needs is done. */
export function step(id: string, phase: string, needs: readonly string[], action: Action): Step {
  return { id, phase, needs, action };
}

/** The items if the condition holds, else none. */
export function when<T>(condition: boolean, ...items: readonly T[]): readonly T[] {
  return condition ? items : [];
}
