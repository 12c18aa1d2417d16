import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import type { ContainerDetails, ContainerEnd, ContainerSummary } from "../../src/model/dockerObjects.js";
import { podContainer } from "../host/fixtures.js";

/** A container as it is at one moment; what ended carries how. */
export interface Moment {
  readonly container: ContainerSummary;
  /** Undefined for one that has ended: it was removed before anybody could ask. */
  readonly end?: ContainerEnd;
  readonly restartCount?: number;
}

export interface ScriptedEngine extends ContainerEngine {
  /** Aborts when all moments were seen, twice the last one. */
  readonly over: AbortSignal;
}

/** A Docker whose containers are others at each look. */
export function scriptedEngine(moments: readonly (readonly Moment[])[]): ScriptedEngine {
  const over = new AbortController();
  let looks = 0;
  const now = (): readonly Moment[] => moments[Math.min(Math.max(looks, 1), moments.length) - 1] ?? [];
  const find = (id: string): Moment | undefined => now().find(({ container }) => container.id === id);
  const engine: Partial<ScriptedEngine> = {
    over: over.signal,
    listContainers: (labels = []) => {
      looks += 1;
      if (looks > moments.length) over.abort();
      const has = (container: ContainerSummary): boolean =>
        labels.every((label) => {
          const [name = "", value] = label.split("=");
          return container.labels[name] === value;
        });
      return Promise.resolve(now().flatMap(({ container }) => (has(container) ? [container] : [])));
    },
    inspectContainer: (id) => {
      const found = find(id);
      const details = found && { ...found.container, exitCode: 2, restartCount: found.restartCount ?? 0 };
      return Promise.resolve(details as ContainerDetails | undefined);
    },
    containerEnd: (id) => Promise.resolve(find(id)?.end),
    containerLogs: (id) => Promise.resolve(`log of ${id}\n`),
  };
  return engine as ScriptedEngine;
}

interface Life {
  readonly pod?: string;
  readonly name?: string;
  readonly state?: "running" | "exited";
  readonly end?: ContainerEnd;
}

/** A life of a container of a static pod, whose uid is a digest, unless it is said to be another one. */
export function life(id: string, { pod = "k8s-master", name = "apiserver", state, end }: Life = {}): Moment {
  const container = podContainer(id, pod, name, {
    "io.kubernetes.pod.namespace": "kube-system",
    "io.kubernetes.pod.uid": pod.replaceAll("-", ""),
  });
  return { container: { ...container, state: state ?? (end ? "exited" : "running") }, ...(end && { end }) };
}

export const byItself = (exitCode = 1): ContainerEnd => ({ exitCode, ranMs: 2_000, signals: [] });
export const byProbe = (exitCode: number, ...signals: number[]): ContainerEnd => ({
  exitCode,
  ranMs: 107_000,
  signals,
});
