import type { ContainerEngine } from "../docker/containerEngine.js";
import { openHelper } from "../host/helperSession.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import type { Wanted } from "../preflight/check.js";
import { type PreflightResult, runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { checkTier, observeHost } from "./hostSession.js";

export interface DockerCheck {
  readonly engine: ContainerEngine;
  readonly engineFacts: EngineFacts;
  readonly wanted: Wanted;
  readonly context: RunContext;
  /** The image that the host would run from, if it is here. */
  readonly image: () => Promise<string | undefined>;
  /** What this run wants when the files of an earlier one are known. Default: `wanted`. */
  readonly wantedOn?: (observed: ObservedHost) => Wanted;
}

/**
 * What Docker's API alone shows, before an image is fetched. Where that stands against the run and an image is here
 * already, the host is looked at as well: a person hears of everything at once. The helper for it changes nothing.
 *
 * @returns what was found, of which warnings have been reported
 * @throws TsdeployError with all errors at once
 */
export async function checkDocker(input: DockerCheck): Promise<PreflightResult> {
  const { engineFacts, wanted, context } = input;
  const found = runPreflight("engine", engineFacts, wanted);
  const further = found.errors.length > 0 ? await furtherFindings(input, found) : noFindings;
  checkTier(
    { errors: [...found.errors, ...further.errors], warnings: [...found.warnings, ...further.warnings] },
    context,
  );
  return found;
}

const noFindings: PreflightResult = { errors: [], warnings: [] };

async function furtherFindings(input: DockerCheck, { errors }: PreflightResult): Promise<PreflightResult> {
  const { engine, engineFacts, wanted, context, wantedOn = () => wanted } = input;
  // Of a host that is somebody else's all further findings would be about them.
  if (errors.some(({ kind, hidesHost }) => kind === "conflict" || hidesHost === true)) return noFindings;
  try {
    const reference = await input.image();
    const image = reference === undefined ? undefined : await engine.inspectImage(reference);
    if (reference === undefined || image === undefined) return noFindings;
    const ofImage = runPreflight("image", { engine: engineFacts, image }, wanted);
    // Nothing of it can run.
    if (ofImage.errors.length > 0) return ofImage;
    const helper = await openHelper(engine, reference, { report: context.report });
    try {
      const observed = await observeHost({ engine, engineFacts, helper, image, context });
      return runPreflight("host", observed, wantedOn(observed));
    } finally {
      await helper.close();
    }
  } catch (error) {
    if (context.signal.aborted) throw error;
    // What stands against the run may keep the helper from running, too.
    return noFindings;
  }
}
