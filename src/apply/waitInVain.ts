import type { ContainerEngine } from "../docker/containerEngine.js";
import { TsdeployError } from "../model/errors.js";
import type { ContainerWatch, ProbeKill } from "./containerWatch.js";
import { diagnose } from "./diagnose.js";

export interface WaitInVain {
  /** `control plane` */
  readonly phase: string;
  /** What was seen last. */
  readonly seen: string;
  readonly timeoutMs: number;
}

/**
 * The error of a wait that has come to its deadline: `KILLED_BY_PROBE` if the kubelet has killed what was waited for,
 * else `WAIT_TIMEOUT`. With what ill containers said last.
 */
export async function waitInVain(
  { phase, seen, timeoutMs }: WaitInVain,
  engine: ContainerEngine,
  watch: ContainerWatch,
): Promise<TsdeployError> {
  // Docker may be as slow as all else, or gone: what was waited for has to be reported in any case.
  const [logs, kills] = await Promise.all([diagnose(engine).catch(() => []), watch.probeKills().catch(() => [])]);
  const longer = `--timeout ${Math.ceil((2 * timeoutMs) / 60_000)}m`;
  return new TsdeployError("failed", {
    code: kills.length > 0 ? "KILLED_BY_PROBE" : "WAIT_TIMEOUT",
    message: [
      `${phase}: not there after ${Math.round(timeoutMs / 1000)} s; last seen: ${seen}`,
      ...kills.map(killText),
      ...logs,
    ].join("\n"),
    hint:
      kills.length > 0
        ? `Give it longer, as with ${longer}: its probe then waits as long. A probe that a patch or an edited manifest ` +
          "sets has to be changed there."
        : `Give it longer, as with ${longer}, or run again with --keep-on-failure and look at \`tsdeploy logs\`.`,
  });
}

function killText({ name, times, ranSeconds }: ProbeKill): string {
  const often = times === 1 ? "once" : `${times} times`;
  return `${name} was killed ${often}, as the kubelet does when a probe fails; the last time after ${ranSeconds} s`;
}
