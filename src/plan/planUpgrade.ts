import { compare, major, minor } from "semver";
import { skewOf } from "../kubernetes/versionSkew.js";
import type { Problem } from "../model/errors.js";
import { versionChange } from "../preflight/dataChecks.js";

/** A host that runs a node of the cluster. */
export interface UpgradeHost {
  readonly name: string;
  /** Of Kubernetes, such as `v1.20.2`. */
  readonly version: string;
  /** False where an earlier run was cut short, or something else is to be put right with the version that it has. */
  readonly isWhole: boolean;
  /** Its owner has it stay at its version. */
  readonly isPinned?: boolean;
}

export interface UpgradePlanInput {
  /** In the order in which they are worked on; at least one. */
  readonly masters: readonly UpgradeHost[];
  readonly workers: readonly UpgradeHost[];
  /** Nodes that the run does not work on. */
  readonly others: readonly { readonly name: string; readonly version: string }[];
  readonly target: string;
  /** The release to stop at of a minor version, such as `1.21`, on the way to another. */
  readonly releaseOf: (minorVersion: string) => string;
}

/** The masters of a stop in turn, then its workers. */
export interface UpgradeStop {
  readonly version: string;
  readonly masters: readonly string[];
  readonly workers: readonly string[];
}

export interface UpgradePlan {
  readonly target: string;
  readonly stops: readonly UpgradeStop[];
  /** Hosts that have nothing to do. */
  readonly left: readonly string[];
  /** What stands against it, whatever the hosts are like otherwise. */
  readonly refusals: readonly Problem[];
}

/**
 * The way of a cluster from its version to another. API servers go up one minor version at a time; a kubelet may go
 * straight to the last, but no API server gets so far ahead that it would refuse a kubelet. A master that was left
 * half-way at a version is put right there before it goes on. Pure.
 */
export function planUpgrade(input: UpgradePlanInput): UpgradePlan {
  const { masters, target } = input;
  const versions = [...masters.map(({ version }) => version)].sort(compare);
  const [oldest = target, newest = target] = [versions[0], versions.at(-1)];
  const path = [...startOf(input, oldest, newest), ...versionsBetween(oldest, target, input.releaseOf), target];
  const refusals = refusalsOf(input, oldest, newest, path);
  if (refusals.length > 0) return { target, stops: [], left: [], refusals };

  const moved = new Map<string, string>();
  const versionOf = ({ name, version }: UpgradeHost): string => moved.get(name) ?? version;
  const stops = path.map((version, index): UpgradeStop => {
    const next = path[index + 1];
    const isBehind = (host: UpgradeHost): boolean => compare(versionOf(host), version) < 0;
    const ofMasters = masters.filter((host) => isBehind(host) || (versionOf(host) === version && !isDone(host, moved)));
    const ofWorkers = input.workers.filter((host) => {
      if (host.isPinned === true) return false;
      if (next !== undefined) return isBehind(host) && skewOf(next, versionOf(host)) !== undefined;
      return isBehind(host) || !isDone(host, moved);
    });
    for (const { name } of [...ofMasters, ...ofWorkers]) moved.set(name, version);
    return { version, masters: ofMasters.map(nameOf), workers: ofWorkers.map(nameOf) };
  });
  return {
    target,
    stops: stops.filter((stop) => stop.masters.length + stop.workers.length > 0),
    left: [...masters, ...input.workers].map(nameOf).filter((name) => !moved.has(name)),
    refusals,
  };
}

/** Work at the version that the cluster has, before it goes up: what is not whole, and workers that lag too far. */
function startOf({ masters, workers, target }: UpgradePlanInput, oldest: string, newest: string): string[] {
  if (oldest === target || oldest !== newest) return [];
  const isBroken = masters.some(({ isWhole }) => !isWhole);
  const lags = workers.some(({ version }) => compare(version, oldest) < 0);
  return isBroken || lags ? [oldest] : [];
}

/** Minor versions after one and before the other, a release of each. */
function versionsBetween(from: string, to: string, releaseOf: UpgradePlanInput["releaseOf"]): string[] {
  const between = Math.max(0, minor(to) - minor(from) - 1);
  return Array.from({ length: between }, (_, n) => releaseOf(`${major(to)}.${minor(from) + n + 1}`));
}

function refusalsOf(input: UpgradePlanInput, oldest: string, newest: string, path: readonly string[]): Problem[] {
  const { workers, others, target } = input;
  const hops = [oldest, ...path].flatMap((version, index, all) => {
    const next = all[index + 1];
    return next === undefined ? [] : [versionChange(version, next)];
  });
  const isDowngrade = compare(newest, target) > 0;
  const noWay = isDowngrade ? versionChange(newest, target) : hops.find((found) => found !== undefined);
  if (noWay) return [{ code: noWay.code, message: noWay.message, hint: hintOf(noWay, newest) }];
  const staying = [
    ...workers
      .filter(({ isPinned }) => isPinned === true)
      .map((host) => ({ ...host, why: "its own k8sVersion keeps it there" })),
    ...others.map((node) => ({ ...node, why: "no host of this run is it" })),
  ];
  const newer = workers.filter(({ version }) => compare(version, target) > 0).map((host) => ({ ...host, why: "" }));
  return [...staying, ...newer].flatMap(({ name, version, why }): Problem[] => {
    const skew = skewOf(target, version);
    if (skew === undefined) return [];
    const ahead = `${name} runs ${version}, newer than ${target}`;
    const behind = `${name} runs ${version}, too old for API servers of ${target}, and stays: ${why}`;
    return [
      {
        code: "VERSION_SKEW",
        message: skew === "newer" ? ahead : behind,
        hint: skew === "newer" ? `Say --to ${version} or later.` : "Upgrade it first, or remove it from the cluster.",
      },
    ];
  });
}

function hintOf({ code, hint }: Problem, newest: string): string {
  return code === "DOWNGRADE" ? `Say --to ${newest} or later.` : hint;
}

function isDone({ name, isWhole }: UpgradeHost, moved: ReadonlyMap<string, string>): boolean {
  return isWhole || moved.has(name);
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}
