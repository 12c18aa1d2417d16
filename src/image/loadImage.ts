import { Transform } from "node:stream";
import { nanoid } from "nanoid";
import { type ContainerEngine, EngineError } from "../docker/containerEngine.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { imageLabels } from "../model/imageLabels.js";
import type { Architecture } from "../model/options.js";
import type { Report } from "../report/events.js";
import { addLayer } from "./addLayer.js";
import { noSpace } from "./diskFault.js";
import { contentLabels, kubernetesPrograms, neededPlugins, optionalParts, optionalPrograms } from "./imageContents.js";
import { type LayerFile, makeLayer } from "./layer.js";
import { probeImage } from "./probeImage.js";

/** What an image is made of. */
export interface ImagePlan {
  readonly reference: string;
  /** Id of the image that gets the layer. */
  readonly base: string;
  readonly architecture: Architecture;
  readonly files: readonly LayerFile[];
  /** Default command. */
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface LoadContext {
  /** Whether programs of that architecture may not run here: they are not tried then. */
  readonly isForeign: boolean;
  readonly report: Report;
  readonly signal: AbortSignal;
}

const progressIntervalMs = 100;

/**
 * Brings the image into Docker under a name of its own, tries it, and then gives it its real name.
 *
 * @returns `versions`: as its programs say
 * @throws TsdeployError `failed` with `IMAGE_BROKEN`, `environment` with `NO_SPACE`
 */
export async function loadImage(
  engine: ContainerEngine,
  plan: ImagePlan,
  features: VersionFeatures,
  { isForeign, report, signal }: LoadContext,
): Promise<{ id: string; layer: string; versions: Readonly<Record<string, string>> }> {
  const { reference, architecture } = plan;
  const trial = `tsdeploy/hyperkube:building-${nanoid(10).toLowerCase().replace(/[^a-z0-9]/g, "x")}`;
  const saved = await engine.saveImages([plan.base], signal);
  const { archive, layer } = addLayer(saved, {
    layer: await makeLayer(plan.files),
    reference: trial,
    architecture,
    labels: plan.labels,
    command: plan.command,
    // etcd before 3.5 runs on no other architecture without it.
    env: architecture === "amd64" ? {} : { ETCD_UNSUPPORTED_ARCH: architecture },
  });
  // Told by the load, too.
  layer.catch(() => undefined);
  let bytesDone = 0;
  let toldAt = -Infinity;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytesDone += chunk.length;
      if (performance.now() - toldAt >= progressIntervalMs) {
        toldAt = performance.now();
        report({ kind: "transfer-progress", what: reference, bytesDone });
      }
      done(null, chunk);
    },
  });
  archive.on("error", (error) => counted.destroy(error));
  counted.on("close", () => archive.destroy());
  try {
    await engine.loadImages(archive.pipe(counted), signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!(error instanceof EngineError)) throw error;
      if (/no space left|disk quota/i.test(error.message)) {
        throw noSpace(`the disk of Docker at ${engine.endpoint} is full`, error);
      }
      throw broken(reference, `Docker refuses it: ${messageOf(error)}`, error);
    });
    const digest = await layer;
    const image = await engine.inspectImage(trial);
    if (!image) throw broken(reference, "Docker took it but does not show it");
    if (image.architecture !== architecture || image.labels[contentLabels.version] !== features.version) {
      throw broken(reference, `Docker shows another one (${image.architecture})`);
    }
    const versions = isForeign ? {} : await tryImage(engine, trial, plan, features, signal);
    const before = await engine.inspectImage(reference);
    await engine.tagImage(trial, reference);
    await engine.removeImage(trial);
    const isLeft = before && before.id !== image.id && before.id !== plan.base && before.tags.length === 1;
    if (isLeft && before.labels[imageLabels.pause] !== undefined) {
      // One of ours that has no name any more; a container may still be of it.
      await engine.removeImage(before.id).catch(() => undefined);
    }
    return { id: image.id, layer: digest, versions };
  } catch (error) {
    await engine.removeImage(trial).catch(() => undefined);
    throw error;
  }
}

/** Runs everything once: a program for another libc, for example, is found only so. @returns versions as they say */
async function tryImage(
  engine: ContainerEngine,
  image: string,
  { reference, labels }: ImagePlan,
  features: VersionFeatures,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const cniFolder = labels[imageLabels.cni] ?? "";
  const plugins = neededPlugins(features).map((plugin) => `${cniFolder}/${plugin}`);
  const optional = optionalParts.filter((part) => contentLabels[part] in labels).map((part) => optionalPrograms[part]);
  const others = ["etcd", ...(features.runtime === "cri-dockerd" ? ["cri-dockerd"] : []), ...optional];
  const probe = await probeImage(engine, image, { versions: [...kubernetesPrograms, ...others], plugins }, signal);
  const failures: string[] = [];
  for (const [program, { status, text, version }] of probe.versions) {
    const isKubernetes = (kubernetesPrograms as readonly string[]).includes(program);
    if (status !== 0) failures.push(`${program} ends with status ${status}${text === "" ? "" : ` (${text})`}`);
    else if (isKubernetes && !isVersion(version, features.version)) failures.push(`${program} is ${version ?? text}`);
  }
  if (failures.length > 0) throw broken(reference, failures.join("; "));
  const said = {
    etcd: probe.versions.get("etcd")?.version,
    "cri-dockerd": probe.versions.get("cri-dockerd")?.version,
    "cni-plugins": probe.versions.get(`${cniFolder}/loopback`)?.version,
    flannel: probe.versions.get(optionalPrograms.flannel)?.version,
    coredns: probe.versions.get(optionalPrograms.coredns)?.version,
  };
  return Object.fromEntries(
    Object.entries(said).flatMap(([part, version]) =>
      version === undefined ? [] : [[part, version.replace(/^v/, "")]],
    ),
  );
}

/** Whether a program's own version is this one; one that was built without a version has been told before. */
function isVersion(said: string | undefined, version: string): boolean {
  return said === undefined || said.replace(/\+.*/, "") === version || said.startsWith("v0.0.0-");
}

function broken(reference: string, why: string, cause?: unknown): TsdeployError {
  const problem = {
    code: "IMAGE_BROKEN",
    message: `the image ${reference} was built, but ${why}; it is not kept`,
    hint: "Compare the programs with the base: their version, architecture and C library have to fit.",
  };
  return new TsdeployError("failed", problem, { cause });
}
