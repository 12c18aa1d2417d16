import { mirrored } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { defaultVersion, featuresOf, type VersionFeatures } from "../kubernetes/versions.js";
import { TsdeployError } from "../model/errors.js";
import type { Architecture, ImageListOptions } from "../model/options.js";
import { type Artifact, artifactsFor, isDownloadable } from "./artifacts.js";
import { type Beside, besides, type FurtherImages, neededBesides } from "./besides.js";
import { asArchitecture } from "./buildImage.js";
import { chooseImage } from "./chooseImage.js";
import { chooseSources } from "./chooseSources.js";
import { noBinaries } from "./findBinaries.js";
import { allPackages } from "./hostTools.js";
import { mirrorOf } from "./mirror.js";
import { defaultBase } from "./prepareBase.js";
import { sideImageNames } from "./sideImages.js";
import { saidVersion } from "./versionOfImage.js";
import { shownUrl } from "./webClient.js";

/** All that machines of an architecture need from elsewhere for a cluster. */
export interface Needed {
  /** Of Kubernetes. */
  readonly version: string;
  readonly architecture: string;
  readonly images: readonly NeededImage[];
  /** Release files of which the hyperkube image is built, where none can be pulled. */
  readonly files: readonly NeededFile[];
  /** Debian packages that are added to the image's base for that. */
  readonly packages: readonly string[];
}

export interface NeededImage {
  readonly reference: string;
  /** `Kubernetes`, the `base` of an image that is built, what may be beside it, or an add-on. */
  readonly what: string;
  /** Whether this Docker has it. */
  readonly here: boolean;
  /** An image that is not here, and that may hold it: this one is then not needed. */
  readonly unlessIn?: string;
}

export interface NeededFile {
  readonly name: string;
  readonly url: string;
  /** A sum that tsdeploy knows, or where the project publishes one, the strongest first. */
  readonly checksum: Artifact["checksum"];
}

/**
 * Finds out what is needed, and changes nothing: neither here nor anywhere is anything pulled, built or started.
 *
 * @throws TsdeployError `usage` with `IMAGE_VERSION_UNKNOWN`, and as `artifactsFor`, `resolveVersion` and `further` do
 */
export async function neededFor(
  engine: ContainerEngine,
  options: ImageListOptions,
  further: FurtherImages,
): Promise<Needed> {
  const { image, registry, registryMirrors } = options;
  const architecture = options.arch ?? (await engine.version()).architecture;
  const version = options.k8sVersion ?? (await impliedVersion(engine, options));
  const features = featuresOf(version);
  const place = { architecture, registry, registryMirrors };
  const names = sideImageNames(features, place);
  const isHere = async (reference: string): Promise<boolean> =>
    (await engine.inspectImage(reference))?.architecture === architecture;
  const named = async (what: string, reference: string): Promise<NeededImage> => {
    return { reference, what, here: await isHere(reference) };
  };
  const beside = async (parts: readonly Beside[]): Promise<NeededImage[]> =>
    Promise.all(parts.map(async (part) => named(part, names[part])));

  const { how, reference } = await chooseImage(engine, {
    requested: { image, registry, registryMirrors },
    version,
    architecture,
  });
  const others = await Promise.all(further(features, place).map((one) => named(one.what, one.reference)));
  const hyperkube = await named("Kubernetes", reference);
  const none = { version, architecture, files: [], packages: [] };
  const details = hyperkube.here ? await engine.inspectImage(reference) : undefined;
  if (details) {
    return { ...none, images: [hyperkube, ...(await beside(besides(details, features, options))), ...others] };
  }
  if (how !== "build") {
    const parts = await beside(neededBesides(options));
    // The published ones are known to hold nothing else.
    const isKnown = image === undefined && registry === undefined;
    const unseen = parts.map((one) => (isKnown ? one : { ...one, unlessIn: reference }));
    return { ...none, images: [hyperkube, ...unseen, ...others] };
  }
  const { artifacts, holds } = filesFor(features, asArchitecture(architecture), options);
  const at = mirrorOf(options.mirror);
  const base = await named("base", mirrored(defaultBase, registryMirrors));
  return {
    ...none,
    images: [base, ...(await beside(neededBesides(options).filter((part) => !holds.has(part)))), ...others],
    files: artifacts.map((artifact) => neededFile(artifact, at)),
    packages: allPackages(),
  };
}

/** What an image is built of, and what will be in it. */
function filesFor(
  features: VersionFeatures,
  architecture: Architecture,
  options: ImageListOptions,
): { readonly artifacts: readonly Artifact[]; readonly holds: ReadonlySet<Beside> } {
  const request = { isDownloadable: (part: "flannel" | "coredns") => isDownloadable(part, features, architecture) };
  const { download, attempt } = chooseSources(noBinaries, undefined, features, request, () => undefined);
  const wanted = new Set<string>(neededBesides(options));
  // What the cluster does not run is in the image as well if it can be had, but not needed.
  const optional = [...attempt].filter((part) => wanted.has(part));
  return {
    artifacts: artifactsFor(features, architecture, new Set([...download, ...optional])),
    holds: new Set(["pause", "etcd", ...optional]),
  };
}

function neededFile({ name, url, checksum }: Artifact, at: (url: string) => string): NeededFile {
  const shown = (one: string): string => shownUrl(at(one));
  return {
    name,
    url: shown(url),
    checksum: "value" in checksum ? checksum : checksum.map((source) => ({ ...source, url: shown(source.url) })),
  };
}

async function impliedVersion(engine: ContainerEngine, options: ImageListOptions): Promise<string> {
  const { image, registryMirrors } = options;
  if (image === undefined) return defaultVersion;
  const version = await saidVersion(engine, image, registryMirrors);
  if (version !== undefined) return version;
  throw new TsdeployError("usage", {
    code: "IMAGE_VERSION_UNKNOWN",
    message: `neither a label of ${image} here nor its tag says which version of Kubernetes is in it`,
    hint: "Pull it first, or say --k8s-version: this command only looks.",
  });
}
