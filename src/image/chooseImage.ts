import { foreignImage, imageReference, isAutomaticImage, mirrored, publishedImage } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import type { RegistryMirrors } from "../model/options.js";

/** The image that a node is to run from, and how it comes to the host. */
export interface ImageChoice {
  readonly how: "present" | "pull" | "build";
  readonly reference: string;
}

/** Its reference if it is on the host already. */
export function presentImage({ how, reference }: ImageChoice): string | undefined {
  return how === "present" ? reference : undefined;
}

export interface ImageWish {
  readonly requested: {
    readonly image?: string | undefined;
    readonly registry?: string | undefined;
    readonly registryMirrors: RegistryMirrors;
  };
  /** Of Kubernetes, such as `v1.36.2`. */
  readonly version: string;
  /** That of the machine that it is for: `amd64`, `arm64`. */
  readonly architecture: string;
  /** The cluster that the node is, or will be, a part of. */
  readonly cluster?: Pick<ClusterConfig, "version" | "image" | "registry"> | undefined;
}

/**
 * Chooses by host, so that the machines of a cluster may differ in architecture: the image that was requested for; the
 * cluster's, if a person chose it; one of that version that is here; that of the registry; the published one; else one
 * that has to be built.
 */
export async function chooseImage(engine: ContainerEngine, wish: ImageWish): Promise<ImageChoice> {
  const { requested, version, architecture, cluster } = wish;
  const wanted = requested.image ?? chosenImage(cluster, version);
  if (wanted !== undefined) return presentOrPulled(engine, wanted, requested.registryMirrors);

  const registry = requested.registry ?? cluster?.registry;
  const ofRegistry = registry === undefined ? undefined : imageReference({ registry, version });
  const here = await imageHere(engine, wish, ofRegistry);
  if (here !== undefined) return { how: "present", reference: here };

  const remote = ofRegistry ?? publishedImage(version, architecture);
  if (remote !== undefined) return presentOrPulled(engine, remote, requested.registryMirrors);
  const isForeign = (await engine.version()).architecture !== architecture;
  return { how: "build", reference: isForeign ? foreignImage(version, architecture) : imageReference({ version }) };
}

/** The cluster's image if it is of this version and not one that tsdeploy would choose anew on each host. */
function chosenImage(cluster: ImageWish["cluster"], version: string): string | undefined {
  if (cluster?.version !== version || isAutomaticImage(cluster.image, version)) return undefined;
  const ofRegistry = cluster.registry !== undefined && imageReference({ registry: cluster.registry, version });
  return cluster.image === ofRegistry ? undefined : cluster.image;
}

async function presentOrPulled(
  engine: ContainerEngine,
  reference: string,
  mirrors: RegistryMirrors,
): Promise<ImageChoice> {
  if (await engine.inspectImage(reference)) return { how: "present", reference };
  const source = mirrored(reference, mirrors);
  const isHere = source !== reference && (await engine.inspectImage(source)) !== undefined;
  return { how: isHere ? "present" : "pull", reference: source };
}

/** By name first, so that a run again finds the same; then by its labels, whatever it is called. */
async function imageHere(
  engine: ContainerEngine,
  { requested, version, architecture, cluster }: ImageWish,
  ofRegistry: string | undefined,
): Promise<string | undefined> {
  const published = publishedImage(version, architecture);
  const names = [
    cluster?.version === version ? cluster.image : undefined,
    ofRegistry,
    ofRegistry === undefined ? undefined : mirrored(ofRegistry, requested.registryMirrors),
    imageReference({ version }),
    foreignImage(version, architecture),
    published,
    published === undefined ? undefined : mirrored(published, requested.registryMirrors),
  ].filter((name) => name !== undefined);
  for (const name of new Set(names)) {
    if ((await engine.inspectImage(name))?.architecture === architecture) return name;
  }
  const labelled = await engine.listImages([imageLabels.pause, `${imageLabels.version}=${version}`]);
  return labelled
    .filter((image) => image.architecture === architecture)
    .sort(newestFirst)
    .flatMap(({ tags }) => tags)
    .at(0);
}

function newestFirst(one: ImageDetails, other: ImageDetails): number {
  return other.createdAt.localeCompare(one.createdAt) || one.id.localeCompare(other.id);
}
