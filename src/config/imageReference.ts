import { parseImageReference } from "../docker/imageReference.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { Architecture, RegistryMirrors } from "../model/options.js";

/** Where our own images are named, when nobody says otherwise. */
const localRepository = "tsdeploy";

const architectures: readonly Architecture[] = ["amd64", "arm64"];

/** The image that a node runs from: as given; else `hyperkube` of the registry; else the one that is built locally. */
export function imageReference(options: {
  readonly image?: string | undefined;
  readonly registry?: string | undefined;
  /** Such as `v1.20.2`. */
  readonly version: string;
}): string {
  return options.image ?? `${options.registry ?? localRepository}/hyperkube:${options.version}`;
}

/** What an image is called that is built for machines of another architecture than the Docker that builds it. */
export function foreignImage(version: string, architecture: string): string {
  return `${localRepository}/hyperkube-${architecture}:${version}`;
}

/** The official image of a version, by its architecture; undefined where none was published. */
export function publishedImage(version: string, architecture: string): string | undefined {
  const { published } = featuresOf(version);
  return published?.reference.replace("{arch}", architecture).replace("{version}", version);
}

/** Whether tsdeploy itself chooses this name for images of that version: nobody had to say it. */
export function isAutomaticImage(reference: string, version: string): boolean {
  const names = architectures.flatMap((arch) => [foreignImage(version, arch), publishedImage(version, arch)]);
  return [imageReference({ version }), ...names].includes(reference);
}

/** Where an image is pulled from: from the mirror of its registry, that of the longest path, if there is one. */
export function mirrored(reference: string, mirrors: RegistryMirrors): string {
  const { registry, repository, tag, digest } = parseImageReference(reference);
  const name = `${registry}/${repository}`;
  const [from, to] = Object.entries(mirrors)
    .filter(([prefix]) => name === prefix || name.startsWith(`${prefix}/`))
    .reduce((best, next) => (next[0].length > best[0].length ? next : best), ["", ""]);
  if (from === "") return reference;
  const suffix = `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  return `${to}${name.slice(from.length)}${suffix}`;
}

/**
 * The registries that a person has named to pull from, as images name them: `lab:5000`. Those of an image's usual home
 * are not among them.
 */
export function namedRegistries(options: {
  readonly image?: string | undefined;
  readonly registry?: string | undefined;
  readonly registryMirrors: RegistryMirrors;
}): string[] {
  const { image, registry, registryMirrors } = options;
  const named = [
    ...(image === undefined ? [] : [mirrored(image, registryMirrors)]),
    // With a name of an image, because this is what an image's name begins with.
    ...[...(registry === undefined ? [] : [registry]), ...Object.values(registryMirrors)].map((to) => `${to}/image`),
  ];
  return [...new Set(named.map((reference) => parseImageReference(reference).registry))];
}
