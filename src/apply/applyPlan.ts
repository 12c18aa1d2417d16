import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import { pathOf } from "../api/pathOf.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { pullWithRetry } from "../docker/pullWithRetry.js";
import type { Helper } from "../host/helperSession.js";
import { readConfigurationMap } from "../kubernetes/configurationMaps.js";
import type { Component } from "../model/containerSpec.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError, unreachable } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { filledNetwork, type HostFile } from "../model/hostFile.js";
import { containerName, helperHostRoot, labels } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { Action, Health, Plan, Probe, Step } from "../model/plan.js";
import type { PhaseTime, Report } from "../report/events.js";
import { refuseCrashLoop } from "./crashLoop.js";
import { diagnose } from "./diagnose.js";
import { deleteNode } from "./leaveCluster.js";
import { nodeOf, probeApi, probeApiServes, probeNodeReady, probeNodeRegistered } from "./probes.js";
import { type Aftermath, runSteps } from "./runSteps.js";
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
  readonly pullTimeoutMs: number;
  /** Leave everything where it is when a step fails: for a look, or for a teardown that takes all of it. */
  readonly keepOnFailure: boolean;
  readonly newId: () => string;
}

/** Carries the plan out. @returns the time by phase @throws TsdeployError when a step fails or a wait ends in vain */
export async function applyPlan(plan: Plan, context: ApplyContext): Promise<PhaseTime[]> {
  return new PlanRun(plan, context).run();
}

type RunContainer = Extract<Action, { kind: "run-container" }>;
type WritePodNetwork = Extract<Action, { kind: "write-pod-network" }>;
type Leave = (aftermath: Aftermath) => void;

class PlanRun {
  readonly #plan: Plan;
  readonly #context: ApplyContext;
  readonly #changedPods: ChangedPod[] = [];
  readonly #written = new Map<string, HostFile>();
  readonly #failed = new AbortController();
  /** Containers that this run made. */
  readonly #started: string[] = [];
  /** Components that this run has started. */
  readonly #fresh = new Set<Component>();
  /** The kubelet's container, of this run or an earlier one. */
  #kubeletId: string | undefined;
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
      case "pull-image":
        return this.#pullImage(action.reference);
      case "run-container":
        return this.#runContainer(step, action, leave);
      case "wait":
        return this.#wait(step, (probeSignal) => this.#probe(action.probe, probeSignal));
      case "apply-objects":
        return this.#applyObjects(step, action.objects);
      case "create-node":
        return this.#createNode(step, action.object, leave);
      case "set-pod-cidr":
        return this.#setPodCidr(action.node, action.podCidr);
      case "write-pod-network":
        return this.#writePodNetwork(step, action, leave);
      case "mark-node": {
        const { node, labels: given, annotations } = action;
        const metadata = { labels: given, ...(annotations && { annotations }) };
        await api.patch(`/api/v1/nodes/${node}`, { metadata }, { signal });
        return;
      }
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
          await this.#applyObject(next, signal);
        } catch (error) {
          if (!(error instanceof ApiError && isPassing(error))) throw error;
          return { done: false, seen: `${kind} ${metadata.name}: ${error.message}` };
        }
        left.shift();
      }
      return { done: true };
    });
  }

  async #applyObject(object: KubernetesObject, signal: AbortSignal): Promise<void> {
    const { api } = this.#context;
    if (isConfigurationMap(object)) {
      const existing = await api.get(pathOf(object), { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      });
      if (existing && readConfigurationMap(existing).edited) return;
    }
    await api.apply(object, { signal });
  }

  async #pullImage(reference: string): Promise<void> {
    const { engine, report, signal, pullTimeoutMs } = this.#context;
    if (await engine.inspectImage(reference)) return;
    await pullWithRetry(engine, reference, {
      signal,
      timeoutMs: pullTimeoutMs,
      onProgress: (progress) => {
        report({ kind: "pull-progress", image: reference, progress });
      },
      onRetry: (message) => {
        report({ kind: "warning", message });
      },
    });
  }

  async #createNode(step: Step, object: KubernetesObject, leave: Leave): Promise<void> {
    const { api } = this.#context;
    const { name } = object.metadata;
    await this.#wait(step, async (signal) => {
      if (await nodeOf(api, name, signal)) return { done: true };
      try {
        await api.create(object, { signal });
      } catch (error) {
        if (!(error instanceof ApiError && isPassing(error))) throw error;
        return { done: false, seen: `node ${name}: ${error.message}` };
      }
      leave({ undo: () => deleteNode(api, name, new AbortController().signal) });
      return { done: true };
    });
  }

  async #setPodCidr(name: string, podCidr: string): Promise<void> {
    const { api, signal } = this.#context;
    const hasOne = async (): Promise<boolean> => (await nodeOf(api, name, signal))?.spec?.podCIDR !== undefined;
    if (await hasOne()) return;
    try {
      await api.patch(`/api/v1/nodes/${name}`, { spec: { podCIDR: podCidr, podCIDRs: [podCidr] } }, { signal });
    } catch (error) {
      // The controller-manager was faster.
      if (!(error instanceof ApiError && (await hasOne()))) throw error;
    }
  }

  async #writePodNetwork(step: Step, action: WritePodNetwork, leave: Leave): Promise<void> {
    const { api, engine, files } = this.#context;
    const { node: name, file: template } = action;
    let podCidr = "";
    await this.#wait(step, async (signal) => {
      const node = await nodeOf(api, name, signal);
      podCidr = node?.spec?.podCIDR ?? "";
      return podCidr === "" ? { done: false, seen: `node ${name} has no pod CIDR` } : { done: true };
    });
    const file = filledNetwork(template, podCidr);
    const now = this.#written.get(file.path) ?? files.get(file.path);
    if (isSame(now, file)) return;
    await this.#lay([file], leave);
    if (!action.restartsKubelet || this.#kubeletId === undefined) return;
    await engine.stopContainer(this.#kubeletId, 10);
    await engine.startContainer(this.#kubeletId);
    await this.#noteKubelet(this.#kubeletId);
  }

  async #writeFiles(step: Step, files: readonly HostFile[], leave: Leave): Promise<void> {
    const { engine, files: before, kept } = this.#context;
    const wanted = files.filter((file) => !kept.has(file.path) && !isSame(before.get(file.path), file));
    if (wanted.length === 0) return;
    for (const pod of await changedPods(engine, wanted.filter(({ path }) => before.has(path)))) {
      await this.#wait(step, () => probeSettled(engine, pod));
      this.#changedPods.push(pod);
    }
    await this.#lay(wanted, leave);
  }

  async #lay(files: readonly HostFile[], leave: Leave): Promise<void> {
    const { helper, files: before } = this.#context;
    leave({
      undo: async () => {
        const restored: HostFile[] = [];
        const added: string[] = [];
        for (const { path, secret } of files) {
          const old = before.get(path);
          if (old) restored.push({ path, secret, ...old });
          else added.push(path);
        }
        await helper.writeFiles(restored);
        await helper.removeFiles(added);
      },
    });
    await helper.writeFiles(files);
    for (const file of files) this.#written.set(file.path, file);
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
    const { container: spec, health, restartsWith, restartsAfter } = action;
    const graceSeconds = spec.stopGraceSeconds ?? 10;
    const old = containers.filter((container) => container.labels[labels.component] === spec.component);
    const same = old.find((container) => container.labels[labels.spec] === spec.labels[labels.spec]);
    if (same) {
      const isOutdated =
        (restartsWith !== undefined && this.#written.has(restartsWith)) ||
        (restartsAfter !== undefined && this.#fresh.has(restartsAfter));
      if (isOutdated) await engine.stopContainer(same.id, graceSeconds);
      await engine.startContainer(same.id);
      if (isOutdated || same.state !== "running") this.#fresh.add(spec.component);
      if (spec.component === "kubelet") await this.#noteKubelet(same.id);
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
    this.#fresh.add(spec.component);
    if (spec.component === "kubelet") await this.#noteKubelet(id);
    if (old.length > 0 && health !== undefined) await this.#wait(step, () => this.#accepts(health));
  }

  async #noteKubelet(id: string): Promise<void> {
    const details = await this.#context.engine.inspectContainer(id);
    this.#kubeletId = id;
    this.#kubeletStartedAtMs = details ? Date.parse(details.startedAt) : 0;
  }

  async #accepts(health: Health): Promise<Sight> {
    const { engine, helper } = this.#context;
    const argv =
      "port" in health
        ? ["bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${health.port}`]
        : ["socat", "-u", "OPEN:/dev/null", `UNIX-CONNECT:${helperHostRoot}${health.socket}`];
    const { exitCode } = await engine.exec(helper.id, argv);
    if (exitCode === 0) return { done: true };
    const what = "port" in health ? `port ${health.port}` : health.socket;
    return { done: false, seen: `nothing listens on ${what}` };
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

/** One that people may edit; it carries the digest of its data. */
function isConfigurationMap({ kind, metadata }: KubernetesObject): boolean {
  return kind === "ConfigMap" && metadata.annotations?.[labels.spec] !== undefined;
}

function isSame(existing: Pick<HostFile, "content" | "mode"> | undefined, wanted: HostFile): boolean {
  return existing !== undefined && existing.content === wanted.content && existing.mode === wanted.mode;
}
