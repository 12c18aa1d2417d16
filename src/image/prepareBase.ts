import { createHash } from "node:crypto";
import semver from "semver";
import { pack } from "tar-stream";
import { type ContainerEngine, EngineError } from "../docker/containerEngine.js";
import { pullWithRetry } from "../docker/pullWithRetry.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { imageLabels } from "../model/imageLabels.js";
import type { Architecture } from "../model/options.js";
import type { Report } from "../report/events.js";
import { buildProxies } from "./buildProxies.js";
import { allPackages, hostToolsFor, packagesDockerfile } from "./hostTools.js";
import { optionalPrograms } from "./imageContents.js";
import { asReadable } from "./layer.js";
import { type ImageProbe, probeImage } from "./probeImage.js";

/** What an image is built on without `--base`. */
export const defaultBase = "debian:trixie-slim";

export interface BaseRequest {
  /** Without one Debian with all packages. */
  readonly requested?: string | undefined;
  /** Where it is pulled from: the base's own name, or a mirror's. */
  readonly reference: string;
  readonly features: VersionFeatures;
  readonly architecture: Architecture;
  /** Whether the daemon's own architecture is another one. */
  readonly isForeign: boolean;
}

export interface PreparedBase {
  /** Image with the host's tools in it. */
  readonly id: string;
  /** What it was made of, with its digest where it is known. */
  readonly origin: string;
  /** Undefined where programs of that architecture cannot be run. */
  readonly probe: ImageProbe | undefined;
}

export interface BaseContext {
  /** Whose proxies the packages come by. */
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** Where bases keep CNI plugins; not below /opt: the host's covers that in the kubelet's container. */
const cniFolders = ["/usr/local/lib/cni", "/usr/lib/cni", "/usr/libexec/cni"] as const;

/**
 * Brings the base and adds the host's tools that it lacks. A base that a person named is changed only where nothing
 * works without; what is nice to have is told.
 *
 * @throws TsdeployError `environment` with `BASE_ARCHITECTURE`, `BASE_UNFIT`; `failed` with `BUILD_FAILED`; and what
 * `pullWithRetry` throws
 */
export async function prepareBase(
  engine: ContainerEngine,
  request: BaseRequest,
  context: BaseContext,
): Promise<PreparedBase> {
  const { requested, features, isForeign } = request;
  const tools = hostToolsFor(features);
  const image = await localBase(engine, request, context);
  const { repoDigests } = image;
  const digest = repoDigests[0]?.split("@")[1];
  const name = requested ?? defaultBase;
  const origin = digest === undefined || name.includes("@") ? name : `${name}@${digest}`;
  const labelled = image.labels[imageLabels.cni];
  const folders = [...(labelled === undefined || labelled.startsWith("/opt/") ? [] : [labelled]), ...cniFolders];
  const programs = tools.map(({ program }) => program);
  const look = async (id: string): Promise<ImageProbe | undefined> =>
    probe(engine, id, programs, folders, context.signal).catch((error: unknown) => {
      if (!isForeign) throw error;
      return undefined;
    });
  if (requested === undefined) {
    const id = await withPackages(engine, image.id, allPackages(), request, context);
    return { id, origin, probe: await look(id) };
  }

  const seen = await look(image.id);
  if (!seen) {
    const message =
      `${requested} is for ${request.architecture}, and this Docker cannot run its programs: ` +
      "nothing in it is used, and its tools are taken on trust";
    context.report({ kind: "warning", message });
    return { id: image.id, origin, probe: undefined };
  }
  const missing = tools.filter(({ program }) => !seen.programs.has(program));
  const needed = missing.filter(({ loss }) => loss === undefined);
  if (needed.length === 0) {
    const losses = missing.map(({ program, loss }) => `${program} (${loss ?? ""})`);
    if (losses.length > 0) context.report({ kind: "warning", message: `${requested} lacks ${losses.join(", ")}` });
    return { id: image.id, origin, probe: seen };
  }
  if (!seen.programs.has("apt-get")) {
    throw new TsdeployError("environment", {
      code: "BASE_UNFIT",
      message: `${requested} has no ${needed.map(({ program }) => program).join(", ")}, and no apt-get to install them`,
      hint: "Install them there, or leave --base out: Debian is used then.",
    });
  }
  const packages = [...new Set(missing.map((tool) => tool.package))].sort();
  const id = await withPackages(engine, image.id, packages, request, context);
  return { id, origin, probe: await look(id) };
}

/** The version that a CNI plugin of a folder says; the folder itself says nothing. */
export function cniVersion(probe: ImageProbe, folder: string): string | undefined {
  return probe.versions.get(`${folder}/loopback`)?.version;
}

async function probe(
  engine: ContainerEngine,
  image: string,
  tools: readonly string[],
  pluginFolders: readonly string[],
  signal: AbortSignal,
): Promise<ImageProbe> {
  const own = ["etcd", "etcdctl", "cri-dockerd", "catatonit", ...Object.values(optionalPrograms)];
  const programs = ["apt-get", ...own, ...tools];
  const plugins = pluginFolders.map((folder) => `${folder}/loopback`);
  return probeImage(engine, image, { programs, versions: own, pluginFolders, plugins }, signal);
}

/** The base as it is here, pulled if need be. */
async function localBase(
  engine: ContainerEngine,
  { reference, architecture, isForeign }: BaseRequest,
  { report, signal }: BaseContext,
): Promise<ImageDetails> {
  const here = await engine.inspectImage(reference);
  if (here?.architecture === architecture) return here;
  const another = (is: string, cause?: unknown): TsdeployError => {
    const message = `the base ${reference} is for ${is}, not ${architecture}`;
    const hint = `Name one for ${architecture} by --base.`;
    return new TsdeployError("environment", { code: "BASE_ARCHITECTURE", message, hint }, { cause });
  };
  await pullWithRetry(engine, reference, {
    signal,
    timeoutMs: longestPullMs,
    ...((isForeign || here) && { platform: `linux/${architecture}` }),
    onProgress: (progress) => {
      report({ kind: "pull-progress", image: reference, progress });
    },
    onRetry: (message) => {
      report({ kind: "warning", message });
    },
  }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw here ? another(here.architecture, error) : error;
  });
  const pulled = await engine.inspectImage(reference);
  // The name is given back to the image that had it before.
  if (here && pulled && here.id !== pulled.id && !reference.includes("@")) await engine.tagImage(here.id, reference);
  if (pulled?.architecture === architecture) return pulled;
  throw another(pulled?.architecture ?? "nothing");
}

/** The caller's signal ends it before. */
const longestPullMs = 24 * 3_600_000;

/** A base with these packages; made once, and then found by its name. */
async function withPackages(
  engine: ContainerEngine,
  base: string,
  packages: readonly string[],
  { architecture, isForeign, reference }: BaseRequest,
  { env, report, signal }: BaseContext,
): Promise<string> {
  const dockerfile = packagesDockerfile(base, packages);
  const tag = `tsdeploy/base:${createHash("sha256").update(dockerfile).digest("hex").slice(0, 16)}-${architecture}`;
  const made = await engine.inspectImage(tag);
  if (made) return made.id;
  const proxies = buildProxies(env);
  if (proxies.unreachable) {
    const message = "a proxy on this machine's loopback cannot be reached from a container: packages come without it";
    report({ kind: "warning", message });
  }
  const context = pack();
  context.entry({ name: "Dockerfile" }, dockerfile);
  context.finalize();
  try {
    await engine.buildImage(asReadable(context), {
      tag,
      ...(isForeign && { platform: `linux/${architecture}` }),
      buildArgs: proxies.args,
      onLine: (line) => {
        report({ kind: "build-line", line: proxies.conceal(line) });
      },
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof EngineError)) throw error;
    const isForeignProgram = /exec format error/i.test(error.message);
    const hint = isForeignProgram
      ? `Build on a Docker for ${architecture}, by --host, or let this one run its programs (binfmt_misc with QEMU).`
      : `If ${reference} has no way to its packages' server, name a base that has the tools by --base.`;
    const said = proxies.conceal(messageOf(error));
    const message = `the base ${reference} could not be given ${packages.join(", ")}:\n${said}`;
    const cause = said === messageOf(error) ? error : undefined;
    throw new TsdeployError("failed", { code: "BUILD_FAILED", message, hint }, { cause });
  }
  const image = await engine.inspectImage(tag);
  if (image) return image.id;
  throw new Error(`Docker built ${tag} but does not show it`);
}

/** Whether catatonit can be a pod's first process (`-P`). */
export function pauses(probe: ImageProbe): boolean {
  const version = semver.coerce(probe.versions.get("catatonit")?.version);
  return probe.programs.has("catatonit") && version !== null && semver.gte(version, "0.1.6");
}
