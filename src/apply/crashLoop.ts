import { setTimeout as delay } from "node:timers/promises";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { TsdeployError } from "../errors.js";
import { lastWords } from "./diagnose.js";

/** Docker restarts at once, then after 0.1 s, 0.2 s, …: so many restarts are no accident of the first second. */
const mostRestarts = 3;

/**
 * Watches containers while something else is waited for: one that keeps ending will not get better.
 *
 * @returns when the signal aborts
 * @throws TsdeployError `CRASH_LOOP` with the container's last words
 */
export async function refuseCrashLoop(
  engine: ContainerEngine,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await delay(500, undefined, { signal }).catch(() => undefined);
    for (const id of ids) {
      const container = await engine.inspectContainer(id);
      if (!container || container.restartCount < mostRestarts) continue;
      throw new TsdeployError("failed", {
        code: "CRASH_LOOP",
        message: [
          `container ${container.name} ends again and again, last with status ${container.exitCode}`,
          await lastWords(engine, { id, name: container.name, title: "It" }),
        ].join("\n"),
        hint: "Look at the extra arguments and patches of this run; --keep-on-failure leaves everything for a look.",
      });
    }
  }
}
