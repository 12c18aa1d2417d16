import type { ContainerEngine } from "../docker/containerEngine.js";
import { withContainersNow } from "../host/containersNow.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { type Helper, openHelper, prepareLook } from "../host/helperSession.js";
import { kubeletToLookThrough } from "../host/lookThrough.js";
import type { ImageChoice } from "../image/chooseImage.js";
import { ensureImage } from "../image/ensureImage.js";
import { defined } from "../model/defined.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import type { NodeOptions } from "../model/options.js";
import { isOurs } from "../model/ownership.js";
import type { Present } from "../plan/diff.js";
import type { Wanted } from "../preflight/check.js";
import { preflightError, runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { lockOf } from "./lockOf.js";

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
  readonly options: Pick<NodeOptions, "pullTimeoutMs" | "registryMirrors" | "mirror" | "dryRun" | "wait">;
  readonly context: RunContext;
  /** Called when Docker has been asked for the helper, for what can be done meanwhile. */
  readonly onOpening?: () => void;
  /** Called before the facts are read, for what can be done meanwhile. */
  readonly onOpen?: (helper: Helper) => void;
}

/**
 * The image (pulled or built if need be), the helper, and all facts; the image's own checks come before anything of it
 * runs. Unless for a dry run, the helper holds the host's lock, and all facts are read after that: another run may have
 * changed the host while this one waited, pulled or built.
 */
export async function openSession(input: OpenSessionInput): Promise<HostSession> {
  const { engine, version, wanted, options, context } = input;
  const { architecture } = input.engineFacts.version;
  const { dockerRootDir } = input.engineFacts.info;
  const image = await ensureImage(engine, input.image, { ...options, version, architecture, context });
  checkTier(runPreflight("image", { engine: input.engineFacts, image }, wanted), context);

  const look = await prepareLook({ dockerRootDir, imageLabels: image.labels });
  const { clusterName, role } = wanted;
  const opening = openHelper(engine, input.image.reference, {
    ...defined({ clusterName }),
    lock: lockOf(role, options, context),
    look,
    ...(options.dryRun && { through: kubeletToLookThrough(input.engineFacts.containers, image.id) }),
    // A run that changes the host may have to undo mounts.
    ...(!options.dryRun && { propagation: "rshared" as const }),
    report: context.report,
  });
  input.onOpening?.();
  const helper = await opening;
  try {
    input.onOpen?.(helper);
    // A dry run has waited for nobody, pulled nothing and built nothing.
    const facts = options.dryRun ? input.engineFacts : factsAnew(input);
    return { engine, helper, observed: await observeHost({ ...input, helper, image, facts }) };
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/** Docker's facts once more. @throws TsdeployError if what was well does not do any more */
async function factsAnew({ engine, wanted, context }: OpenSessionInput): Promise<EngineFacts> {
  const facts = await collectEngineFacts(engine);
  // Warnings have been reported.
  checkTier({ ...runPreflight("engine", facts, wanted), warnings: [] }, context);
  return facts;
}

/** Both tiers of facts, and the files of an earlier run. @param facts Docker's, if they are to be others than before */
export async function observeHost({
  engine,
  engineFacts: before,
  helper,
  image,
  context,
  facts = before,
}: Pick<OpenSessionInput, "engine" | "engineFacts" | "context"> & {
  readonly helper: Helper;
  readonly image: ImageDetails;
  readonly facts?: EngineFacts | Promise<EngineFacts>;
}): Promise<ObservedHost> {
  const { dockerRootDir } = before.info;
  const [engineFacts, { host, files }] = await Promise.all([
    facts,
    helper.look({ dockerRootDir, imageLabels: image.labels, signal: context.signal }),
  ]);
  // One that was listed before the host was looked at may have been removed since.
  const containers = [...before.containers, ...engineFacts.containers];
  const now = withContainersNow({ ...engineFacts, containers }, host, await engine.listContainers());
  return { ...now, image, files };
}

/** Reports warnings; throws all errors at once. */
export function checkTier(result: ReturnType<typeof runPreflight>, context: RunContext): void {
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
