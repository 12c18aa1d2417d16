import { setTimeout as delay } from "node:timers/promises";
import { type AttachedContainer, type ContainerEngine, EngineError } from "../docker/containerEngine.js";
import type { ContainerDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { labels, lockName } from "../model/hostLayout.js";
import type { Report } from "../report/events.js";

/** What a run says of itself that changes a host, and what it does when another one is at it. */
export interface HostLock {
  /** Such as `master`. */
  readonly command: string;
  /** Who runs it and where: `user@machine`. */
  readonly holder: string;
  /** Wait until the other run has ended, instead of being refused. */
  readonly wait: boolean;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Labels of the container that holds the lock: what another run reports of this one. */
export function lockLabels({ command, holder }: HostLock): Record<string, string> {
  return {
    [labels.lockCommand]: command,
    [labels.lockHolder]: holder,
    [labels.lockSince]: new Date().toISOString(),
  };
}

type Pause = (ms: number, signal: AbortSignal) => Promise<void>;
const pauseFor: Pause = async (ms, signal) => delay(ms, undefined, { signal });

const firstPauseMs = 100;
const longestPauseMs = 5_000;

/**
 * Takes a host's lock by starting the container that is named for it. Who has started it holds the lock until it ends:
 *
 * - Docker gives the name to one container at a time, and nobody removes that container while it runs: all others
 *   remove it only `unlessRunning`, which Docker decides in one step. So no two runs hold the lock at once.
 * - A container of that name that does not run belongs to a run that died, or to one that has not started it yet. It is
 *   removed; its owner, if it lives, then fails to start it and tries again from the beginning.
 *
 * The pauses keep contenders from removing each other's containers for ever. Nothing else depends on their length.
 *
 * @param start creates the container named `lockName` and starts it
 * @throws TsdeployError `conflict`, `HOST_LOCKED`; else as `start` does
 */
export async function takeLock(
  engine: ContainerEngine,
  lock: HostLock,
  start: () => Promise<AttachedContainer>,
  pause: Pause = pauseFor,
): Promise<AttachedContainer> {
  let awaited: string | undefined;
  let unstarted: string | undefined;
  let pauseMs = firstPauseMs;
  const backOff = async (): Promise<void> => {
    // Random, so that two that have met do not meet again.
    await pause(pauseMs * (1 + Math.random()), lock.signal);
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  };
  for (;;) {
    lock.signal.throwIfAborted();
    try {
      return await start();
    } catch (error) {
      if (isRemovedByAnother(error)) {
        await backOff();
        continue;
      }
      if (!isNameTaken(error)) throw error;
    }
    const holder = await engine.inspectContainer(lockName);
    if (!holder) continue;
    if (holder.labels[labels.component] !== "helper") throw nameTaken(engine, holder);
    if (holder.state === "removing") {
      await engine.waitUntilRemoved(holder.id, lock.signal);
    } else if (holder.state === "created" && unstarted !== holder.id) {
      // Its owner may be about to start it.
      unstarted = holder.id;
      await backOff();
    } else if (holder.state === "created" || holder.state === "exited" || holder.state === "dead") {
      await removeUnlessRunning(engine, holder.id);
    } else if (lock.wait) {
      if (awaited !== holder.id) lock.report({ kind: "notice", message: `waiting for ${describe(holder)}` });
      awaited = holder.id;
      await engine.waitUntilRemoved(holder.id, lock.signal);
    } else {
      throw hostLocked(engine, holder);
    }
  }
}

/** It may have been started since somebody looked. */
async function removeUnlessRunning(engine: ContainerEngine, id: string): Promise<void> {
  await engine.removeContainer(id, { unlessRunning: true }).catch((error: unknown) => {
    if (!(error instanceof EngineError && error.status === 409)) throw error;
  });
}

function isNameTaken(error: unknown): boolean {
  return error instanceof EngineError && error.status === 409 && /is already in use by container/.test(error.message);
}

/** Between our creating the container and our starting it. */
function isRemovedByAnother(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false;
  return (
    (error.status === 404 && /no such container/i.test(error.message)) ||
    (error.status === 409 && /marked for removal/.test(error.message))
  );
}

function describe(holder: ContainerDetails): string {
  const { [labels.lockCommand]: command, [labels.lockHolder]: who, [labels.lockSince]: since } = holder.labels;
  return `\`tsdeploy ${command ?? "?"}\` of ${who ?? "somebody"}, which has been changing this host since ${since ?? "?"}`;
}

function hostLocked({ endpoint }: ContainerEngine, holder: ContainerDetails): TsdeployError {
  return new TsdeployError("conflict", {
    code: "HOST_LOCKED",
    message: `the host of ${endpoint} is held by ${describe(holder)}`,
    hint:
      "Run this again when that has ended, or with --wait. " +
      `If that run is no more, \`docker rm -f ${lockName}\` there frees the host.`,
  });
}

function nameTaken({ endpoint }: ContainerEngine, { id }: ContainerDetails): TsdeployError {
  return new TsdeployError("conflict", {
    code: "HOST_LOCKED",
    message: `the container ${id.slice(0, 12)} on ${endpoint} has the name ${lockName}, and it is not tsdeploy's`,
    hint: `Rename or remove it: tsdeploy needs that name while it changes a host.`,
  });
}
