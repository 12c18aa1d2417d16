import { mirrored } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { resolveVersion } from "../kubernetes/versions.js";
import { TsdeployError } from "../model/errors.js";
import type { RegistryMirrors } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { pullImage } from "./ensureImage.js";
import { imageVersion } from "./imageVersion.js";
import { probeImage } from "./probeImage.js";

export interface VersionOfImageOptions {
  readonly registryMirrors: RegistryMirrors;
  readonly pullTimeoutMs: number;
  readonly context: RunContext;
}

/**
 * The version of Kubernetes in an image that a person named: as its label says, else as its tag does, else as its
 * kubelet does. It is pulled only where its name does not say.
 *
 * @returns such as `v1.20.2`
 * @throws TsdeployError `usage` with `IMAGE_VERSION_UNKNOWN`, or as `resolveVersion` and `pullImage` do
 */
export async function versionOfImage(
  engine: ContainerEngine,
  image: string,
  options: VersionOfImageOptions,
): Promise<string> {
  const said = await saidVersion(engine, image, options.registryMirrors);
  if (said !== undefined) return said;
  const source = mirrored(image, options.registryMirrors);
  const reference = (await engine.inspectImage(image)) ? image : source;
  const details = await pullImage(engine, reference, options);
  const version = imageVersion(reference, details) ?? (await ranVersion(engine, reference, options.context.signal));
  if (version !== undefined) return resolveVersion(version);
  throw new TsdeployError("usage", {
    code: "IMAGE_VERSION_UNKNOWN",
    message: `neither a label, nor the tag, nor a kubelet of ${image} says which version of Kubernetes is in it`,
    hint: "Say it by --k8s-version.",
  });
}

/** What is known of that without pulling or running anything; undefined if it is not. */
export async function saidVersion(
  engine: ContainerEngine,
  image: string,
  mirrors: RegistryMirrors,
): Promise<string | undefined> {
  const here = (await engine.inspectImage(image)) ?? (await engine.inspectImage(mirrored(image, mirrors)));
  const version = imageVersion(image, here);
  return version === undefined ? undefined : resolveVersion(version);
}

/** `/hyperkube` is that of images without single programs. */
async function ranVersion(
  engine: ContainerEngine,
  image: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const programs = ["kubelet", "/hyperkube"];
  // An image without a shell, for example, cannot be run for that.
  const probe = await probeImage(engine, image, { versions: programs }, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    if (error instanceof TsdeployError) return undefined;
    throw error;
  });
  const versions = programs.flatMap((program) => {
    const { status, version } = probe?.versions.get(program) ?? {};
    return status === 0 && version !== undefined && /^v\d+\.\d+\.\d+/.test(version) ? [version] : [];
  });
  return versions[0]?.replace(/\+.*/, "");
}
