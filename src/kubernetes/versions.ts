import semver from "semver";
import { TsdeployError } from "../errors.js";
import * as table from "./versionTable.js";

/** Without `--k8s-version`. */
export const defaultVersion = "v1.20.2";

/** All that one version decides: a column of `versionTable.ts`. */
export interface VersionFeatures {
  /** Such as `v1.20.2`. */
  readonly version: string;
  /** False for one that is only known by its neighbours. */
  readonly tried: boolean;
  readonly programs: Readonly<Record<table.Program, string>>;
  readonly runtime: "dockershim" | "cri-dockerd";
  readonly nodeCredentials: "token-file" | "bootstrap-token";
  readonly authorizationMode: string;
  readonly supportsCgroupV2: boolean;
  /** Minor versions that a kubelet may be behind an API server of this one. */
  readonly kubeletSkew: number;
  readonly nodeIpamBlocks: boolean;
  readonly etcdApi: "v2" | "v3";
  readonly manifestFolder: { readonly field: string } | { readonly flag: string };
  readonly apis: table.ApiVersions;
  readonly images: table.Images;
  /** This version's value of a flag, or `absent`; undefined where the table has nothing to say. */
  readonly flag: (component: table.FlagRow["component"], name: string) => FlagVerdict | undefined;
}

/** `present` without a value: as the manifest or the planner says it. */
export type FlagVerdict = { readonly kind: "absent" } | { readonly kind: "present"; readonly value?: string };

/**
 * Reads a version as a person writes it: `1.20.2`, `v1.20.2`.
 *
 * @returns it with its `v`
 * @throws TsdeployError of kind usage: `VERSION_MALFORMED`, `VERSION_UNSUPPORTED` with the nearest that is supported
 */
export function resolveVersion(text: string): string {
  const version = semver.valid(/^v?\d/.test(text.trim()) ? text.trim() : "");
  if (version === null) {
    throw new TsdeployError("usage", {
      code: "VERSION_MALFORMED",
      message: `${JSON.stringify(text)} is not a version of Kubernetes`,
      hint: `Write it as ${defaultVersion}.`,
    });
  }
  if (!table.supportedRanges.some(({ range }) => matches(version, range))) {
    const ranges = table.supportedRanges.map(({ range }) => range.replaceAll("-0", "")).join(", ");
    throw new TsdeployError("usage", {
      code: "VERSION_UNSUPPORTED",
      message: `Kubernetes v${version} is not supported; supported is ${ranges}`,
      hint: `The nearest that was tried is ${nearestTried(version)}.`,
    });
  }
  return `v${version}`;
}

/** @throws TsdeployError as `resolveVersion` does */
export function featuresOf(text: string): VersionFeatures {
  const version = resolveVersion(text);
  const pick = <Value>(rows: readonly table.Row<Value>[]): Value => {
    const row = rows.find(({ range }) => matches(version, range));
    if (!row) throw new Error(`the version table has no row for ${version}`);
    return row.value;
  };
  return {
    version,
    tried: table.supportedRanges.some(({ tried }) => tried.includes(version)),
    programs: pick(table.programNames),
    runtime: pick(table.runtimes),
    nodeCredentials: pick(table.nodeCredentials),
    authorizationMode: pick(table.authorizationModes),
    supportsCgroupV2: pick(table.cgroupV2),
    kubeletSkew: pick(table.kubeletSkews),
    nodeIpamBlocks: pick(table.nodeIpamBlocks),
    etcdApi: pick(table.etcdApis),
    manifestFolder: pick(table.manifestFolders),
    apis: pick(table.apiVersions),
    images: pick(table.images),
    flag: (component, name) => {
      const rows = table.flagRows.filter((row) => row.component === component && row.flag === name);
      if (rows.length === 0) return undefined;
      const row = rows.find(({ range }) => matches(version, range));
      if (!row) return { kind: "absent" };
      return row.value === undefined ? { kind: "present" } : { kind: "present", value: row.value };
    },
  };
}

function nearestTried(version: string): string {
  const distance = (other: string): number => Math.abs(weight(other) - weight(version));
  const tried = table.supportedRanges.flatMap((supported) => [...supported.tried]);
  return tried.reduce((best, next) => (distance(next) < distance(best) ? next : best));
}

/** Orders versions on a line: a minor release is farther than any patch. */
function weight(version: string): number {
  return semver.major(version) * 1_000_000 + semver.minor(version) * 1_000 + semver.patch(version);
}

function matches(version: string, range: string): boolean {
  return semver.satisfies(version, range, { includePrerelease: true });
}
