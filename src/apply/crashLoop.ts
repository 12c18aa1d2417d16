import { setTimeout as delay } from "node:timers/promises";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { kubeletLabels } from "../model/kubeletLabels.js";
import { displayName, lastWords } from "./diagnose.js";

/** Docker restarts at once, then after 0.1 s, 0.2 s, …: so many restarts are no accident of the first second. */
const mostRestarts = 3;
/** A kubelet restarts at once, then after 10 s, 20 s, …; an API server may have to wait for an older one's port. */
const mostPodRestarts = 2;

/**
 * Watches containers while something else is waited for: one that keeps ending will not get better.
 *
 * @param ids of our own containers; those of the control plane's pods that come while this watches are watched as well
 * @returns when the signal aborts
 * @throws TsdeployError `CRASH_LOOP` with the container's last words
 */
export async function refuseCrashLoop(
  engine: ContainerEngine,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  let known: ReadonlySet<string> | undefined;
  while (!signal.aborted) {
    await delay(500, undefined, { signal }).catch(() => undefined);
    for (const id of ids) {
      const container = await engine.inspectContainer(id);
      if (!container || container.restartCount < mostRestarts) continue;
      throw await crashLoop(engine, { id, name: container.name }, container.name);
    }
    const containers = await engine.listContainers([`${kubeletLabels.podNamespace}=kube-system`]);
    known ??= new Set(containers.map(({ id }) => id));
    const ended = containers.find((container) => !known?.has(container.id) && endsAgainAndAgain(container));
    if (ended) throw await crashLoop(engine, ended, displayName(ended));
  }
}

/** A container of a static pod, whose uid is a digest, that has ended after several others like it. */
function endsAgainAndAgain({ labels, state }: ContainerSummary): boolean {
  // Before v1.6 without the prefix.
  const name = "io.kubernetes.container.restartCount";
  const restarts = Number(labels[`annotation.${name}`] ?? labels[name] ?? 0);
  const isStatic = !(labels[kubeletLabels.podUid] ?? "-").includes("-");
  return isStatic && state === "exited" && restarts >= mostPodRestarts;
}

async function crashLoop(
  engine: ContainerEngine,
  container: { readonly id: string; readonly name: string },
  what: string,
): Promise<TsdeployError> {
  const { exitCode } = (await engine.inspectContainer(container.id)) ?? { exitCode: 0 };
  const { id, name } = container;
  return new TsdeployError("failed", {
    code: "CRASH_LOOP",
    message: [
      `${what} ends again and again, last with status ${exitCode}`,
      await lastWords(engine, { id, name, title: "It" }),
    ].join("\n"),
    hint: "Look at the extra arguments and patches of this run; --keep-on-failure leaves everything for a look.",
  });
}
