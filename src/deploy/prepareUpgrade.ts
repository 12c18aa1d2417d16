import { compare, inc, major, minor } from "semver";
import { isReadyNode, nodeVersion } from "../apply/probes.js";
import { leftCordons } from "../apply/ownCordon.js";
import { parseAcceptedOptions } from "../config/acceptedOptions.js";
import { etcdThatRan } from "../image/etcdVersion.js";
import { resolveVersion, supportedMinors } from "../kubernetes/versions.js";
import { triedVersions } from "../kubernetes/triedRuns.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { exitCodes, messageOf, type Problem, TsdeployError } from "../model/errors.js";
import type { Finding } from "../model/finding.js";
import { paths } from "../model/hostLayout.js";
import { editedManifests } from "../plan/keptManifests.js";
import { planUpgrade, type UpgradeHost, type UpgradePlan } from "../plan/planUpgrade.js";
import { unsafeEtcdChange } from "../preflight/dataChecks.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { askCluster, type ClusterUse, type LostApi } from "./clusterUse.js";
import { inPool } from "./manyHosts.js";
import { lookAtNode, type NodeSight, type NodeThere } from "./nodeSight.js";
import { masterAt, workerAt } from "./optionsAt.js";
import { follow, wantedOfMaster } from "./settleMaster.js";
import { followWorker, wantedOfWorker } from "./settleWorker.js";
import { type FirstMaster, masterImages, type UpgradeImage, workerImages } from "./upgradeImages.js";

/** What stands against an upgrade. */
export interface Blocker extends Problem {
  /** Undefined: the cluster as a whole. */
  readonly host?: string;
  readonly exitCode: number;
  /** The option by which the run goes on all the same; for a host, without it. */
  readonly unless?: "--continue" | "--force";
}

/** All that is known before an upgrade begins. */
export interface Upgrade {
  readonly masters: readonly NodeSight<MasterHost>[];
  readonly workers: readonly NodeSight<WorkerHost>[];
  /** Undefined if the API server does not answer. */
  readonly use: ClusterUse | undefined;
  /** Of the masters. */
  readonly from: string;
  readonly plan: UpgradePlan;
  readonly images: readonly UpgradeImage[];
  readonly blockers: readonly Blocker[];
  readonly warnings: readonly string[];
  /** What is to be known by who plans the way to the first master. */
  readonly first: FirstMaster;
}

export interface UpgradeWish {
  readonly masters: readonly MasterHost[];
  readonly workers: readonly WorkerHost[];
  readonly targetVersion?: string | undefined;
  /** Goes nowhere by itself: without a version that is said, the hosts' own is the target. */
  readonly onlyAsSaid?: boolean;
}

/** Hosts that are looked at at once. */
const looksAtOnce = 16;

/**
 * Looks at all hosts and at the cluster, and finds the way. Changes nothing.
 *
 * @throws TsdeployError if the first master cannot be looked at or runs nothing
 */
export async function prepareUpgrade(wish: UpgradeWish, context: RunContext): Promise<Upgrade> {
  const [masters, workers] = await Promise.all([
    inPool(wish.masters, looksAtOnce, (host) => lookAtNode(host, context)),
    inPool(wish.workers, looksAtOnce, (host) => lookAtNode(host, context)),
  ]);
  // One that the file has had for longer than the cluster says more of it than one that is yet to join.
  const first = masters.find(({ there }) => there) ?? masters[0];
  if (!first) throw new Error("an upgrade needs a master");
  const there = first.there ?? refuseFirst(first);
  const versions = masters.flatMap((master) => master.there?.version ?? []).sort(compare);
  const from = versions[0] ?? there.version;
  const newest = versions.at(-1) ?? there.version;
  const releases = releasesKnown(there);
  const target = targetOf(wish, first, newest, workers, releases);

  let why: unknown;
  const use = await askCluster(first.host, { from, to: target }, there.isWhole, context).catch((error: unknown) => {
    context.signal.throwIfAborted();
    why = error;
    return undefined;
  });
  const nodes = new Map(use?.nodes.map((node) => [node.metadata.name, node]));
  const marked = use ? leftCordons(use.nodes) : [];
  const hostOf = ({ name, host, there: found }: NodeSight): UpgradeHost[] => {
    if (!found) return [];
    const { nodeName, version, isWhole } = found;
    const node = nodes.get(nodeName);
    // Without the cluster nobody knows whether the node is well.
    const isWell = !use || (node !== undefined && isReadyNode(node) && nodeVersion(node) === version);
    const isPinned = isPinnedTo(host, first.host);
    return [{ name, version, isPinned, isWhole: isWhole && isWell && !marked.includes(nodeName) }];
  };
  const worked = new Set([...masters, ...workers].map((sight) => sight.there?.nodeName));
  const others = (use?.nodes ?? [])
    .filter(({ metadata }) => !worked.has(metadata.name))
    .map((node) => ({ name: node.metadata.name, version: nodeVersion(node) }))
    .filter(({ version }) => /^v\d+\.\d+\.\d+/.test(version));
  const plan = planUpgrade({
    masters: masters.flatMap(hostOf),
    workers: workers.flatMap(hostOf),
    others,
    target,
    releaseOf: (minorVersion) => releaseOf(minorVersion, releases),
  });

  const config = use?.config;
  const found = await imagesOf({ masters, workers, plan, config }, first, context);
  const blockers: Blocker[] = [
    ...[...masters, ...workers].flatMap(hostBlockers),
    ...plan.refusals.map((problem) => ({ ...problem, exitCode: 4 })),
    ...imageBlockers([...masters, ...workers], target),
    ...manifestBlockers(masters, plan),
    ...apiBlockers(use, there, plan, why),
    ...checkBlockers(masters, workers, plan, config),
    ...etcdBlockers(first, found.first, plan),
  ];
  return { masters, workers, use, from, plan, ...found, blockers, warnings: warningsOf(use, plan, workers) };
}

function refuseFirst({ name, failure }: NodeSight): never {
  if (failure) {
    const kinds = ["environment", "conflict", "unreachable"] as const;
    throw new TsdeployError(kinds.find((kind) => exitCodes[kind] === failure.exitCode) ?? "failed", failure.problems);
  }
  throw new TsdeployError("environment", {
    code: "NOTHING_HERE",
    message: `no master runs on ${name}`,
    hint: "Say which Docker host is meant, with --host or --context, or make the cluster with `tsdeploy up` or `master`.",
  });
}

/** Whether the file gives a worker another version than its master. */
function isPinnedTo({ role, options }: MasterHost | WorkerHost, master: MasterHost): boolean {
  return role === "worker" && options.k8sVersion !== undefined && options.k8sVersion !== master.options.k8sVersion;
}

/** Releases of Kubernetes that are sure to exist: those that were run, and those of which the master has an image. */
function releasesKnown({ imageVersions }: NodeThere): readonly string[] {
  return [...triedVersions, ...imageVersions.filter((version) => /^v\d+\.\d+\.\d+$/.test(version))];
}

/** @returns the newest release of a minor version that is known; its first where none is */
function releaseOf(minorVersion: string, releases: readonly string[]): string {
  const ofMinor = releases.filter((version) => `${major(version)}.${minor(version)}` === minorVersion).sort(compare);
  return ofMinor.at(-1) ?? `v${minorVersion}.0`;
}

/**
 * What was said; else what the file says, if that is newer; else the version of the masters, as long as a worker is
 * behind; else the next minor version, as long as there is one.
 */
function targetOf(
  { targetVersion, onlyAsSaid }: UpgradeWish,
  { host, there }: NodeSight<MasterHost>,
  newest: string,
  workers: readonly NodeSight<WorkerHost>[],
  releases: readonly string[],
): string {
  if (targetVersion !== undefined) return targetVersion;
  const said = host.options.k8sVersion ?? there?.namedVersion;
  if (onlyAsSaid === true) return said === undefined ? newest : resolveVersion(said);
  if (said !== undefined && compare(resolveVersion(said), newest) > 0) return resolveVersion(said);
  const isBehind = workers.some(
    (sight) => sight.there && !isPinnedTo(sight.host, host) && compare(sight.there.version, newest) < 0,
  );
  const next = inc(newest, "minor");
  const nextMinor = next === null ? "" : `${major(next)}.${minor(next)}`;
  if (isBehind || !supportedMinors().includes(`v${nextMinor}`)) return newest;
  return releaseOf(nextMinor, releases);
}

interface ImageInput extends Pick<Upgrade, "masters" | "workers" | "plan"> {
  readonly config: ClusterConfig | undefined;
}

async function imagesOf(
  { masters, workers, plan, config }: ImageInput,
  first: NodeSight<MasterHost>,
  context: RunContext,
): Promise<{ readonly images: UpgradeImage[]; readonly first: FirstMaster }> {
  const versionsOf = (name: string): string[] =>
    plan.stops.filter((stop) => [...stop.masters, ...stop.workers].includes(name)).map(({ version }) => version);
  const isThere = ({ there }: NodeSight): boolean => there !== undefined;
  const all = plan.stops.map(({ version }) => version);
  const known = { sight: first, images: await masterImages(first, all, context) };
  const ofMasters = await inPool(masters.filter(isThere), looksAtOnce, async (sight) =>
    sight === first
      ? known.images.filter(({ version }) => versionsOf(sight.name).includes(version))
      : masterImages(sight, versionsOf(sight.name), context, known),
  );
  const ofWorkers = await inPool(config ? workers.filter(isThere) : [], looksAtOnce, async (sight) =>
    config ? workerImages(sight, versionsOf(sight.name), config, known, context) : [],
  );
  return { images: [...ofMasters, ...ofWorkers].flat(), first: known };
}

function hostBlockers({ name, host, failure }: NodeSight): Blocker[] {
  const unless = host.role === "worker" ? { unless: "--continue" as const } : {};
  return failure?.problems.map((problem) => ({ ...problem, host: name, exitCode: failure.exitCode, ...unless })) ?? [];
}

/** A file that names an image of another version would have its way at the next `up`. */
function imageBlockers(sights: readonly NodeSight[], target: string): Blocker[] {
  return sights.flatMap(({ name, host, there }): Blocker[] => {
    const { image } = host.options;
    if (image === undefined || there?.namedVersion === undefined || there.namedVersion === target) return [];
    return [
      {
        host: name,
        code: "IMAGE_VERSION",
        message: `its options name the image ${image}, of Kubernetes ${there.namedVersion}, not ${target}`,
        hint: `Name one of ${target}, or none.`,
        exitCode: 4,
      },
    ];
  });
}

/** What `master` would refuse at the first stop. */
function manifestBlockers(masters: readonly NodeSight<MasterHost>[], plan: UpgradePlan): Blocker[] {
  return masters.flatMap(({ name, host, there }) => {
    const stop = plan.stops.find((one) => one.masters.includes(name) && one.version !== there?.version);
    if (!stop || !there || host.options.overwrite) return [];
    const problems = editedManifests(there.observed.files, stop.version);
    return problems.map((problem) => ({ ...problem, host: name, exitCode: 4 }));
  });
}

function apiBlockers(use: ClusterUse | undefined, there: NodeThere, plan: UpgradePlan, why: unknown): Blocker[] {
  if (!use) {
    // A master that was left half-way is put right first, and says then how its cluster is.
    if (!there.isWhole) return [];
    const seen = why instanceof TsdeployError ? (why.problems[0]?.message ?? "") : messageOf(why);
    const message = `the cluster does not say how it is: ${seen}`;
    const hint = "See `tsdeploy status` and `tsdeploy logs apiserver` there; `tsdeploy master` puts right what differs.";
    return [{ code: "API_UNREACHABLE", message, hint, exitCode: 5 }];
  }
  if (plan.stops.every(({ masters }) => masters.length === 0)) return [];
  return use.lostApis
    .filter((lost) => lost.isRequested && !isOfControlPlaneAlone(lost))
    .map((lost) => ({
      code: "API_REMOVED",
      message: `v${lost.removedIn} has no ${lost.api} any more, which ${usersOf(lost)}`,
      hint: `${wayWithout(lost)} Or go on all the same by \`tsdeploy upgrade apply --force\`.`,
      exitCode: 4,
      unless: "--force" as const,
    }));
}

/** As far as can be told. */
function isOfControlPlaneAlone({ isAskedByControlPlane, objects }: LostApi): boolean {
  return isAskedByControlPlane && objects.length === 0;
}

function usersOf({ isAskedByControlPlane, replacement, objects }: LostApi): string {
  if (!isAskedByControlPlane) return "somebody has asked for since the API server started";
  return replacement === undefined ? `there are: ${some(objects)}` : `were applied by: ${some(objects)}`;
}

function wayWithout({ isAskedByControlPlane, replacement, objects }: LostApi): string {
  const instead = replacement ?? "something else";
  if (!isAskedByControlPlane) return `Have its users take ${instead}; an API server that starts anew forgets who has asked.`;
  if (replacement === undefined) {
    const them = objects.length === 1 ? "it" : "them";
    return `Delete ${them}, if nobody needs ${them}.`;
  }
  return `Write ${instead} into their files, and apply those again.`;
}

/** The first few of a list. */
function some(objects: readonly string[]): string {
  return `${objects.slice(0, 5).join(", ")}${objects.length > 5 ? `, and ${objects.length - 5} more` : ""}`;
}

/** What `master` and `worker` would refuse at one of the stops. */
function checkBlockers(
  masters: readonly NodeSight<MasterHost>[],
  workers: readonly NodeSight<WorkerHost>[],
  plan: UpgradePlan,
  config: ClusterConfig | undefined,
): Blocker[] {
  const of = (sight: NodeSight, findings: readonly Finding[]): Blocker[] =>
    findings
      // What is looked through is the old image; the new one has its own checks when it is there. A master that was
      // left half-way may run the new etcd already, from which the old image's is a way back: see etcdBlockers.
      .filter(({ code }) => !/^(IMAGE_|ETCD_(DOWNGRADE|UPGRADE_))/.test(code))
      .map(({ kind, ...problem }) => ({
        ...problem,
        host: sight.name,
        exitCode: kind === "environment" ? 3 : 4,
        ...(sight.host.role === "worker" && { unless: "--continue" as const }),
      }));
  const found = plan.stops.flatMap(({ version, masters: inTurn, workers: after }) => [
    ...masters.flatMap((sight) => {
      if (!sight.there || !inTurn.includes(sight.name)) return [];
      const { observed } = sight.there;
      const wanted = wantedOfMaster(follow(masterAt(sight, version).options, observed).options, version);
      const checks = [runPreflight("engine", observed.engine, wanted), runPreflight("host", observed, wanted)];
      return of(sight, checks.flatMap(({ errors }) => errors));
    }),
    ...workers.flatMap((sight) => {
      if (!sight.there || !config || !after.includes(sight.name)) return [];
      const { observed } = sight.there;
      const options = followWorker({ ...workerAt(sight, version).options, master: "" }, observed);
      const wanted = wantedOfWorker(options, { config, version });
      const checks = [runPreflight("engine", observed.engine, wanted), runPreflight("host", observed, wanted)];
      return of(sight, checks.flatMap(({ errors }) => errors));
    }),
  ]);
  const once = new Map(found.map((blocker) => [`${blocker.host ?? ""} ${blocker.message}`, blocker]));
  return [...once.values()];
}

/** etcd's own stops on the way. */
function etcdBlockers({ there }: NodeSight<MasterHost>, { images }: FirstMaster, plan: UpgradePlan): Blocker[] {
  if (!there) return [];
  const accepted = there.observed.files.get(paths.options);
  const ran = etcdThatRan(there.observed.engine.containers);
  let from = ran ?? (accepted && parseAcceptedOptions(accepted.content).etcdVersion);
  let version = there.version;
  const found: Blocker[] = [];
  for (const stop of plan.stops) {
    const to = images.find((image) => image.version === stop.version)?.etcd;
    const refusal = from !== undefined && to !== undefined ? unsafeEtcdChange(from, to, version) : undefined;
    if (refusal) found.push({ code: refusal.code, message: refusal.message, hint: refusal.hint, exitCode: 4 });
    from = to ?? from;
    version = stop.version;
  }
  return found;
}

function warningsOf(
  use: ClusterUse | undefined,
  plan: UpgradePlan,
  workers: readonly NodeSight<WorkerHost>[],
): string[] {
  if (!use) return [];
  const isReady = new Map(use.nodes.map((node) => [node.metadata.name, isReadyNode(node)]));
  const drained = plan.stops.flatMap((stop) => stop.workers);
  return [
    ...use.lostApis
      .filter(({ objects }) => objects.length > 0)
      .map(({ api, removedIn, replacement, objects }) => {
        return replacement === undefined
          ? `v${removedIn} has no ${api} any more, and nothing in its place: ${some(objects)}`
          : `v${removedIn} has no ${api} any more: the files of ${some(objects)} have to say ${replacement}`;
      }),
    ...use.lostApis
      .filter((lost) => lost.isRequested && isOfControlPlaneAlone(lost))
      .map(({ api, removedIn }) =>
        `v${removedIn} has no ${api} any more: Kubernetes' own controllers have asked for it, and perhaps somebody else`),
    ...(drained.length === 0
      ? []
      : use.tightBudgets.map((budget) => `the disruption budget ${budget} allows no eviction now: a drain waits for it`)),
    ...workers.flatMap(({ name, there }) =>
      there && isReady.get(there.nodeName) === false ? [`node ${there.nodeName} (${name}) is not Ready`] : [],
    ),
  ];
}
