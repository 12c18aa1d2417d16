import { mirrored } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { defaultRegistry } from "../kubernetes/releaseTable.js";
import { defaultVersion, featuresOf, resolveVersion } from "../kubernetes/versions.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { imageLabels } from "../model/imageLabels.js";
import type { ImageSetOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { chooseImage } from "./chooseImage.js";
import { ensureImage, pullImage } from "./ensureImage.js";
import { imageVersion } from "./imageVersion.js";
import { servesAsPause } from "./sideImages.js";

/** An image under the name by which nodes look for it. */
export interface NamedImage {
  readonly reference: string;
  readonly image: ImageDetails;
}

/** All images of a cluster. */
export interface ImageSet {
  /** Of Kubernetes. */
  readonly version: string;
  /** The hyperkube image first. */
  readonly images: readonly NamedImage[];
}

/**
 * All images that machines of this architecture need for a cluster; those that are not here are pulled or built.
 *
 * @throws TsdeployError as `ensureImage` and `resolveVersion` do; `usage` with `IMAGE_BY_DIGEST` or
 * `IMAGE_VERSION_UNKNOWN`, `environment` with `IMAGE_ARCHITECTURE` or `IMAGE_VERSION`
 */
export async function ensureImageSet(
  engine: ContainerEngine,
  options: ImageSetOptions,
  architecture: string,
  context: RunContext,
): Promise<ImageSet> {
  const { image, registry, registryMirrors } = options;
  if (image?.includes("@") === true) {
    throw new TsdeployError("usage", {
      code: "IMAGE_BY_DIGEST",
      message: `${image} is named by its digest, which an archive of images does not keep`,
      hint: "Give it a tag (`docker tag`), and name that by --image.",
    });
  }
  const version = options.k8sVersion ?? (await versionOf(engine, image));
  const choice = await chooseImage(engine, { requested: { image, registry, registryMirrors }, version, architecture });
  const hyperkube = await ensureImage(engine, choice, { ...options, version, architecture, context });
  const holds = servesAsPause(hyperkube) ? hyperkube.labels[imageLabels.version] : undefined;
  if (holds !== undefined && holds !== version) {
    throw new TsdeployError("environment", {
      code: "IMAGE_VERSION",
      message: `${choice.reference} holds Kubernetes ${holds}, not ${version}`,
      hint: `Name another image by --image, or say --k8s-version ${holds}.`,
    });
  }
  const { images } = featuresOf(version);
  const beside = [
    ...(servesAsPause(hyperkube) ? [] : [images.pause]),
    // Of an image that says nothing only a run of it could tell.
    ...([imageLabels.etcd, imageLabels.pause].some((label) => label in hyperkube.labels) ? [] : [images.etcd]),
  ];
  const isForeign = (await engine.version()).architecture !== architecture;
  if (hyperkube.architecture !== architecture || (isForeign && beside.length > 0)) {
    throw new TsdeployError("environment", {
      code: "IMAGE_ARCHITECTURE",
      message:
        hyperkube.architecture === architecture
          ? `${choice.reference} does not hold pause and etcd, which cannot be had for ${architecture} on this machine`
          : `${choice.reference} is for ${hyperkube.architecture}, not for ${architecture}`,
      hint: `Build one that is: \`tsdeploy image build --k8s-version ${version} --arch ${architecture}\`.`,
    });
  }
  const set: NamedImage[] = [{ reference: choice.reference, image: hyperkube }];
  for (const name of beside) {
    const reference = mirrored(`${registry ?? defaultRegistry}/${name.replace("{arch}", architecture)}`, registryMirrors);
    set.push({ reference, image: await pullImage(engine, reference, { ...options, context }) });
  }
  return { version, images: set };
}

/** What the image says; without one the default. */
async function versionOf(engine: ContainerEngine, image: string | undefined): Promise<string> {
  if (image === undefined) return defaultVersion;
  const version = imageVersion(image, await engine.inspectImage(image));
  if (version !== undefined) return resolveVersion(version);
  throw new TsdeployError("usage", {
    code: "IMAGE_VERSION_UNKNOWN",
    message: `neither a label nor the tag of ${image} says which version of Kubernetes is in it`,
    hint: "Say it by --k8s-version.",
  });
}
