import type { ClusterHost } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { DownOptions } from "../model/options.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import type { RunContext } from "../report/runContext.js";
import { contextOf, failureOf, type HostFailure, inPool, workOn } from "./manyHosts.js";
import { tearDown } from "./tearDown.js";

/** What a teardown of a host came to. */
export interface DownHost {
  readonly name: string;
  /** Undefined where nothing is, or nobody could look. */
  readonly plan?: TeardownPlan;
  readonly outcome: "nothing" | "planned" | "removed" | "failed" | "skipped";
  readonly failure?: HostFailure;
}

const usualParallel = 10;

/**
 * Takes a cluster off all hosts of its file: the workers, then the masters one after the other, who are needed for
 * those before them to leave; the first one last, with the cluster. They stay if one before them could not be taken out
 * of the cluster, unless `force`.
 *
 * @param confirm is shown what would be removed before anything is
 */
export async function downCluster(
  options: DownOptions,
  context: RunContext,
  confirm: (hosts: readonly DownHost[]) => Promise<boolean>,
): Promise<DownHost[]> {
  const { masters, workers } = options.hosts;
  const parallel = options.parallel ?? usualParallel;
  const inTurn = masters.toReversed();
  const planned = await inPool([...workers, ...inTurn], parallel, (host) => lookAtHost(host, options, context));
  const isAny = planned.some(({ outcome }) => outcome === "planned");
  if (options.dryRun || !isAny) return planned;
  if (!(await confirm(planned))) {
    const hint = "Leave out --purge to keep the data, or answer y.";
    throw new TsdeployError("aborted", { code: "ABORTED", message: "nothing was removed", hint });
  }
  const done = await inPool(workers, parallel, (host) => removed(host, planned, options, context));
  for (const host of inTurn) {
    const isLeft = done.some(({ outcome }) => outcome === "failed" || outcome === "skipped");
    if (isLeft && !options.force) done.push({ name: host.name, outcome: "skipped" });
    else done.push(await removed(host, planned, options, context));
  }
  return done;
}

async function lookAtHost(host: ClusterHost, options: DownOptions, context: RunContext): Promise<DownHost> {
  const { name } = host;
  try {
    const quiet = { ...contextOf(host, context), report: () => undefined };
    const dryRun = { ...options, ...dockerOf(host), dryRun: true };
    const outcome = await tearDown(dryRun, quiet, () => Promise.resolve(false));
    return outcome.kind === "planned" ? { name, outcome: "planned", plan: outcome.plan } : { name, outcome: "nothing" };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { name, outcome: "failed", failure: failureOf(error, context.signal) };
  }
}

async function removed(
  host: ClusterHost,
  planned: readonly DownHost[],
  options: DownOptions,
  context: RunContext,
): Promise<DownHost> {
  const { name } = host;
  const before = planned.find((one) => one.name === name);
  if (before?.outcome !== "planned") return before ?? { name, outcome: "nothing" };
  if (context.signal.aborted) return { name, outcome: "skipped" };
  const { plan } = before;
  const failure = await workOn(name, "teardown", context, async () => {
    const confirmed = (): Promise<boolean> => Promise.resolve(true);
    await tearDown({ ...options, ...dockerOf(host) }, contextOf(host, context), confirmed);
  });
  return { name, ...(plan && { plan }), ...(failure ? { outcome: "failed", failure } : { outcome: "removed" }) };
}

function dockerOf({ options: { dockerHost, dockerContext } }: ClusterHost): Partial<DownOptions> {
  return defined({ dockerHost, dockerContext });
}
