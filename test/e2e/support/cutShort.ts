import { expect } from "vitest";
import type { Machine } from "./machine.js";
import { tryTsdeploy } from "./operator.js";
import type { RunResult } from "./run.js";

/** A run that gets a signal as soon as it has begun a step. */
export async function cutShort(
  args: readonly string[],
  machine: Machine,
  step: string,
  signal: NodeJS.Signals,
): Promise<RunResult> {
  const killAt = { says: `step ${step}: started`, signal };
  const result = await tryTsdeploy([...args, "--verbose"], { machine, killAt });
  expect(result.stderr, "the step was reached").toContain(killAt.says);
  return result;
}
