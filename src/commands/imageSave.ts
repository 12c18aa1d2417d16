import { furtherImages, refuseDigests } from "../addons/furtherImages.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { counted, transferFailure } from "../docker/copyImages.js";
import { checkWritable, sendArchive, writeArchive } from "../image/archiveFile.js";
import { type NamedImage, withImageSet } from "../image/ensureImageSet.js";
import { TsdeployError } from "../model/errors.js";
import type { ImageSaveOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { inPhase } from "../report/inPhase.js";
import { megabytes } from "../report/progressBar.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy image save FILE`: all that a cluster of a version needs, as one file. */
export async function imageSave(options: ImageSaveOptions, context: RunContext): Promise<CommandResult> {
  const { file, arch } = options;
  const isFile = file !== "-";
  refuseDigests(options);
  if (isFile) await checkWritable(file, (question) => context.confirm(question));
  else if (process.stdout.isTTY) throw terminal();
  return withEngine(options, context, async (engine) => {
    const architecture = arch ?? (await engine.version()).architecture;
    const wanted = { ...options, architecture, further: furtherImages(options) };
    return withImageSet(engine, wanted, context, async ({ version, images: set }) => {
      const sizeBytes = await inPhase("save", context.report, () => save(engine, set, file, context));
      const references = set.map(({ reference }) => reference);
      const text = `${isFile ? file : "The archive"} (${megabytes(sizeBytes)}) has ${references.join(", ")}`;
      if (!isFile) context.report({ kind: "notice", message: text });
      return { data: { file, sizeBytes, version, architecture, images: references }, text: isFile ? text : "" };
    });
  });
}

/** @returns bytes written */
async function save(
  engine: ContainerEngine,
  set: readonly NamedImage[],
  file: string,
  { report, signal }: RunContext,
): Promise<number> {
  const bytesTotal = set.reduce((sum, { image }) => sum + image.sizeBytes, 0);
  let written = 0;
  try {
    const source = await engine.saveImages(set.map(({ reference }) => reference), signal);
    const archive = counted(source, (bytesDone) => {
      written = bytesDone;
      report({ kind: "transfer-progress", what: "images", bytesDone, bytesTotal });
    });
    if (file === "-") await sendArchive(archive, process.stdout, signal);
    else await writeArchive(file, archive, signal);
  } catch (error) {
    throw transferFailure(error, "save", engine);
  }
  return written;
}

function terminal(): TsdeployError {
  return new TsdeployError("usage", {
    code: "ARCHIVE_TO_TERMINAL",
    message: "an archive of images is nothing for a terminal",
    hint: "Name a file, or send standard output into one or into another program.",
  });
}
