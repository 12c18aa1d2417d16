import { withEngine } from "../deploy/withEngine.js";
import { imageRow, isHyperkube } from "../image/imageRow.js";
import type { ImageListOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { megabytes } from "../report/progressBar.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** `tsdeploy image list`: the images here that a node can run from, a line for each of their names. */
export async function imageList(options: ImageListOptions, context: RunContext): Promise<CommandResult> {
  return withEngine(options, context, async (engine) => {
    const images = (await engine.listImages([]))
      .filter(isHyperkube)
      .flatMap((image) => image.tags.map((tag) => imageRow(tag, image)))
      .sort((one, other) => one.reference.localeCompare(other.reference, "en", { numeric: true }));
    const rows = images.map(({ reference, version, architecture, sizeBytes, contents, created }) => [
      reference,
      version ?? "?",
      architecture,
      megabytes(sizeBytes),
      contents.join(", ") || "-",
      created?.slice(0, 10) ?? "-",
    ]);
    const head = ["IMAGE", "KUBERNETES", "FOR", "SIZE", "ALSO HOLDS", "CREATED"];
    return {
      data: { images },
      text: rows.length === 0 ? `No image that a node can run from is on ${engine.endpoint}` : textTable([head, ...rows]),
    };
  });
}
