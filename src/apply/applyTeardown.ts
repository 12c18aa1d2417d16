import type { ContainerEngine } from "../docker/containerEngine.js";
import { cleanFootprint } from "../host/footprint.js";
import type { Helper } from "../host/helperSession.js";
import { messageOf, type Problem, TsdeployError } from "../model/errors.js";
import { isKubeletMade } from "../model/ownership.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { describeFootprint } from "../plan/planTeardown.js";
import type { PhaseTime, Report } from "../report/events.js";
import { throwIfAborted } from "./waitFor.js";

export interface ApplyTeardownOptions {
  readonly engine: ContainerEngine;
  /** Opened with propagation `rshared`, or mounts stay on the host. */
  readonly helper: Helper;
  readonly report: Report;
  /** Ends the waiting; what has been told to stop goes on stopping, and the next run goes on from there. */
  readonly signal: AbortSignal;
  /** Drains the node and deletes its Node object; called first, if the plan says so. */
  readonly leaveCluster: () => Promise<void>;
}

/**
 * Does what the plan says, and looks whether it is done.
 *
 * @throws TsdeployError TEARDOWN_INCOMPLETE with all that is still there
 */
export async function applyTeardown(plan: TeardownPlan, options: ApplyTeardownOptions): Promise<PhaseTime[]> {
  const { engine, helper, signal } = options;
  const times: PhaseTime[] = [];
  const phase = async (name: string, work: () => Promise<void>): Promise<void> => {
    throwIfAborted(signal);
    times.push(await runPhase(name, work, options));
  };

  if (plan.leavesCluster) {
    await phase("leave cluster", options.leaveCluster);
  }
  for (const stage of plan.stops) {
    await phase(stage.phase, async () => {
      await untilAborted(
        Promise.all(stage.containers.map(async ({ id, graceSeconds }) => engine.stopContainer(id, graceSeconds))),
        signal,
      );
    });
  }
  if (plan.removes.length > 0 || plan.removesLast.length > 0) {
    await phase("containers", async () => {
      await untilAborted(removeContainers(plan, engine), signal);
    });
  }
  const { cleanup } = plan;
  if (cleanup !== undefined) {
    await phase("clean-up", async () => {
      const left = await untilAborted(cleanFootprint(helper, cleanup), signal);
      const lines = describeFootprint(left, cleanup);
      if (lines.length > 0) {
        throw incomplete(lines);
      }
    });
  }
  return times;
}

async function removeContainers(plan: TeardownPlan, engine: ContainerEngine): Promise<void> {
  const ids = new Set(plan.removes.map(({ id }) => id));
  // Its kubelet may have made more pods between the plan and its own end.
  const late = plan.removesLast.length === 0 ? [] : (await engine.listContainers()).filter(isKubeletMade);
  const failed: string[] = [];
  const remove = async ({ id, name }: { id: string; name: string }): Promise<void> => {
    await engine.removeContainer(id).catch((error: unknown) => {
      failed.push(`container ${name}: ${messageOf(error)}`);
    });
  };
  await Promise.all([...plan.removes, ...late.filter(({ id }) => !ids.has(id))].map(remove));
  // The kubelet's container tells the next run whose the pods are, so it outlives them.
  if (failed.length === 0) {
    await Promise.all(plan.removesLast.map(remove));
  }
  if (failed.length > 0) {
    throw incomplete(failed);
  }
}

function incomplete(lines: readonly string[]): TsdeployError {
  const problem: Problem = {
    code: "TEARDOWN_INCOMPLETE",
    message: `Still there after the teardown: ${lines.join("; ")}`,
    hint: "Run `tsdeploy teardown` again; a reboot ends what is held by processes of the host.",
  };
  return new TsdeployError("failed", problem);
}

async function runPhase(name: string, work: () => Promise<void>, { report }: ApplyTeardownOptions): Promise<PhaseTime> {
  const beganMs = performance.now();
  report({ kind: "phase-started", phase: name });
  try {
    await work();
  } catch (error) {
    report({ kind: "phase-failed", phase: name, durationMs: performance.now() - beganMs });
    throw error;
  }
  const endedAtMs = performance.now();
  const durationMs = endedAtMs - beganMs;
  report({ kind: "phase-finished", phase: name, durationMs });
  return { phase: name, durationMs, endedAtMs };
}

/** What is under way goes on unheard when the signal aborts. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  throwIfAborted(signal);
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(new TsdeployError("aborted", { code: "ABORTED", message: "stopped by a signal" }));
    };
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
