import { rm } from "node:fs/promises";
import { mirrored } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { parseImageReference } from "../docker/imageReference.js";
import { featuresOf } from "../kubernetes/versions.js";
import { defined } from "../model/defined.js";
import { imageLabels } from "../model/imageLabels.js";
import type { Architecture, RegistryMirrors } from "../model/options.js";
import { withAnySignal } from "../model/signals.js";
import type { Report } from "../report/events.js";
import { inPhase } from "../report/inPhase.js";
import { artifactsFor, isDownloadable } from "./artifacts.js";
import { cacheFolder, makeWorkFolder } from "./cacheFolder.js";
import { choosePause } from "./choosePause.js";
import { chooseSources, type VersionedPart, versionsOf, withoutFailed } from "./chooseSources.js";
import { diskFault } from "./diskFault.js";
import { fetchArtifacts } from "./fetchArtifacts.js";
import { findBinaries, type FoundBinaries, noBinaries } from "./findBinaries.js";
import { contentLabels, imagePaths, type OptionalPart, optionalPrograms } from "./imageContents.js";
import { imageScript } from "./imageScript.js";
import type { LayerFile } from "./layer.js";
import { loadImage } from "./loadImage.js";
import { mirrorOf } from "./mirror.js";
import { defaultBase, prepareBase, type PreparedBase } from "./prepareBase.js";
import { sideImageNames } from "./sideImages.js";

export interface BuildRequest {
  /** Of Kubernetes. */
  readonly version: string;
  readonly arch: Architecture;
  /** Folder with some or all of the programs. */
  readonly binaries?: string;
  /** URL of a server with the projects' release files; see `mirrorOf`. */
  readonly mirror?: string;
  /** Image that the programs are added to; default Debian with the host's tools. */
  readonly base?: string;
  /** What the image is called; default `tsdeploy/hyperkube:<version>`. */
  readonly tag?: string;
  readonly registryMirrors?: RegistryMirrors;
  /** Fail rather than leave out flannel or CoreDNS, which nodes can pull by themselves. */
  readonly complete?: boolean;
}

export interface BuildContext {
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface BuiltImage {
  readonly reference: string;
  readonly id: string;
  /** `sha256:…` of the layer with the programs: the same for the same programs. */
  readonly layer: string;
  /** What is inside -> its version. */
  readonly contents: Readonly<Record<string, string>>;
}

/**
 * Builds an image with all that a node needs: the base, and one layer with the programs from a folder and from the
 * projects' release files. An image that was there under its name is replaced only when the new one is whole and works.
 *
 * What of the optional parts cannot be had is left out, which is told.
 *
 * @throws TsdeployError of `findBinaries`, `artifactsFor`, `downloadFiles`, `prepareBase`; `failed` with
 * `IMAGE_BROKEN` if what was built does not run, or `environment` with `NO_SPACE`; an abort as the signal's reason
 */
export async function buildHyperkube(
  engine: ContainerEngine,
  request: BuildRequest,
  context: BuildContext,
): Promise<BuiltImage> {
  const { env, report, signal } = context;
  const { arch: architecture, mirror } = request;
  const features = featuresOf(request.version);
  mirrorOf(mirror);
  const isForeign = (await engine.version()).architecture !== architecture;
  const name = isForeign ? `hyperkube-${architecture}` : "hyperkube";
  const reference = request.tag ?? `tsdeploy/${name}:${features.version.replace("+", "_")}`;
  parseImageReference(reference);

  const given =
    request.binaries === undefined ? noBinaries : await findBinaries(request.binaries, features, architecture);
  for (const message of given.warnings) report({ kind: "warning", message });
  const cache = cacheFolder(env);
  const base = async (stop: AbortSignal): Promise<PreparedBase> =>
    inPhase("base", report, async () => {
      const wanted = mirrored(request.base ?? defaultBase, request.registryMirrors ?? {});
      const details = { requested: request.base, reference: wanted, features, architecture, isForeign };
      return prepareBase(engine, details, { env, report, signal: stop });
    });
  let work = "";
  try {
    // What the person's own base has need not be downloaded.
    const early = request.base === undefined ? undefined : await base(signal);
    const isKnown = (part: OptionalPart): boolean => isDownloadable(part, features, architecture);
    const chosen = chooseSources(given, early?.probe, features, { ...request, isDownloadable: isKnown }, report);
    const artifacts = {
      needed: artifactsFor(features, architecture, chosen.download),
      attempted: artifactsFor(features, architecture, chosen.attempt),
    };
    if (artifacts.needed.length > 0) work = await makeWorkFolder(cache);
    const [fetched, prepared] = await both(
      async (stop) => fetchArtifacts(artifacts, work, { architecture, mirror, cache, env, report, signal: stop }),
      async (stop) => early ?? base(stop),
      signal,
    );
    const sources = withoutFailed(chosen, fetched.failed);
    const names = sideImageNames(features, { architecture, registryMirrors: request.registryMirrors ?? {} });
    for (const [part, why] of sources.leftOut) report({ kind: "notice", message: leftOutMessage(part, why, names) });
    const pause = await choosePause(given, prepared.probe);
    const files = await layerFiles(fetched.files, given, sources.usesGivenPlugins, pause.files);
    const versions = versionsOf(features, given, prepared.probe, sources);
    const labels = {
      [contentLabels.title]: "hyperkube",
      [contentLabels.version]: features.version,
      [imageLabels.pause]: pause.command.join(" "),
      [imageLabels.cni]: sources.cniFolder,
      ...versionLabels(versions),
      [contentLabels.base]: prepared.origin,
    };
    return await inPhase("image", report, async () => {
      const plan = { reference, base: prepared.id, architecture, files, command: pause.command, labels };
      const loaded = await loadImage(engine, plan, features, { isForeign, report, signal });
      const { etcd, "cni-plugins": cni, "cri-dockerd": cri, flannel, coredns } = { ...versions, ...loaded.versions };
      return {
        reference,
        id: loaded.id,
        layer: loaded.layer,
        contents: {
          kubernetes: features.version,
          etcd: etcd ?? "unknown",
          "cni-plugins": cni ?? "unknown",
          ...(features.runtime === "cri-dockerd" && { "cri-dockerd": cri ?? "unknown" }),
          ...defined({ flannel, coredns }),
          pause: pause.command.join(" "),
          base: prepared.origin,
        },
      };
    });
  } catch (error) {
    signal.throwIfAborted();
    throw diskFault(cache, error);
  } finally {
    if (work !== "") await rm(work, { recursive: true, force: true });
  }
}

function versionLabels(versions: Partial<Record<VersionedPart, string>>): Record<string, string> {
  return defined({
    [contentLabels.etcd]: versions.etcd,
    [contentLabels.criDockerd]: versions["cri-dockerd"],
    [contentLabels.flannel]: versions.flannel,
    [contentLabels.coredns]: versions.coredns,
  });
}

/** How that is told: what it means, and the way to change it. */
function leftOutMessage(part: OptionalPart, why: string, names: Readonly<Record<OptionalPart, string>>): string {
  const instead = `nodes pull ${names[part]} instead`;
  return `${part} is left out of the image (${why}): ${instead}, unless --binaries has a ${optionalPrograms[part]}`;
}

async function layerFiles(
  downloaded: readonly LayerFile[],
  given: FoundBinaries,
  usesGivenPlugins: boolean,
  pause: readonly LayerFile[],
): Promise<LayerFile[]> {
  const isPlugin = ({ path }: LayerFile): boolean => path.startsWith(`${imagePaths.cni}/`);
  const front = { path: imagePaths.front, source: { content: await imageScript("hyperkube") } };
  const own = given.files.filter((file) => usesGivenPlugins || !isPlugin(file));
  // The folder's win over the same from an archive, such as some of the plugins.
  return [...new Map([front, ...pause, ...downloaded, ...own].map((file) => [file.path, file] as const)).values()];
}

/** Both at once; when one fails the other is stopped, and the failure is that of the first. */
async function both<A, B>(
  one: (signal: AbortSignal) => Promise<A>,
  other: (signal: AbortSignal) => Promise<B>,
  signal: AbortSignal,
): Promise<[A, B]> {
  const stop = new AbortController();
  const results = await withAnySignal([signal, stop.signal], async (any) => {
    const failFast = (error: unknown): never => {
      if (!any.aborted) stop.abort(error);
      throw error;
    };
    return Promise.allSettled([one(any).catch(failFast), other(any).catch(failFast)]);
  });
  signal.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  const [a, b] = results;
  if (a.status === "rejected") throw a.reason;
  if (b.status === "rejected") throw b.reason;
  return [a.value, b.value];
}
