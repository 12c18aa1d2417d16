import type { ContainerEngine } from "../docker/containerEngine.js";
import type { RegistryMirrors } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { saidVersion, versionOfImage } from "./versionOfImage.js";

/** The options of a node that say which version of Kubernetes it is to run. */
interface VersionOptions {
  readonly k8sVersion?: string;
  readonly image?: string;
  readonly registryMirrors: RegistryMirrors;
  readonly pullTimeoutMs: number;
  readonly dryRun: boolean;
  readonly given: ReadonlySet<string>;
}

/**
 * Whoever names an image says by it which version is meant: the options with that version, as if it had been given. A
 * dry run pulls nothing: what neither a label nor the tag says stays open.
 *
 * @throws TsdeployError as `versionOfImage`
 */
export async function versionByImage<Options extends VersionOptions>(
  engine: ContainerEngine,
  options: Options,
  context: RunContext,
): Promise<Options> {
  const { image, k8sVersion, given } = options;
  if (image === undefined || k8sVersion !== undefined || !given.has("image")) return options;
  const version = options.dryRun
    ? await saidVersion(engine, image, options.registryMirrors)
    : await versionOfImage(engine, image, { ...options, context });
  if (version === undefined) return options;
  return { ...options, k8sVersion: version, given: new Set([...given, "k8sVersion"]) };
}
