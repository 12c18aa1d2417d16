import { setTimeout as delay } from "node:timers/promises";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { diskFull } from "../model/diskFull.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { kubeletLabels, sandboxName } from "../model/kubeletLabels.js";
import { displayName, lastWords } from "./diagnose.js";

/** Docker restarts at once, then after 0.1 s, 0.2 s, …: so many restarts are no accident of the first second. */
const mostRestarts = 3;
/** A kubelet restarts at once, then after 10 s, 20 s, …; an API server may have to wait for an older one's port. */
const mostPodEnds = 3;

/** A container that was killed and whose pod lives on: the kubelet does that when a probe fails. */
export interface ProbeKill {
  /** `apiserver` */
  readonly name: string;
  readonly times: number;
  /** How long it ran the last time. */
  readonly ranSeconds: number;
}

/**
 * What becomes of containers during a run. One that ends by itself again and again will not get better. One that is
 * killed by its probe may only be slow: it is remembered, for whoever waits in vain.
 */
export class ContainerWatch {
  readonly #engine: ContainerEngine;
  readonly #ids: readonly string[];
  readonly #intervalMs: number;
  /** Ids of ended containers of pods: those that an earlier run left, and those that were counted. */
  #counted: Set<string> | undefined;
  /** By pod and container, as all below. */
  readonly #ends = new Map<string, number>();
  readonly #kills = new Map<string, ProbeKill & { readonly podUid: string }>();

  /** @param ids of our own containers; may grow. Those of the control plane's pods are found by their labels. */
  constructor(engine: ContainerEngine, ids: readonly string[], intervalMs = 500) {
    this.#engine = engine;
    this.#ids = ids;
    this.#intervalMs = intervalMs;
  }

  /**
   * Watches while something else is waited for.
   *
   * @returns when the signal aborts
   * @throws TsdeployError `CRASH_LOOP` with the container's last words
   */
  async refuseCrashLoop(signal: AbortSignal): Promise<void> {
    let tookMs = 0;
    while (!signal.aborted) {
      // Looking is work for a slow host's Docker, too.
      const pauseMs = Math.max(this.#intervalMs, Math.min(4 * tookMs, 5_000));
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      const began = performance.now();
      await this.#look();
      tookMs = performance.now() - began;
    }
  }

  /** Those whose pod is still there: one that was killed with its whole pod has made room for another. */
  async probeKills(): Promise<ProbeKill[]> {
    const containers = await this.#podContainers();
    const living = new Set(containers.filter(({ state }) => state === "running").map(podUid));
    return [...this.#kills.values()].filter((kill) => living.has(kill.podUid));
  }

  async #look(): Promise<void> {
    for (const id of this.#ids) {
      const container = await this.#engine.inspectContainer(id);
      if (!container || container.restartCount < mostRestarts) continue;
      throw await crashLoop(this.#engine, container, container.name, container.exitCode);
    }
    const containers = await this.#podContainers();
    const ended = containers.filter((container) => container.state === "exited" && isStatic(container));
    this.#counted ??= new Set(ended.map(({ id }) => id));
    for (const container of ended) {
      if (this.#counted.has(container.id)) continue;
      // Before anything is awaited: several waits may look at the same time.
      this.#counted.add(container.id);
      await this.#count(container);
    }
  }

  async #count(container: ContainerSummary): Promise<void> {
    const end = await this.#engine.containerEnd(container.id);
    // The kubelet has removed it meanwhile. How it ended nobody knows: that is no reason to give up.
    if (!end) return;
    const name = displayName(container);
    const key = `${podUid(container)}/${name}`;
    if (end.signals.length > 0) {
      const times = (this.#kills.get(key)?.times ?? 0) + 1;
      this.#kills.set(key, { name, times, ranSeconds: Math.round(end.ranMs / 1000), podUid: podUid(container) });
      return;
    }
    const ends = (this.#ends.get(key) ?? 0) + 1;
    this.#ends.set(key, ends);
    if (ends >= mostPodEnds) throw await crashLoop(this.#engine, container, name, end.exitCode);
  }

  async #podContainers(): Promise<ContainerSummary[]> {
    return this.#engine.listContainers([`${kubeletLabels.podNamespace}=kube-system`]);
  }
}

function podUid({ labels }: ContainerSummary): string {
  return labels[kubeletLabels.podUid] ?? "-";
}

/** A program of a static pod, whose uid is a digest. */
function isStatic(container: ContainerSummary): boolean {
  return !podUid(container).includes("-") && container.labels[kubeletLabels.containerName] !== sandboxName;
}

async function crashLoop(
  engine: ContainerEngine,
  { id, name }: { readonly id: string; readonly name: string },
  what: string,
  exitCode: number,
): Promise<TsdeployError> {
  const words = await lastWords(engine, { id, name, title: "It" });
  const hint = diskFull.test(words)
    ? "Make room on the host's disk (`df -h` shows where it lacks), and run the command again."
    : "Look at the extra arguments and patches of this run; --keep-on-failure leaves everything for a look.";
  const message = `${what} ends again and again, last with status ${exitCode}\n${words}`;
  return new TsdeployError("failed", { code: "CRASH_LOOP", message, hint });
}
