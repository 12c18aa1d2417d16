import { coerce } from "semver";
import { isOlder } from "../docker/negotiateApiVersion.js";
import type { EngineVersion } from "../model/dockerObjects.js";
import { criDockerdApis } from "./releaseTable.js";
import { valueFor, type VersionFeatures } from "./versions.js";

type Features = Pick<VersionFeatures, "dockerApi" | "flag">;

/** The version of Docker's API that this kubelet has to be made to speak with this daemon; undefined: none. */
export function forcedDockerApi({ dockerApi }: Features, { minApiVersion }: EngineVersion): string | undefined {
  const { chosenBy, version } = dockerApi ?? {};
  if (version === undefined) return undefined;
  if (isOlder(version, minApiVersion)) return minApiVersion;
  return chosenBy === "environment" ? version : undefined;
}

/** The version that a kubelet of ours then speaks; undefined for one that does not speak to Docker. */
export function spokenDockerApi(features: Features, engine: EngineVersion): string | undefined {
  const { dockerApi } = features;
  if (dockerApi === undefined) return undefined;
  const { version = engine.apiVersion } = dockerApi;
  return forcedDockerApi(features, engine) ?? (isOlder(engine.apiVersion, version) ? engine.apiVersion : version);
}

/** Whether this kubelet would speak an API with this daemon that it does not understand. */
export function isDockerTooNew(features: Features, engine: EngineVersion): boolean {
  return isBeyond(features, engine) && !needsOldRuntime(features, engine);
}

/** v1.6 still has what was before dockershim, and that looks at no image's size. */
export function needsOldRuntime(features: Features, engine: EngineVersion): boolean {
  return isBeyond(features, engine) && features.flag("kubelet", "enable-cri")?.kind === "present";
}

/** Why this cri-dockerd and this daemon have no version of the API in common; undefined if they have one. */
export function criDockerdMisfit(
  criDockerd: string,
  { apiVersion, minApiVersion }: EngineVersion,
): { readonly docker: "too old" | "too new"; readonly bound: string } | undefined {
  // Packages may say more: `0.3.15~3-0`.
  const { oldest, newest } = valueFor(coerce(criDockerd)?.version ?? criDockerd, criDockerdApis);
  if (isOlder(apiVersion, oldest)) return { docker: "too old", bound: oldest };
  if (newest !== undefined && isOlder(newest, minApiVersion)) return { docker: "too new", bound: newest };
  return undefined;
}

function isBeyond(features: Features, engine: EngineVersion): boolean {
  const newest = features.dockerApi?.newest;
  return newest !== undefined && isOlder(newest, spokenDockerApi(features, engine) ?? newest);
}
