import { coerce, lt } from "semver";
import type { EtcdVersions } from "../api/etcdClient.js";
import { labels } from "../model/hostLayout.js";
import type { SeveralMembers } from "../model/plan.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import { ran } from "./actions/runContainer.js";
import { hostOf } from "./etcdMembership.js";
import { HeldContainers } from "./heldContainers.js";
import type { PlanRun } from "./planRun.js";

/**
 * Decides, while all still runs, how an etcd that may have other members comes back from a run that has failed:
 *
 * - Alone, its data is put back. Who does not know that it is alone is not.
 * - With others the data stays as it is, and the old etcd goes on with it. It can after another minor version, too, as
 *   long as one other member is older than that: the cluster's version is that of its oldest member, and a newer etcd
 *   writes nothing before that has risen which an older one could not read. So it can where the new one has never run,
 *   or has not come up before the cluster's version rose.
 * - Where no other member is known to be older, the cluster's version rises within seconds, and no old etcd starts any
 *   more. So the new one stays, and only the rest is undone. To remove the member and have the old etcd learn all anew
 *   would leave a cluster of two without a majority meanwhile.
 *
 * Never throws.
 *
 * @returns whether the data is put back
 */
export async function dataGoesBack(run: PlanRun, { goesTo }: SeveralMembers): Promise<boolean> {
  // Others may have joined since it stopped.
  const known = await here(run);
  if (known) run.otherMembers = known;
  const others = run.otherMembers;
  if (others?.length === 0) return true;
  if (goesTo === undefined || !run.fresh.has("etcd")) return false;
  const hosts = (others ?? []).map(hostOf);
  if ((await versionsAt(run, hosts)).some(({ server }) => isOlder(server, goesTo))) return false;
  if (!known && (await endsUnheard(run, hosts, goesTo).catch(() => false))) return false;
  run.stays.add("etcd");
  run.context.report({
    kind: "warning",
    message:
      `etcd of this master stays at ${goesTo}, all else is undone: no other member is known to be older, so the cluster's ` +
      `etcd is at ${goesTo} or about to be, which cannot be taken back. Run the same command again`,
  });
  return false;
}

async function here(run: PlanRun): Promise<PlanRun["otherMembers"]> {
  try {
    const { own, members } = await run.etcd.at("127.0.0.1").members({ signal: patience(run) });
    return members.filter(({ id }) => id !== own);
  } catch {
    return undefined;
  }
}

/**
 * Stops the new etcd, and looks whether the cluster's version has risen. It may until then: the leader asks a member's
 * peer port, which answers before etcd answers us. Where it has, or nobody says that it has not, the new etcd runs on.
 */
async function endsUnheard(run: PlanRun, hosts: readonly string[], goesTo: string): Promise<boolean> {
  const { engine } = run.context;
  const held = new HeldContainers(engine);
  const running = (await engine.listContainers([`${labels.component}=etcd`])).filter(ran);
  try {
    for (const { id } of running) await held.stop(id, 10);
    const versions = await versionsAt(run, hosts);
    if (versions.length > 0 && versions.every(({ cluster }) => isOlder(cluster, goesTo))) return true;
  } catch {
    // It may have stopped all the same.
  }
  for (const { id } of running) await held.start(id);
  return false;
}

/** Of those that answer. */
async function versionsAt(run: PlanRun, hosts: readonly string[]): Promise<readonly EtcdVersions[]> {
  const asked = hosts.map(async (host) => run.etcd.at(host).versions({ signal: patience(run) }).catch(() => undefined));
  return (await Promise.all(asked)).filter((versions) => versions !== undefined);
}

/** The run's own signal may have aborted, which led here. */
function patience({ context }: PlanRun): AbortSignal {
  return AbortSignal.timeout(requestTimeoutMs(context.timeoutMs));
}

/** @param minorVersion such as `3.6` */
function isOlder(version: string, minorVersion: string): boolean {
  const known = coerce(version);
  return known !== null && lt(known, `${minorVersion}.0`);
}
