import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { extract, pack, type Pack } from "tar-stream";
import { messageOf, TsdeployError } from "../model/errors.js";
import * as z from "../model/zod.js";
import { addToConfig, type BaseConfig, type ImageAddition, parseBaseConfig } from "./imageConfig.js";
import { asReadable, type Layer, writeEntry } from "./layer.js";

export interface LayerRequest extends Omit<ImageAddition, "layer"> {
  readonly layer: Layer;
  /** Name of the image that comes out. */
  readonly reference: string;
  /** Which of several images in the archive is meant. */
  readonly architecture: string;
}

export interface ArchiveWithLayer {
  /** For `docker load`. */
  readonly archive: Readable;
  /** The layer's `sha256:…`, when the archive has been written. Its failure is the archive's, too. */
  readonly layer: Promise<string>;
}

const manifestSchema = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) })).min(1);

/**
 * Files at the top that list what is in the archive. Of image-spec's layout (`index.json`), which Docker writes from
 * version 25 on, nothing is needed: every Docker reads `manifest.json`.
 */
const indexes: ReadonlySet<string> = new Set(["manifest.json", "repositories", "index.json", "oci-layout"]);

/** An image's configuration is a small file among the others, and only the manifest, which may be last, names it. */
const longestConfig = 4 << 20;
const mostKeptBytes = 64 << 20;

/**
 * Adds a layer to the image of an archive that `docker save` wrote, in either of its layouts, as it streams by.
 *
 * The archive fails with TsdeployError `failed`, `BASE_UNREADABLE`, if there is no such image in it.
 */
export function addLayer(saved: Readable, request: LayerRequest): ArchiveWithLayer {
  const out = pack();
  const archive = asReadable(out);
  const layer = rewrite(saved, request, out);
  layer.catch((error: unknown) => {
    archive.destroy(error as Error);
  });
  archive.on("close", () => saved.destroy());
  return { archive, layer };
}

async function rewrite(saved: Readable, request: LayerRequest, out: Pack): Promise<string> {
  const entries = extract();
  const small = new Map<string, Buffer>();
  const passOn = async (): Promise<void> => {
    let kept = 0;
    for await (const entry of entries) {
      const { header } = entry;
      const name = posix.normalize(header.name);
      const isSmall = header.type === "file" && header.size <= longestConfig;
      if (isSmall && kept < mostKeptBytes) {
        const content = await buffer(entry);
        if (indexes.has(name) || mayBeConfig(content)) {
          kept += content.length;
          small.set(name, content);
        }
        if (!indexes.has(name)) await writeEntry(out, header, [content]);
      } else {
        await writeEntry(out, header, entry as unknown as AsyncIterable<Buffer>);
      }
    }
  };
  // Both at once: who waits for an entry of an archive that is broken already may wait for ever.
  await Promise.all([pipeline(saved, entries as unknown as NodeJS.WritableStream), passOn()]);

  const image = findImage(small, request.architecture);
  const layerName = "tsdeploy/layer.tar";
  const layer = await writeLayer(out, layerName, request.layer);
  const config = Buffer.from(JSON.stringify(addToConfig(image.config, { ...request, layer })));
  const configName = `${createHash("sha256").update(config).digest("hex")}.json`;
  await writeEntry(out, header(configName, config.length), [config]);
  const manifest = [{ Config: configName, RepoTags: [request.reference], Layers: [...image.layers, layerName] }];
  const manifestText = Buffer.from(JSON.stringify(manifest));
  await writeEntry(out, header("manifest.json", manifestText.length), [manifestText]);
  out.finalize();
  return layer;
}

function mayBeConfig(content: Buffer): boolean {
  return content[0] === "{".charCodeAt(0);
}

function findImage(
  files: ReadonlyMap<string, Buffer>,
  architecture: string,
): { readonly config: BaseConfig; readonly layers: readonly string[] } {
  try {
    const manifest = manifestSchema.parse(JSON.parse(String(files.get("manifest.json"))));
    const images = manifest.map(({ Config, Layers }) => ({
      config: parseBaseConfig(String(files.get(posix.normalize(Config)))),
      layers: Layers,
    }));
    const image = images.find(({ config }) => config.architecture === architecture);
    if (!image) throw new Error(`it has ${images.map(({ config }) => config.architecture).join(", ")}`);
    return image;
  } catch (error) {
    const problem = {
      code: "BASE_UNREADABLE",
      message: `Docker's archive of the base holds no image for ${architecture} that can be read: ${messageOf(error)}`,
      hint: "Try the same with `docker save`; pull the base anew, or name another one by --base.",
    };
    throw new TsdeployError("failed", problem, { cause: error });
  }
}

async function writeLayer(out: Pack, name: string, layer: Layer): Promise<string> {
  const hash = createHash("sha256");
  const content = layer.read();
  const hashed = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
  };
  await writeEntry(out, header(name, layer.size), hashed());
  return `sha256:${hash.digest("hex")}`;
}

function header(name: string, size: number) {
  return { name, size, mode: 0o644, mtime: new Date(0) };
}
