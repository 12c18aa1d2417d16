import { setTimeout as delay } from "node:timers/promises";
import { patience } from "./patience.js";

/**
 * Asks until the probe no longer throws.
 *
 * @param deadlineMs on a test machine; slower ones get more
 * @returns what the probe returned
 * @throws Error at the deadline, with what the probe said last
 */
export async function eventually<T>(what: string, probe: () => T | Promise<T>, deadlineMs = 90_000): Promise<T> {
  const patientMs = deadlineMs * patience;
  const deadline = performance.now() + patientMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`${what}: not within ${patientMs / 1000} s; last: ${String(error)}`, { cause: error });
      }
    }
    await delay(200);
  }
}
