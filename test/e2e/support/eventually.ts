import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks until the probe no longer throws.
 *
 * @returns what the probe returned
 * @throws Error at the deadline, with what the probe said last
 */
export async function eventually<T>(what: string, probe: () => T | Promise<T>, deadlineMs = 90_000): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (performance.now() > deadline) {
        throw new Error(`${what}: not within ${deadlineMs / 1000} s; last: ${String(error)}`, { cause: error });
      }
    }
    await delay(200);
  }
}
