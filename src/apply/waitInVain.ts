import type { ContainerEngine } from "../docker/containerEngine.js";
import { TsdeployError } from "../model/errors.js";
import type { ContainerWatch, ProbeKill } from "./containerWatch.js";
import { diagnose } from "./diagnose.js";
import type { Trouble } from "./waitFor.js";

export interface WaitInVain {
  /** `control plane` */
  readonly phase: string;
  /** What was seen last. */
  readonly seen: string;
  readonly trouble?: Trouble | undefined;
  readonly timeoutMs: number;
}

/** What is known by then of pods that are more than slow. */
const troubles: { readonly [Kind in Trouble]: { readonly code: string; readonly hint: string } } = {
  image: {
    code: "POD_IMAGE",
    hint:
      "A kubelet cannot pull that image. Bring it to each node's Docker (`tsdeploy image copy`, or `save` and `load`; with " +
      "--addon for an add-on's), or have `tsdeploy master` take it from a registry that has it: --registry, --registry-mirror.",
  },
  crash: {
    code: "POD_CRASH",
    hint: "Look at what it said: `kubectl -n kube-system logs --previous` and the name of the pod.",
  },
};

/**
 * The error of a wait that has come to its deadline: `KILLED_BY_PROBE` if the kubelet has killed what was waited for,
 * `POD_IMAGE` or `POD_CRASH` if that is pods that are not only slow, else `WAIT_TIMEOUT`. With what ill containers said
 * last.
 */
export async function waitInVain(
  { phase, seen, trouble, timeoutMs }: WaitInVain,
  engine: ContainerEngine,
  watch: ContainerWatch,
): Promise<TsdeployError> {
  // Docker may be as slow as all else, or gone: what was waited for has to be reported in any case.
  const [logs, kills] = await Promise.all([diagnose(engine).catch(() => []), watch.probeKills().catch(() => [])]);
  const longer = `--timeout ${Math.ceil((2 * timeoutMs) / 60_000)}m`;
  const known = trouble && troubles[trouble];
  return new TsdeployError("failed", {
    code: known?.code ?? (kills.length > 0 ? "KILLED_BY_PROBE" : "WAIT_TIMEOUT"),
    message: [
      `${phase}: not there after ${Math.round(timeoutMs / 1000)} s; last seen: ${seen}`,
      ...kills.map(killText),
      ...logs,
    ].join("\n"),
    hint:
      known?.hint ??
      (kills.length > 0
        ? `Give it longer, as with ${longer}: its probe then waits as long. A probe that a patch or an edited manifest ` +
          "sets has to be changed there."
        : `Give it longer, as with ${longer}, or run again with --keep-on-failure and look at \`tsdeploy logs\`.`),
  });
}

function killText({ name, times, ranSeconds }: ProbeKill): string {
  const often = times === 1 ? "once" : `${times} times`;
  return `${name} was killed ${often}, as the kubelet does when a probe fails; the last time after ${ranSeconds} s`;
}
