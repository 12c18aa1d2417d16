import { withEngine } from "../deploy/withEngine.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { counted, transferFailure } from "../docker/copyImages.js";
import { checkedArchive, openArchive, type OpenArchive } from "../image/archiveFile.js";
import { type ImageRow, imageRow } from "../image/imageRow.js";
import { TsdeployError } from "../model/errors.js";
import type { ImageLoadOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { inPhase } from "../report/inPhase.js";
import { megabytes } from "../report/progressBar.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy image load FILE`: the images of an archive into Docker. */
export async function imageLoad(options: ImageLoadOptions, context: RunContext): Promise<CommandResult> {
  const archive = await open(options.file);
  try {
    return await withEngine(options, context, async (engine) => {
      const images = await inPhase("load", context.report, () => load(engine, archive, options.file, context));
      const { architecture } = await engine.version();
      for (const image of images.filter((one) => one.architecture !== architecture)) {
        const message = `${image.reference} is for ${image.architecture}: it cannot run on ${engine.endpoint}`;
        context.report({ kind: "warning", message });
      }
      const lines = images.map(({ reference, version, architecture: built, sizeBytes }) => {
        const what = version === undefined ? "" : `Kubernetes ${version}, `;
        return `${engine.endpoint} has ${reference} now (${what}${built}, ${megabytes(sizeBytes)})`;
      });
      return { data: { images }, text: lines.join("\n") };
    });
  } finally {
    archive.stream.destroy();
  }
}

async function open(file: string): Promise<OpenArchive> {
  if (file !== "-") return openArchive(file);
  if (process.stdin.isTTY) {
    throw new TsdeployError("usage", {
      code: "ARCHIVE_FROM_TERMINAL",
      message: "standard input is a terminal, not an archive of images",
      hint: "Name a file, or send one to standard input.",
    });
  }
  return { stream: await checkedArchive(process.stdin, "standard input"), sizeBytes: undefined };
}

async function load(
  engine: ContainerEngine,
  { stream, sizeBytes }: OpenArchive,
  file: string,
  { report, signal }: RunContext,
): Promise<ImageRow[]> {
  const archive = counted(stream, (bytesDone) => {
    const total = sizeBytes === undefined ? {} : { bytesTotal: sizeBytes };
    report({ kind: "transfer-progress", what: file === "-" ? "standard input" : file, bytesDone, ...total });
  });
  const loaded = await engine.loadImages(archive, signal).catch((error: unknown) => {
    throw transferFailure(error, "load", engine);
  });
  const rows = await Promise.all(
    loaded.map(async (reference) => {
      const image = await engine.inspectImage(reference);
      return image ? [imageRow(reference, image)] : [];
    }),
  );
  if (rows.flat().length > 0) return rows.flat();
  throw new TsdeployError("usage", {
    code: "IMAGE_ARCHIVE_INVALID",
    message: `${file === "-" ? "standard input" : file} is no archive of images: Docker found none in it`,
    hint: "`tsdeploy image save` and `docker save` write such archives.",
  });
}
