import type { ImageChoice } from "../image/chooseImage.js";
import { chooseNodeImage, reportMissingImage } from "../image/chooseNodeImage.js";
import { helperImage } from "../image/helperImage.js";
import type { MasterOptions } from "../model/options.js";
import { versionChange } from "../preflight/dataChecks.js";
import { checkTier, type HostSession, openSession, type OpenSessionInput } from "./hostSession.js";
import { follow } from "./settleMaster.js";

/** A host, and the image that it is to run from. */
export interface OpenedMaster {
  readonly session: HostSession;
  readonly image: string;
}

/**
 * Opens the host with the image that it is to run from. What an earlier run accepted may say that it is another than
 * the default: until that is known, any image that is here will do.
 *
 * @returns undefined for a dry run if that image is not here
 */
export async function openMasterHost(
  input: Omit<OpenSessionInput, "image" | "options"> & { readonly options: MasterOptions },
): Promise<OpenedMaster | undefined> {
  const { engine, engineFacts, options } = input;
  const { image, registry, dryRun } = options;
  const choice = await chooseNodeImage(engine, engineFacts, { requested: options, version: input.version });
  const isRequested = image !== undefined || registry !== undefined;
  const other = choice.how === "present" || isRequested ? undefined : await helperImage(engine, engineFacts.containers);
  const first: ImageChoice = other === undefined ? choice : { how: "present", reference: other };
  if (dryRun && first.how !== "present") {
    reportMissingImage(first, input.context);
    return undefined;
  }

  const session = await openSession({ ...input, image: first });
  let settled: { readonly image: ImageChoice; readonly version: string } | undefined;
  try {
    const { options: followed, accepted, version } = follow(options, session.observed);
    // Before an image is fetched that would be of no use.
    const refusal = versionChange(accepted?.k8sVersion, version);
    checkTier({ errors: refusal ? [refusal] : [], warnings: [] }, input.context);
    settled = { image: await chooseNodeImage(engine, engineFacts, { requested: followed, version }), version };
  } finally {
    if (settled?.image.reference !== first.reference) await session.helper.close();
  }
  const { reference } = settled.image;
  if (reference === first.reference) return { session, image: reference };
  if (dryRun && settled.image.how !== "present") {
    reportMissingImage(settled.image, input.context);
    return undefined;
  }
  return { session: await openSession({ ...input, ...settled }), image: reference };
}
