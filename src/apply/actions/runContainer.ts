import { EngineError } from "../../docker/containerEngine.js";
import type { ContainerSpec, RestartPolicy } from "../../model/containerSpec.js";
import type { ContainerSummary } from "../../model/dockerObjects.js";
import { containerName, helperHostRoot, labels } from "../../model/hostLayout.js";
import type { ActionOf, Health } from "../../model/plan.js";
import { HeldContainers } from "../heldContainers.js";
import type { PlanRun, StepTools } from "../planRun.js";
import type { Sight } from "../waitFor.js";

/** Starts it, in place of whatever else is there of its component. */
export async function runContainer(action: ActionOf<"run-container">, tools: StepTools): Promise<void> {
  const { run, step, leave } = tools;
  const { engine, newId } = run.context;
  const { container: spec, health, restartsWith, restartsAfter, values } = action;
  const present = run.context.containers.filter((one) => one.labels[labels.component] === spec.component);
  // What a run that was cut short has filled in may hold no more, and does not where this run has found out anew.
  const holds = (one: ContainerSummary): boolean => values === undefined || (ran(one) && run.values.size === 0);
  const isSame = (one: ContainerSummary): boolean =>
    one.labels[labels.spec] === spec.labels[labels.spec] && holds(one);
  // One that runs before one that a broken run left behind.
  const same = present.filter(isSame).sort((one, other) => Number(ran(other)) - Number(ran(one)))[0];
  const others = present.filter((one) => one !== same);
  const isOutdated =
    restartsWith?.some((path) => run.written.has(path)) === true ||
    (restartsAfter !== undefined && run.fresh.has(restartsAfter));

  const held = new HeldContainers(engine);
  const name = containerName(spec.component, newId());
  const wasRunning = same !== undefined && ran(same);
  let policyBefore: RestartPolicy | undefined;
  leave({
    undo: async () => {
      if (run.stays.has(spec.component)) return;
      // By name: where Docker's answer was lost, there is one that nobody knows the id of.
      if (!same) await engine.removeContainer(name);
      else if (!wasRunning) {
        await engine.stopContainer(same.id, spec.stopGraceSeconds ?? 10);
        if (policyBefore) await engine.setRestartPolicy(same.id, policyBefore);
      }
    },
    // An old one reads its files when it starts, so they have to be the old ones again.
    resume: async () => {
      if (wasRunning && isOutdated) await restart(run, same.id, spec.stopGraceSeconds);
      if (run.stays.has(spec.component)) return;
      for (const one of others.filter(ran)) await held.start(one.id);
    },
    commit: async () => {
      await Promise.all(others.map((one) => engine.removeContainer(one.id)));
    },
  });
  // Before an old one stops: it may be that there cannot be a new one.
  const known = { ...values, ...Object.fromEntries(run.values) };
  const id = same?.id ?? (await engine.createContainer(name, filled(spec, known)));
  for (const one of others) await held.stop(one.id, spec.stopGraceSeconds ?? 10);
  if (same) {
    // An earlier run may have held it.
    policyBefore = (await engine.inspectContainer(id))?.restartPolicy;
    if (policyBefore !== spec.restartPolicy) await engine.setRestartPolicy(id, spec.restartPolicy);
  }
  if (same && isOutdated) await engine.stopContainer(id, spec.stopGraceSeconds ?? 10);
  // Said before: the answer may be lost. What Docker refuses to start has not run.
  if (!wasRunning || isOutdated) run.fresh.add(spec.component);
  await engine.startContainer(id).catch((error: unknown) => {
    if (error instanceof EngineError) run.fresh.delete(spec.component);
    throw error;
  });
  if (!same) run.started.push(id);
  if (spec.component === "kubelet") await run.noteKubelet(id);
  if (others.length > 0 && health !== undefined) await run.wait(step, () => accepts(health, run));
}

/** With values in place of `{{name}}`. */
export function filled(spec: ContainerSpec, values: Readonly<Record<string, string>>): ContainerSpec {
  const fill = (word: string): string => word.replace(/\{\{(\w+)\}\}/g, (all, name: string) => values[name] ?? all);
  return { ...spec, command: spec.command.map(fill) };
}

export function ran({ state }: ContainerSummary): boolean {
  return state === "running" || state === "restarting";
}

async function restart({ context: { engine } }: PlanRun, id: string, graceSeconds = 10): Promise<void> {
  await engine.stopContainer(id, graceSeconds);
  await engine.startContainer(id);
}

export async function accepts(health: Health, { context: { helper } }: PlanRun): Promise<Sight> {
  const [what, test] =
    "port" in health
      ? [`port ${health.port}`, `(exec 3<>/dev/tcp/127.0.0.1/${health.port}) 2>/dev/null`]
      : [health.socket, `socat -u OPEN:/dev/null UNIX-CONNECT:${helperHostRoot}${health.socket} 2>/dev/null`];
  const { stdout } = await helper.run(`if ${test}; then echo yes; fi`);
  return stdout.toString() === "" ? { done: false, seen: `nothing listens on ${what}` } : { done: true };
}
