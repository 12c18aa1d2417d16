import type { CommandContext } from "../commands/context.js";
import type { NodeOptions } from "../config/options.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { TsdeployError } from "../errors.js";
import { type Helper, openHelper } from "../facts/helperSession.js";
import type { EngineFacts, ObservedHost } from "../facts/hostFacts.js";
import { imageLabels } from "../plan/images.js";
import type { Present } from "../plan/diff.js";
import { isOurs } from "../plan/ownership.js";
import type { Wanted } from "../preflight/check.js";
import { preflightError, runPreflight } from "../preflight/runPreflight.js";
import type { ImageChoice } from "./chooseImage.js";
import { ensureImage } from "./openHost.js";

/** A host as a command works on it. */
export interface HostSession {
  readonly engine: ContainerEngine;
  readonly helper: Helper;
  readonly observed: ObservedHost;
}

export interface OpenSessionInput {
  readonly engine: ContainerEngine;
  readonly engineFacts: EngineFacts;
  /** The image that the helper, and then everything else, runs from. */
  readonly image: ImageChoice;
  /** Of Kubernetes: what the image is built of if it has to be. */
  readonly version: string;
  readonly wanted: Wanted;
  readonly options: Pick<NodeOptions, "pullTimeoutMs" | "registryMirrors" | "mirror">;
  readonly context: CommandContext;
}

/**
 * The image (pulled or built if need be), the helper, and all facts; the image's own checks come before anything of it
 * runs.
 */
export async function openSession(input: OpenSessionInput): Promise<HostSession> {
  const { engine, engineFacts, version, wanted, options, context } = input;
  const { architecture } = engineFacts.version;
  const image = await ensureImage(engine, input.image, { ...options, version, architecture, context });
  checkTier(runPreflight("image", { engine: engineFacts, image }, wanted), context);

  const { clusterName } = wanted;
  const helper = await openHelper(engine, input.image.reference, clusterName ? { clusterName } : {});
  try {
    const imageCniDir = image.labels[imageLabels.cni];
    const [host, files] = await Promise.all([
      helper.collectFacts({
        dockerRootDir: engineFacts.info.dockerRootDir,
        ...(imageCniDir === undefined ? {} : { imageCniDir }),
        signal: context.signal,
      }),
      helper.readFiles(),
    ]);
    return { engine, helper, observed: { engine: engineFacts, host, image, files } };
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/** Tells warnings; throws all errors at once. */
export function checkTier(result: ReturnType<typeof runPreflight>, context: CommandContext): void {
  for (const message of result.warnings) context.report({ kind: "warning", message });
  const error: TsdeployError | undefined = preflightError(result.errors);
  if (error) throw error;
}

/** What a plan is compared with. */
export async function presentOn({ engine, observed }: HostSession): Promise<Present> {
  const ours = observed.engine.containers.filter(isOurs);
  const details = await Promise.all(ours.map(({ id }) => engine.inspectContainer(id)));
  return { containers: details.filter((container) => container !== undefined), files: observed.files };
}
