import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { Problem } from "../model/errors.js";

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
