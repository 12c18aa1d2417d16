import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { Problem } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { imageLabels } from "../model/imageLabels.js";

/** Whether this CoreDNS can serve this Kubernetes; one that does not say its version is taken on trust. */
export function fitsCoredns(version: string | undefined, { corednsRange }: VersionFeatures): boolean {
  const release = semver.coerce(version);
  return release === null || semver.satisfies(release, corednsRange);
}

/** What stands against a CoreDNS for this version of Kubernetes. */
export function corednsProblem(version: string, where: string, features: VersionFeatures): Problem | undefined {
  if (fitsCoredns(version, features)) return undefined;
  return {
    code: "COREDNS_VERSION",
    message: `${where} is CoreDNS ${version}, which asks for EndpointSlices that Kubernetes ${features.version} has not`,
    hint: `Use ${features.components.coredns}.`,
  };
}


/** A CoreDNS of the hyperkube image. */
export interface OwnCoredns {
  /** Such as `1.14.2`. */
  readonly version: string;
  /** Path of the program. */
  readonly program: string;
}

/**
 * The hyperkube image's CoreDNS, if it has one and that works with this Kubernetes. Of an image that does not say which
 * it has, the one that this Kubernetes would get is taken for granted.
 */
export function ownCoredns(
  features: VersionFeatures,
  { host, image }: Pick<ObservedHost, "host" | "image">,
): OwnCoredns | undefined {
  const said = host.imageCorednsVersion ?? image.labels[imageLabels.coredns];
  const program = host.imagePrograms["coredns"];
  const version = semver.coerce(said ?? tagOf(features.images.coredns))?.version;
  if (program === undefined || version === undefined) return undefined;
  return fitsCoredns(said, features) ? { version, program } : undefined;
}

/** `coredns/coredns:v1.8.0` -> `1.8.0` */
export function tagOf(reference: string): string {
  return reference.replace(/^.*:v?/, "");
}
