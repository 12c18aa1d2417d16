import { minor as minorOf } from "semver";
import type { Components, Images } from "./releaseTable.js";
import { defaultVersion, featuresOf, rangeName, supportedMinors, type VersionFeatures } from "./versions.js";
import { triedVersions } from "./triedRuns.js";
import { supportedRanges } from "./versionTable.js";

/** What `tsdeploy versions` shows. */
export interface VersionOverview {
  readonly defaultVersion: string;
  readonly ranges: readonly RangeOverview[];
  readonly minors: readonly MinorOverview[];
}

/** What the versions of a range have in common; several values are joined by ` | `, oldest first. */
export interface RangeOverview {
  /** `v1.24 - v1.36` */
  readonly range: string;
  readonly runtime: string;
  readonly nodeCredentials: string;
  readonly authorization: string;
  /** Its API. */
  readonly etcd: string;
  readonly tried: readonly string[];
}

export interface MinorOverview {
  /** `v1.36` */
  readonly minor: string;
  readonly tried: readonly string[];
  /** Whether there is an official hyperkube image. */
  readonly published: boolean;
  readonly images: Images;
  readonly components: Components;
}

/** All that is supported, from the version table. */
export function versionOverview(): VersionOverview {
  const triedOf = (minor: string): string[] =>
    triedVersions.filter((version) => minorOf(version) === minorOf(`${minor}.0`));
  return {
    defaultVersion,
    ranges: supportedRanges.map(({ range }) => {
      const minors = supportedMinors(range);
      const features = minors.map((minor) => featuresOf(`${minor}.0`));
      const all = (value: (one: VersionFeatures) => string): string => [...new Set(features.map(value))].join(" | ");
      return {
        range: rangeName(minors),
        runtime: all(({ runtime }) => runtime),
        nodeCredentials: all(({ nodeCredentials }) => nodeCredentials),
        authorization: all(({ authorizationMode }) => authorizationMode),
        etcd: all(({ etcdApi }) => etcdApi),
        tried: minors.flatMap(triedOf),
      };
    }),
    minors: supportedMinors().map((minor) => {
      const { images, components, published } = featuresOf(`${minor}.0`);
      return {
        minor,
        tried: triedOf(minor),
        published: published !== undefined,
        images,
        components,
      };
    }),
  };
}
