import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import type { Component } from "../model/containerSpec.js";
import type { HostFile } from "../model/hostFile.js";
import type { Step } from "../model/plan.js";
import { withAnySignal } from "../model/signals.js";
import type { ApplyContext, EtcdAccess } from "./applyContext.js";
import { ContainerWatch } from "./containerWatch.js";
import type { Aftermath } from "./runSteps.js";
import type { ChangedPod } from "./staticPods.js";
import { DeadlineError, type Sight, throwIfAborted, waitFor } from "./waitFor.js";
import { waitInVain } from "./waitInVain.js";

/** What a step's action has at hand. */
export interface StepTools {
  readonly run: PlanRun;
  readonly step: Step;
  /** Says what the step leaves for later; to be called before anything is changed. */
  readonly leave: (aftermath: Aftermath) => void;
}

/** What the steps of one run know of each other. */
export class PlanRun {
  readonly context: ApplyContext;
  /** Static pods whose manifests this run has changed. */
  readonly changedPods: ChangedPod[] = [];
  /** Files that this run has written, by path. */
  readonly written = new Map<string, HostFile>();
  /** What this run has found out for containers' commands. */
  readonly values = new Map<string, string>();
  /** Ids of containers that this run has started. */
  readonly started: string[] = [];
  /** Components that this run has started, or may have. */
  readonly fresh = new Set<Component>();
  /** The kubelet's container, of this run or an earlier one. */
  kubeletId: string | undefined;
  /** Heartbeats before this moment are of the kubelet's earlier life; milliseconds since 1970 on the host. */
  kubeletStartedAtMs = 0;
  /** The cluster that this node was to leave does not answer: said once, and it gets no more requests. */
  clusterIsGone = false;
  /** etcd's member of this host counts, or may count, among those whose majority has to live. */
  memberVotes = false;
  /** All but the member of this host, as etcd here has last said; undefined: it has not, and there may be some. */
  otherMembers: readonly EtcdMember[] | undefined;
  /** Components whose new container stays although the run has failed, so that no old one comes back. */
  readonly stays = new Set<Component>();
  /** The Node object has been deleted. */
  nodeIsRemoved = false;
  readonly #failed = new AbortController();
  readonly #watch: ContainerWatch;

  constructor(context: ApplyContext) {
    this.context = context;
    this.#watch = new ContainerWatch(context.engine, this.started);
  }

  get api(): KubernetesClient {
    const { api } = this.context;
    if (!api) throw new Error("this plan has a step that needs the API server, but was given none");
    return api;
  }

  get etcd(): EtcdAccess {
    const { etcd } = this.context;
    if (!etcd) throw new Error("this plan has a step that needs etcd's members, but was given none");
    return etcd;
  }

  /** Ends all waits: a step has failed. */
  fail(): void {
    this.#failed.abort();
  }

  async noteKubelet(id: string): Promise<void> {
    const details = await this.context.engine.inspectContainer(id);
    this.kubeletId = id;
    this.kubeletStartedAtMs = details ? Date.parse(details.startedAt) : 0;
  }

  /** Waits; a wait in vain becomes an error that shows what the ill containers said last. */
  async wait(step: Step, probe: (signal: AbortSignal) => Promise<Sight>): Promise<void> {
    const { engine, report, signal, timeoutMs } = this.context;
    const ended = new AbortController();
    try {
      const onSeen = (seen: string): void => {
        report({ kind: "waiting", phase: step.phase, seen });
      };
      const seen = withAnySignal([signal, ended.signal, this.#failed.signal], (any) =>
        waitFor(probe, { timeoutMs, signal: any, onSeen }),
      );
      await Promise.race([seen, this.#watch.refuseCrashLoop(ended.signal)]);
    } catch (error) {
      throwIfAborted(signal);
      if (!(error instanceof DeadlineError)) throw error;
      const { seen, trouble } = error;
      throw await waitInVain({ phase: step.phase, seen, trouble, timeoutMs }, engine, this.#watch);
    } finally {
      ended.abort();
    }
  }
}
