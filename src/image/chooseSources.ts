import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { Report } from "../report/events.js";
import { fitsCoredns } from "./corednsVersion.js";
import { etcdProblem, type FoundBinaries } from "./findBinaries.js";
import {
  imagePaths,
  kubernetesPrograms,
  neededPlugins,
  type OptionalPart,
  optionalParts,
  optionalPrograms,
  type Part,
} from "./imageContents.js";
import { cniVersion } from "./prepareBase.js";
import type { ImageProbe } from "./probeImage.js";

const requiredParts: readonly Part[] = [...kubernetesPrograms, "etcd", "cni-plugins", "cri-dockerd"];

/** Where the parts of an image come from. */
export interface Sources {
  readonly download: ReadonlySet<Part>;
  /** Parts that are downloaded as well, if they can be. */
  readonly attempt: ReadonlySet<OptionalPart>;
  /** Parts that the image will not have -> why. */
  readonly leftOut: ReadonlyMap<OptionalPart, string>;
  /** Parts that the base has. */
  readonly fromBase: ReadonlySet<Part>;
  /** With a leading slash. */
  readonly cniFolder: string;
  readonly usesGivenPlugins: boolean;
}

export interface SourcesRequest {
  readonly binaries?: string;
  readonly base?: string;
  /** Whether the image must have the optional parts, too. */
  readonly complete?: boolean | undefined;
  /** Whether a download of an optional part could be trusted. */
  readonly isDownloadable: (part: OptionalPart) => boolean;
}

/**
 * Where each part comes from: the folder, else the base, else a download. An optional part is not what makes a build
 * need a network: it is downloaded only beside others.
 */
export function chooseSources(
  given: FoundBinaries,
  probe: ImageProbe | undefined,
  features: VersionFeatures,
  request: SourcesRequest,
  report: Report,
): Sources {
  const { binaries, base, complete = false } = request;
  const needed = requiredParts.filter((part) => part !== "cri-dockerd" || features.runtime === "cri-dockerd");
  const [baseCni] = [...(probe?.plugins ?? [])]
    .filter(([, plugins]) => neededPlugins(features).every((plugin) => plugins.has(plugin)))
    .map(([folder]) => folder);
  const fromBase = new Set<Part>(
    needed.filter((part) => {
      if (given.parts.has(part) || !probe) return false;
      if (part === "cni-plugins") return baseCni !== undefined;
      return (part === "etcd" && hasFitEtcd(probe, features)) || (part === "cri-dockerd" && isRunnable(probe, part));
    }),
  );
  const programs = optionalParts.filter((part) => !given.parts.has(part));
  for (const part of programs.filter((part) => probe && isFit(probe, part, features))) fromBase.add(part);
  const absent = programs.filter((part) => !fromBase.has(part));
  const required = [...needed, ...(complete ? absent : [])];
  const download = new Set(required.filter((part) => !given.parts.has(part) && !fromBase.has(part)));
  const { incompletePlugins } = given;
  if (fromBase.has("cni-plugins") && incompletePlugins.length > 0) {
    const some = `${binaries ?? ""} holds only some of the CNI plugins (${incompletePlugins.join(", ")})`;
    report({ kind: "warning", message: `${some}: those of ${base ?? ""} are used` });
  }
  if (download.size > 0 && (binaries !== undefined || base !== undefined)) {
    const places = [binaries, base].filter((place) => place !== undefined).join(" nor in ");
    const not = binaries !== undefined && base !== undefined ? "neither in" : "not in";
    report({ kind: "notice", message: `${[...download].join(", ")}: ${not} ${places}, so downloaded` });
  }
  const why = (part: OptionalPart): string | undefined => {
    if (!request.isDownloadable(part)) return "there is no checksum by which a download of it could be trusted";
    return download.size > 0 ? undefined : "nothing else has to be downloaded";
  };
  const optional = complete ? [] : absent;
  const leftOut = new Map<OptionalPart, string>();
  for (const part of optional) {
    const reason = why(part);
    if (reason !== undefined) leftOut.set(part, reason);
  }
  const usesBaseCni = fromBase.has("cni-plugins") && baseCni !== undefined;
  return {
    download,
    attempt: new Set(optional.filter((part) => !leftOut.has(part))),
    leftOut,
    fromBase,
    cniFolder: usesBaseCni ? baseCni : `/${imagePaths.cni}`,
    usesGivenPlugins: !usesBaseCni,
  };
}

/** Of the parts that were attempted those did not come. */
export function withoutFailed(sources: Sources, failed: ReadonlyMap<string, string>): Sources {
  const gone = [...sources.attempt].flatMap((part) => {
    const why = failed.get(part);
    return why === undefined ? [] : [[part, why] as const];
  });
  return { ...sources, leftOut: new Map([...sources.leftOut, ...gone]) };
}

function isFit(probe: ImageProbe, part: OptionalPart, features: VersionFeatures): boolean {
  const program = optionalPrograms[part];
  return isRunnable(probe, program) && (part !== "coredns" || fitsCoredns(probe.versions.get(program)?.version, features));
}

function isRunnable(probe: ImageProbe, program: string): boolean {
  return probe.programs.has(program) && probe.versions.get(program)?.status === 0;
}

function hasFitEtcd(probe: ImageProbe, features: VersionFeatures): boolean {
  const version = semver.coerce(probe.versions.get("etcd")?.version)?.version;
  return isRunnable(probe, "etcd") && version !== undefined && etcdProblem(version, "the base", features) === undefined;
}

/** Parts of which a version is told. */
export type VersionedPart = "etcd" | "cni-plugins" | "cri-dockerd" | OptionalPart;

/** Versions that are known before anything of the image is run. */
export function versionsOf(
  features: VersionFeatures,
  given: FoundBinaries,
  probe: ImageProbe | undefined,
  { fromBase, download, attempt, leftOut, cniFolder }: Sources,
): Partial<Record<VersionedPart, string>> {
  const { components } = features;
  const of = (part: Exclude<VersionedPart, "cni-plugins">, released: string | undefined): string | undefined => {
    if (download.has(part)) return released;
    const program = part === "flannel" ? optionalPrograms.flannel : part;
    return fromBase.has(part) ? probe?.versions.get(program)?.version : given.versions[part];
  };
  // That it is there is known in any case.
  const ofOptional = (part: OptionalPart): string | undefined => {
    if (leftOut.has(part)) return undefined;
    return (attempt.has(part) ? components[part] : of(part, components[part])) ?? "unknown";
  };
  const plain = {
    etcd: of("etcd", components.etcd),
    "cri-dockerd": features.runtime === "cri-dockerd" ? of("cri-dockerd", components.criDockerd) : undefined,
    "cni-plugins": download.has("cni-plugins") ? components.cni : probe && cniVersion(probe, cniFolder),
    flannel: ofOptional("flannel"),
    coredns: ofOptional("coredns"),
  };
  return Object.fromEntries(
    Object.entries(plain).flatMap(([part, version]) =>
      version === undefined ? [] : [[part, version.replace(/^v/, "")]],
    ),
  );
}
