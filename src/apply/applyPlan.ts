import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import type { ContainerEngine, ContainerSummary } from "../docker/containerEngine.js";
import { TsdeployError, unreachable } from "../errors.js";
import type { ExistingFile } from "../facts/hostFacts.js";
import type { Helper } from "../facts/helperSession.js";
import type { KubernetesObject } from "../kubernetes/kubernetesObject.js";
import type { ContainerSpec } from "../plan/containerSpec.js";
import { containerName, labels } from "../plan/names.js";
import type { Action, HostFile, Plan, Probe, Step } from "../plan/plan.js";
import type { Report } from "../report/events.js";
import { refuseCrashLoop } from "./crashLoop.js";
import { diagnose } from "./diagnose.js";
import { nodeOf, probeApi, probeApiServes, probeNodeReady, probeNodeRegistered } from "./probes.js";
import { type Aftermath, type PhaseTime, runSteps } from "./runSteps.js";
import { type ChangedPod, changedPods, probeRestarted, probeSettled } from "./staticPods.js";
import { DeadlineError, type Sight, throwIfAborted, waitFor } from "./waitFor.js";

/** All that applying a plan needs from outside. */
export interface ApplyContext {
  readonly engine: ContainerEngine;
  readonly helper: Helper;
  /** The API server as this host reaches it. */
  readonly api: KubernetesClient;
  /** Containers of this cluster that were here when the plan was made. */
  readonly containers: readonly ContainerSummary[];
  /** Files below /etc/kubernetes as they were when the plan was made. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  /** Edited files that stay as they are. */
  readonly kept: ReadonlySet<string>;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Leave everything where it is when a step fails: for a look, or for a teardown that takes all of it. */
  readonly keepOnFailure: boolean;
  readonly newId: () => string;
}

/** Carries the plan out. @returns the time by phase @throws TsdeployError when a step fails or a wait ends in vain */
export async function applyPlan(plan: Plan, context: ApplyContext): Promise<PhaseTime[]> {
  return new PlanRun(plan, context).run();
}

type RunContainer = Extract<Action, { kind: "run-container" }>;
type Leave = (aftermath: Aftermath) => void;

class PlanRun {
  readonly #plan: Plan;
  readonly #context: ApplyContext;
  readonly #changedPods: ChangedPod[] = [];
  readonly #written = new Set<string>();
  readonly #failed = new AbortController();
  /** Containers of this run. */
  readonly #started: string[] = [];
  /** Heartbeats before this moment are of the kubelet's earlier life; milliseconds since 1970 on the host. */
  #kubeletStartedAtMs = 0;

  constructor(plan: Plan, context: ApplyContext) {
    this.#plan = plan;
    this.#context = context;
  }

  run(): Promise<PhaseTime[]> {
    const { report, keepOnFailure } = this.#context;
    const run = async (step: Step, leave: Leave): Promise<void> => {
      try {
        await this.#runStep(step, leave);
      } catch (error) {
        // Nothing else has to be waited for any more.
        this.#failed.abort();
        throw error;
      }
    };
    return runSteps(this.#plan.steps, { report, keepOnFailure, run });
  }

  async #runStep(step: Step, leave: Leave): Promise<void> {
    const { api, signal } = this.#context;
    throwIfAborted(signal);
    const action: Action = step.action;
    switch (action.kind) {
      case "write-files":
        return this.#writeFiles(step, action.files, leave);
      case "remove-files":
        return this.#removeFiles(action.paths, leave);
      case "make-folder":
        await this.#context.helper.run(`mkdir -p "/host$1" && chmod "$2" "/host$1"`, [
          action.path,
          action.mode.toString(8),
        ]);
        return;
      case "run-container":
        return this.#runContainer(step, action, leave);
      case "wait":
        return this.#wait(step, (probeSignal) => this.#probe(action.probe, probeSignal));
      case "apply-objects":
        return this.#applyObjects(step, action.objects);
      case "set-pod-cidr": {
        const node = await nodeOf(api, action.node, signal);
        if (node?.spec?.podCIDR === undefined) {
          const spec = { podCIDR: action.podCidr, podCIDRs: [action.podCidr] };
          await api.patch(`/api/v1/nodes/${action.node}`, { spec }, { signal });
        }
        return;
      }
      case "label-node":
        await api.patch(`/api/v1/nodes/${action.node}`, { metadata: { labels: action.labels } }, { signal });
        return;
      default:
        return unreachable(action);
    }
  }

  /** Right after its start the API server may still be laying down the namespaces and roles that these need. */
  async #applyObjects(step: Step, objects: readonly KubernetesObject[]): Promise<void> {
    const left = [...objects];
    await this.#wait(step, async (signal) => {
      for (let next = left[0]; next; next = left[0]) {
        const { kind, metadata } = next;
        try {
          await this.#context.api.apply(next, { signal });
        } catch (error) {
          if (!(error instanceof ApiError && isPassing(error))) throw error;
          return { done: false, seen: `${kind} ${metadata.name}: ${error.message}` };
        }
        left.shift();
      }
      return { done: true };
    });
  }

  async #writeFiles(step: Step, files: readonly HostFile[], leave: Leave): Promise<void> {
    const { engine, helper, files: before, kept } = this.#context;
    const wanted = files.filter((file) => !kept.has(file.path) && !isSame(before.get(file.path), file));
    if (wanted.length === 0) return;
    for (const pod of await changedPods(engine, wanted.filter(({ path }) => before.has(path)))) {
      await this.#wait(step, () => probeSettled(engine, pod));
      this.#changedPods.push(pod);
    }
    leave({
      undo: async () => {
        const restored: HostFile[] = [];
        const added: string[] = [];
        for (const { path, secret } of wanted) {
          const old = before.get(path);
          if (old) restored.push({ path, secret, ...old });
          else added.push(path);
        }
        await helper.writeFiles(restored);
        await helper.removeFiles(added);
      },
    });
    await helper.writeFiles(wanted);
    for (const { path } of wanted) this.#written.add(path);
  }

  async #removeFiles(doomed: readonly string[], leave: Leave): Promise<void> {
    const { helper, files: before } = this.#context;
    const restored = doomed.flatMap((path): HostFile[] => {
      const old = before.get(path);
      return old ? [{ path, secret: true, ...old }] : [];
    });
    leave({ undo: () => helper.writeFiles(restored) });
    await helper.removeFiles(doomed);
  }

  async #runContainer(step: Step, action: RunContainer, leave: Leave): Promise<void> {
    const { engine, containers, newId } = this.#context;
    const { container: spec, healthPort, restartsWith } = action;
    const graceSeconds = spec.stopGraceSeconds ?? 10;
    const old = containers.filter((container) => container.labels[labels.component] === spec.component);
    const same = old.find((container) => container.labels[labels.spec] === spec.labels[labels.spec]);
    if (same) {
      const isOutdated = restartsWith !== undefined && this.#written.has(restartsWith);
      if (isOutdated) await engine.stopContainer(same.id, graceSeconds);
      await engine.startContainer(same.id);
      await this.#noteKubeletStart(spec, same.id);
      return;
    }

    // Before the old one stops: it may be that there cannot be a new one.
    const id = await engine.createContainer(containerName(spec.component, newId()), spec);
    const ran = old.filter(({ state }) => state === "running" || state === "restarting");
    leave({
      undo: () => engine.removeContainer(id),
      // The old one reads its files when it starts, so they have to be the old ones again.
      resume: async () => {
        for (const container of ran) await engine.startContainer(container.id);
      },
      commit: async () => {
        await Promise.all(old.map((container) => engine.removeContainer(container.id)));
      },
    });
    for (const container of old) await engine.stopContainer(container.id, graceSeconds);
    await engine.startContainer(id);
    this.#started.push(id);
    await this.#noteKubeletStart(spec, id);
    if (old.length > 0 && healthPort !== undefined) await this.#wait(step, () => this.#accepts(healthPort));
  }

  async #noteKubeletStart(spec: ContainerSpec, id: string): Promise<void> {
    if (spec.component !== "kubelet") return;
    const details = await this.#context.engine.inspectContainer(id);
    this.#kubeletStartedAtMs = details ? Date.parse(details.startedAt) : 0;
  }

  async #accepts(port: number): Promise<Sight> {
    const script = `exec 3<>/dev/tcp/127.0.0.1/${port}`;
    const result = await this.#context.engine.exec(this.#context.helper.id, ["bash", "-c", script]);
    return result.exitCode === 0 ? { done: true } : { done: false, seen: `nothing listens on port ${port}` };
  }

  async #probe(probe: Probe, signal: AbortSignal): Promise<Sight> {
    const { api, engine, helper } = this.#context;
    switch (probe.kind) {
      case "api-serves": {
        for (const pod of this.#changedPods) {
          const sight = await probeRestarted(engine, pod);
          if (!sight.done) return sight;
        }
        return probeApiServes(api, helper, signal);
      }
      case "api-answers":
        return probeApi(api, signal);
      case "node-registered":
        return probeNodeRegistered(api, probe.node, signal);
      case "node-ready":
        return probeNodeReady(api, probe.node, this.#kubeletStartedAtMs, signal);
      default:
        return unreachable(probe);
    }
  }

  /** Waits; a wait in vain becomes an error that shows what the ill containers said last. */
  async #wait(step: Step, probe: (signal: AbortSignal) => Promise<Sight>): Promise<void> {
    const { engine, report, signal, timeoutMs } = this.#context;
    const ended = new AbortController();
    try {
      await Promise.race([
        waitFor(probe, {
          timeoutMs,
          signal: AbortSignal.any([signal, ended.signal, this.#failed.signal]),
          onSeen: (seen) => {
            report({ kind: "waiting", phase: step.phase, seen });
          },
        }),
        refuseCrashLoop(engine, this.#started, ended.signal),
      ]);
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof DeadlineError)) throw error;
      const logs = await diagnose(engine).catch(() => []);
      throw new TsdeployError("failed", {
        code: "WAIT_TIMEOUT",
        message: [
          `${step.phase}: not there after ${Math.round(timeoutMs / 1000)} s; last seen: ${error.seen}`,
          ...logs,
        ].join("\n"),
        hint: "Run again with --keep-on-failure and look at `tsdeploy logs`, or give it longer with --timeout.",
      });
    } finally {
      ended.abort();
    }
  }
}

/** A namespace that is not there yet, a role that is not known yet, a server that is busy. */
function isPassing({ status }: ApiError): boolean {
  return [403, 404, 409, 429].includes(status) || status >= 500;
}

function isSame(existing: ExistingFile | undefined, wanted: HostFile): boolean {
  return existing !== undefined && existing.content === wanted.content && existing.mode === wanted.mode;
}
