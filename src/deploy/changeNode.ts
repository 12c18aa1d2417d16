import { nanoid } from "nanoid";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { applyPlan } from "../apply/applyPlan.js";
import type { EtcdAccess } from "../apply/applyContext.js";
import type { NodeOptions } from "../model/options.js";
import { isOurs } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { describePlan, type PlanDescription } from "../plan/describePlan.js";
import { diffPlan, type PlanDiff } from "../plan/diff.js";
import { refuseForeignFiles } from "../plan/foreignFiles.js";
import { refuseKeptManifests } from "../plan/keptManifests.js";
import { refuseNodeChanges } from "../plan/nodeChanges.js";
import type { PhaseTime } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { type HostSession, presentOn } from "./hostSession.js";
import { reportDifference } from "./reportDifference.js";
import { undoFirstRun } from "./undoFirstRun.js";

export interface NodeChange {
  readonly plan: Plan;
  readonly session: HostSession;
  readonly api: KubernetesClient;
  readonly options: Pick<NodeOptions, "keepOnFailure" | "timeoutMs" | "pullTimeoutMs"> & {
    /** Manifests edited on the host are replaced. */
    readonly overwrite: boolean;
  };
  /** What an earlier cluster left on this host stays if the run fails. */
  readonly keepsData: boolean;
  readonly context: RunContext;
  /** For a master that has, or may have, others beside it. */
  readonly etcd?: EtcdAccess | undefined;
  /** How the cluster that a first run was to join forgets this host, when all that it has begun here is taken back. */
  readonly forget?: (() => Promise<void>) | undefined;
}

/** What a dry run on one node comes to. */
export interface PlannedNode {
  readonly kind: "planned";
  readonly plan: Plan;
  /** Undefined where nothing of ours is yet. */
  readonly difference?: PlanDiff;
  readonly description: PlanDescription;
}

export interface ChangedNode {
  readonly kind: "changed";
  readonly plan: Plan;
  /** False: all was as requested already. */
  readonly changed: boolean;
  readonly times: readonly PhaseTime[];
}

/** Whether this host is none of ours yet. */
export function isFirstRunOn({ observed }: HostSession): boolean {
  return !observed.engine.containers.some(isOurs);
}

/**
 * Compares the plan with the host, and refuses what must not be.
 *
 * @throws TsdeployError `conflict` as `refuseForeignFiles`, `refuseNodeChanges` and `refuseKeptManifests` do
 */
export async function compareNode(
  plan: Plan,
  session: HostSession,
  options: { readonly overwrite: boolean },
): Promise<PlannedNode> {
  const difference = await differenceOn(session, plan, options);
  if (isFirstRunOn(session)) return { kind: "planned", plan, description: describePlan(plan) };
  return { kind: "planned", plan, difference, description: describePlan(plan, difference) };
}

async function differenceOn(
  session: HostSession,
  plan: Plan,
  { overwrite }: { readonly overwrite: boolean },
): Promise<PlanDiff> {
  const present = await presentOn(session);
  refuseForeignFiles(plan, session.observed);
  refuseNodeChanges(plan, present);
  refuseKeptManifests(plan, present, overwrite);
  return diffPlan(plan, present, { overwrite });
}

/**
 * Compares the plan with the host, and carries it out.
 *
 * @throws TsdeployError as `compareNode` does; what a step fails with, when all that the run did is undone
 */
export async function changeNode(change: NodeChange): Promise<ChangedNode> {
  const { plan, session, api, options, keepsData, context } = change;
  const { engine, helper, observed } = session;
  const isFirstRun = isFirstRunOn(session);
  const difference = await differenceOn(session, plan, options);
  reportDifference(plan, difference, isFirstRun, context);
  const { timeoutMs, pullTimeoutMs, keepOnFailure } = options;
  const nodeName = plan.role === "worker" ? plan.nodeName : undefined;
  const times = await applyPlan(plan, {
    engine,
    helper,
    api,
    etcd: change.etcd,
    containers: observed.engine.containers.filter(isOurs),
    files: observed.files,
    folders: new Set(observed.host.existingPaths),
    kept: new Set(difference.kept.map(({ path }) => path)),
    report: context.report,
    signal: context.signal,
    timeoutMs,
    pullTimeoutMs,
    keepOnFailure,
    beforeUndo: isFirstRun
      ? async () => {
          await undoFirstRun({ session, keepsData, nodeName, timeoutMs, context });
          await change.forget?.();
        }
      : undefined,
    newId: () => nanoid(6),
  });
  // Its container may be as it was, but is of another member.
  const isMember = plan.steps.some(({ action }) => action.kind === "add-member");
  return { kind: "changed", plan, changed: difference.changes.length > 0 || isMember, times };
}
