import { furtherImages, refuseDigests } from "../addons/furtherImages.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { copyImages, isSameImage } from "../docker/copyImages.js";
import { type NamedImage, withImageSet } from "../image/ensureImageSet.js";
import { TsdeployError } from "../model/errors.js";
import type { ImageCopyOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { inPhase } from "../report/inPhase.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy image copy --to HOST`: all that a cluster of a version needs, from one Docker into another. */
export async function imageCopy(options: ImageCopyOptions, context: RunContext): Promise<CommandResult> {
  refuseDigests(options);
  return withEngine(options, context, (from) =>
    withEngine({ dockerHost: options.to }, context, async (to) => {
      await refuseItself(from, to);
      const { architecture } = await to.version();
      const wanted = { ...options, architecture, further: furtherImages(options) };
      return withImageSet(from, wanted, context, async ({ images: set }) => {
        const there = await Promise.all(set.map((image) => isThere(to, image)));
        const missing = set.filter((_, index) => there[index] !== true);
        if (missing.length > 0) {
          await inPhase("copy", context.report, () => copy(missing, from, to, context));
        }
        const images = set.map(({ reference }) => ({
          reference,
          copied: missing.some((one) => one.reference === reference),
        }));
        const told = images.map(({ reference, copied }) => `${to.endpoint} has ${reference}${copied ? " now" : " already"}`);
        return { data: { from: from.endpoint, to: to.endpoint, architecture, images }, text: told.join("\n") };
      });
    }),
  );
}

async function copy(
  images: readonly NamedImage[],
  from: ContainerEngine,
  to: ContainerEngine,
  { report, signal }: RunContext,
): Promise<void> {
  const bytesTotal = images.reduce((sum, { image }) => sum + image.sizeBytes, 0);
  const references = images.map(({ reference }) => reference);
  await copyImages(references, from, to, {
    signal,
    onBytes: (bytesDone) => {
      report({ kind: "transfer-progress", what: "images", bytesDone, bytesTotal });
    },
  });
  const there = await Promise.all(images.map((image) => isThere(to, image)));
  const lost = references.filter((_, index) => there[index] !== true);
  if (lost.length === 0) return;
  throw new TsdeployError("failed", {
    code: "IMAGE_LOAD_FAILED",
    message: `${to.endpoint} took the images but does not show ${lost.join(", ")}`,
    hint: "Look at the log of that dockerd.",
  });
}

async function isThere(engine: ContainerEngine, { reference, image }: NamedImage): Promise<boolean> {
  const there = await engine.inspectImage(reference);
  return there !== undefined && isSameImage(there, image);
}

async function refuseItself(from: ContainerEngine, to: ContainerEngine): Promise<void> {
  const [one, other] = await Promise.all([from.info(), to.info()]);
  // Machines cloned from one disk may have one id.
  if (one.id === "" || one.id !== other.id || one.hostname !== other.hostname) return;
  throw new TsdeployError("usage", {
    code: "SAME_DOCKER",
    message: `${from.endpoint} and ${to.endpoint} are the same Docker`,
    hint: "Name another one by --to, or the one to copy from by --host.",
  });
}
