import { furtherImages } from "../addons/furtherImages.js";
import { withEngine } from "../deploy/withEngine.js";
import { imageRow, isHyperkube } from "../image/imageRow.js";
import { type Needed, type NeededFile, type NeededImage, neededFor } from "../image/neededFor.js";
import type { ImageListOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { megabytes } from "../report/progressBar.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/**
 * `tsdeploy image list`: the images here that a node can run from, a line for each of their names; with `--needed` what
 * a cluster of these options takes from elsewhere.
 */
export async function imageList(options: ImageListOptions, context: RunContext): Promise<CommandResult> {
  return withEngine(options, context, async (engine) => {
    if (options.needed === true) {
      const needed = await neededFor(engine, options, furtherImages(options));
      return { data: needed, text: describe(needed) };
    }
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

function describe({ version, architecture, images, files, packages }: Needed): string {
  const lines = [
    `Kubernetes ${version} for ${architecture} needs these images:`,
    "",
    textTable(images.map((image) => [`  ${image.reference}`, image.what, where(image)])),
  ];
  if (files.length > 0) {
    lines.push(
      "",
      "An image of Kubernetes is built of that base and of these files, each with where its checksum comes from:",
      "",
      ...files.flatMap((file) => [`  ${file.url}`, `    ${checksumOf(file)}`]),
      "",
      `and of these packages of Debian: ${packages.join(", ")}`,
    );
  }
  return lines.join("\n");
}

function where({ here, unlessIn }: NeededImage): string {
  if (here) return "here";
  return unlessIn === undefined ? "not here" : `not here, and not needed if ${unlessIn} holds it`;
}

function checksumOf({ checksum }: NeededFile): string {
  if ("value" in checksum) return `${checksum.algorithm} ${checksum.value}`;
  return checksum.map(({ algorithm, url }) => `${algorithm} of ${url}`).join(", else ");
}
