import type { ContainerEngine } from "../docker/containerEngine.js";
import { defaultVersion, featuresOf } from "../kubernetes/versions.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { imageLabels } from "../model/imageLabels.js";
import type { ImageSetOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { besides, type FurtherImages } from "./besides.js";
import { chooseImage } from "./chooseImage.js";
import { ensureImage, pullImage } from "./ensureImage.js";
import { servesAsPause, sideImageNames } from "./sideImages.js";
import { versionOfImage } from "./versionOfImage.js";

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
 * Images of another architecture have the same names as this machine's own, which get them back when `use` has ended.
 *
 * @throws TsdeployError as `ensureImage`, `resolveVersion` and `further` do; `usage` with `IMAGE_BY_DIGEST` or
 * `IMAGE_VERSION_UNKNOWN`, `environment` with `IMAGE_ARCHITECTURE` or `IMAGE_VERSION`
 */
export async function withImageSet<T>(
  engine: ContainerEngine,
  { architecture, further, ...options }: WantedSet,
  context: RunContext,
  use: (set: ImageSet) => Promise<T>,
): Promise<T> {
  const displaced: Displaced[] = [];
  try {
    return await use(await ensureImageSet(engine, { ...options, architecture, further }, context, displaced));
  } finally {
    for (const { reference, id } of displaced) {
      // Else a node of this machine would take the other's for its own.
      const back = id === undefined ? engine.removeImage(reference) : engine.tagImage(id, reference);
      await back.catch(() => undefined);
    }
  }
}

/** The images of a cluster of these options. */
export interface WantedSet extends ImageSetOptions {
  readonly architecture: string;
  readonly further: FurtherImages;
}

/** A name that an image of another architecture has for a while; `id`: what had it before. */
interface Displaced {
  readonly reference: string;
  readonly id: string | undefined;
}

async function ensureImageSet(
  engine: ContainerEngine,
  options: WantedSet,
  context: RunContext,
  displaced: Displaced[],
): Promise<ImageSet> {
  const { image, registry, registryMirrors, architecture, further } = options;
  if (image?.includes("@") === true) {
    throw new TsdeployError("usage", {
      code: "IMAGE_BY_DIGEST",
      message: `${image} is named by its digest, which an archive of images does not keep`,
      hint: "Give it a tag (`docker tag`), and name that by --image.",
    });
  }
  const version =
    options.k8sVersion ??
    (image === undefined ? defaultVersion : await versionOfImage(engine, image, { ...options, context }));
  const features = featuresOf(version);
  const place = { architecture, registry, registryMirrors };
  // What is wrong with it is said before anything is pulled.
  const others = further(features, place).map(({ reference }) => reference);
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
  if (hyperkube.architecture !== architecture) {
    const hint = `Build one that is: \`tsdeploy image build --k8s-version ${version} --arch ${architecture}\`.`;
    throw wrongArchitecture({ reference: choice.reference, image: hyperkube }, architecture, hint);
  }
  const set: NamedImage[] = [{ reference: choice.reference, image: hyperkube }];
  const names = sideImageNames(features, place);
  const sides = besides(hyperkube, features, options).map((part) => names[part]);
  for (const reference of new Set([...sides, ...others])) {
    set.push(await sideImage(engine, reference, architecture, { ...options, context }, displaced));
  }
  return { version, images: set };
}

/** An image beside; one for other machines takes the name of this machine's for a while. */
async function sideImage(
  engine: ContainerEngine,
  reference: string,
  architecture: string,
  options: { readonly pullTimeoutMs: number; readonly context: RunContext },
  displaced: Displaced[],
): Promise<NamedImage> {
  const here = await engine.inspectImage(reference);
  if (here?.architecture === architecture) return { reference, image: here };
  const isForeign = (await engine.version()).architecture !== architecture;
  if (isForeign) displaced.push({ reference, id: here?.id });
  const platform = isForeign || here ? { platform: `linux/${architecture}` } : {};
  const image = await pullImage(engine, reference, { ...options, ...platform });
  if (image.architecture === architecture) return { reference, image };
  const hint = `Build an image that holds all: \`tsdeploy image build --arch ${architecture} --complete\`.`;
  throw wrongArchitecture({ reference, image }, architecture, hint);
}

function wrongArchitecture({ reference, image }: NamedImage, wanted: string, hint: string): TsdeployError {
  const message = `${reference} is for ${image.architecture}, not for ${wanted}`;
  return new TsdeployError("environment", { code: "IMAGE_ARCHITECTURE", message, hint });
}
