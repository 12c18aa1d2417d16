import type { ClusterHost } from "../model/clusterHosts.js";
import { aborted, messageOf, type Problem, TsdeployError } from "../model/errors.js";
import { onHost } from "../report/onHost.js";
import type { RunContext } from "../report/runContext.js";

/** What stands against a host, or what its work failed with. */
export interface HostFailure {
  readonly exitCode: number;
  readonly problems: readonly Problem[];
}

/** Hosts that are looked at at once: each has a connection, and an ssh of its own if it is reached so. */
export const looksAtOnce = 16;

/** The context of one host: its events say so, its Docker is reached by its certificates, and nobody is asked. */
export function contextOf(host: ClusterHost, context: RunContext): RunContext {
  const tls = host.tlsFolder === undefined ? {} : { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: host.tlsFolder };
  return { ...onHost(host.name, context), env: { ...context.env, ...tls }, isTTY: false };
}

/** Does all of them, at most `parallel` at once, in the given order. */
export async function inPool<Item, Result>(
  items: readonly Item[],
  parallel: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = [...items.entries()];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, lane));
  return results;
}

/** What a host failed with; a bug on one host is no reason to leave the others half-way. */
export function failureOf(error: unknown, signal: AbortSignal): HostFailure {
  if (error instanceof TsdeployError) return { exitCode: error.exitCode, problems: error.problems };
  if (signal.aborted) return failureOf(aborted(), signal);
  const hint = "This is a bug in tsdeploy: please report it.";
  return { exitCode: 1, problems: [{ code: "INTERNAL", message: messageOf(error), hint }] };
}

/** Works on one host, says when it begins and ends, and never throws. @returns what it failed with, if it did */
export async function workOn(
  host: string,
  work: string,
  context: RunContext,
  act: () => Promise<void>,
): Promise<HostFailure | undefined> {
  const { report } = context;
  const began = performance.now();
  report({ kind: "host-started", host, work });
  try {
    await act();
    report({ kind: "host-finished", host, work, durationMs: performance.now() - began });
    return undefined;
  } catch (error) {
    const failure = failureOf(error, context.signal);
    report({ kind: "host-failed", host, work, durationMs: performance.now() - began, problems: failure.problems });
    return failure;
  }
}

/** The exit code of a run on many hosts: 130 if it was stopped, else the highest of them all. */
export function exitCodeOf(failures: readonly HostFailure[], signal: AbortSignal): number {
  if (signal.aborted) return 130;
  return Math.max(0, ...failures.map(({ exitCode }) => exitCode));
}
