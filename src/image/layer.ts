import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { type Header, pack, type Pack } from "tar-stream";

/** A program or script of the layer. Everything in it may be run by everybody, and changed by root. */
export interface LayerFile {
  /** Without the leading slash: `usr/local/bin/kubelet`. */
  readonly path: string;
  readonly source: { readonly file: string } | { readonly content: string };
}

/** A layer that can be read once. */
export interface Layer {
  /** Of its tar archive. */
  readonly size: number;
  read(): Readable;
}

const epoch = new Date(0);
const mode = 0o755;
const block = 512;

/** The same files give the same bytes, on any machine at any time: sorted, without times, all owned by root. */
export async function makeLayer(files: readonly LayerFile[]): Promise<Layer> {
  const sized = await Promise.all(files.map(async (file) => ({ ...file, size: await sizeOf(file) })));
  const folders = foldersOf(files).map((path) => ({ path, size: 0, source: undefined }));
  const entries = [...folders, ...sized].sort((one, other) => compare(one.path, other.path));
  const size = entries.reduce((sum, entry) => sum + block + Math.ceil(entry.size / block) * block, 2 * block);
  return {
    size,
    read: () => {
      const archive = pack();
      const write = async (): Promise<void> => {
        for (const { path, source, size: length } of entries) {
          const isFolder = source === undefined;
          const header = {
            name: isFolder ? `${path}/` : path,
            type: isFolder ? ("directory" as const) : ("file" as const),
            size: length,
            mode,
            uid: 0,
            gid: 0,
            mtime: epoch,
          };
          await writeEntry(archive, header, isFolder ? [] : read(source));
        }
        archive.finalize();
      };
      const stream = asReadable(archive);
      write().catch((error: unknown) => {
        stream.destroy(error as Error);
      });
      return stream;
    },
  };
}

/** One of Node's own: the end of either by an error is the other's. */
export function asReadable(archive: Pack): Readable {
  const stream = Readable.from(archive, { objectMode: false });
  archive.on("error", (error: Error) => {
    stream.destroy(error);
  });
  stream.on("error", (error) => {
    archive.destroy(error);
  });
  return stream;
}

/** Writes one entry, no faster than the archive is read. */
export async function writeEntry(
  archive: Pack,
  header: Partial<Header> & Pick<Header, "name">,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
): Promise<void> {
  const { promise: ended, callback } = settled();
  const entry = archive.entry(header, callback);
  // The callback gets it, too.
  entry.on("error", () => undefined);
  for await (const chunk of content) {
    if (!entry.write(chunk)) {
      const drained = new Promise<void>((resolve) => {
        entry.once("drain", () => {
          resolve();
        });
      });
      await Promise.race([drained, ended]);
    }
  }
  entry.end(undefined);
  await ended;
}

function settled(): { promise: Promise<void>; callback: (error?: Error | null) => void } {
  let callback: (error?: Error | null) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    callback = (error) => {
      if (error) reject(error);
      else resolve();
    };
  });
  // An entry that fails while it is still being written would be nobody's failure.
  promise.catch(() => undefined);
  return { promise, callback };
}

/** Folders are entries as well: without one Docker would make it for root alone, also where the base has it. */
function foldersOf(files: readonly LayerFile[]): string[] {
  const folders = files.flatMap(({ path }) => {
    const parts = path.split("/").slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  });
  return [...new Set(folders)];
}

async function sizeOf({ source }: LayerFile): Promise<number> {
  return "file" in source ? (await stat(source.file)).size : Buffer.byteLength(source.content);
}

function read(source: LayerFile["source"]): AsyncIterable<Buffer> | Iterable<Buffer> {
  return "file" in source ? createReadStream(source.file, { highWaterMark: 1 << 20 }) : [Buffer.from(source.content)];
}

/** Not by the locale: that is the machine's. */
function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
