import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { Report } from "../report/events.js";
import { etcdProblem, type FoundBinaries } from "./findBinaries.js";
import { imagePaths, kubernetesPrograms, neededPlugins, type Part } from "./imageContents.js";
import { cniVersion } from "./prepareBase.js";
import type { ImageProbe } from "./probeImage.js";

const allParts: readonly Part[] = [...kubernetesPrograms, "etcd", "cni-plugins", "cri-dockerd"];

/** Where the parts of an image come from. */
export interface Sources {
  readonly download: ReadonlySet<Part>;
  /** Parts that the base has. */
  readonly fromBase: ReadonlySet<Part>;
  /** With a leading slash. */
  readonly cniFolder: string;
  readonly usesGivenPlugins: boolean;
}

/** Where each part comes from: the folder, else the base, else a download. */
export function chooseSources(
  given: FoundBinaries,
  probe: ImageProbe | undefined,
  features: VersionFeatures,
  { binaries, base }: { readonly binaries?: string; readonly base?: string },
  report: Report,
): Sources {
  const needed = allParts.filter((part) => part !== "cri-dockerd" || features.runtime === "cri-dockerd");
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
  const download = new Set(needed.filter((part) => !given.parts.has(part) && !fromBase.has(part)));
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
  const usesBaseCni = fromBase.has("cni-plugins") && baseCni !== undefined;
  return {
    download,
    fromBase,
    cniFolder: usesBaseCni ? baseCni : `/${imagePaths.cni}`,
    usesGivenPlugins: !usesBaseCni,
  };
}

function isRunnable(probe: ImageProbe, program: string): boolean {
  return probe.programs.has(program) && probe.versions.get(program)?.status === 0;
}

function hasFitEtcd(probe: ImageProbe, features: VersionFeatures): boolean {
  const version = semver.coerce(probe.versions.get("etcd")?.version)?.version;
  return isRunnable(probe, "etcd") && version !== undefined && etcdProblem(version, "the base", features) === undefined;
}

/** Versions that are known before anything of the image is run. */
export function versionsOf(
  features: VersionFeatures,
  given: FoundBinaries,
  probe: ImageProbe | undefined,
  { fromBase, download, cniFolder }: Sources,
): Partial<Record<"etcd" | "cni-plugins" | "cri-dockerd", string>> {
  const { components } = features;
  const of = (part: "etcd" | "cri-dockerd", released: string | undefined): string | undefined => {
    if (download.has(part)) return released;
    return fromBase.has(part) ? probe?.versions.get(part)?.version : given.versions[part];
  };
  const plain = {
    etcd: of("etcd", components.etcd),
    "cri-dockerd": features.runtime === "cri-dockerd" ? of("cri-dockerd", components.criDockerd) : undefined,
    "cni-plugins": download.has("cni-plugins") ? components.cni : probe && cniVersion(probe, cniFolder),
  };
  return Object.fromEntries(
    Object.entries(plain).flatMap(([part, version]) =>
      version === undefined ? [] : [[part, version.replace(/^v/, "")]],
    ),
  );
}
