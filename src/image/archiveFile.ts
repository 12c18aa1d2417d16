import { randomBytes } from "node:crypto";
import { constants, createReadStream, createWriteStream } from "node:fs";
import { access, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { messageOf, TsdeployError } from "../model/errors.js";

/**
 * Looks whether an archive can be written there, before anything is done for it.
 *
 * @param confirm called before a file is overwritten
 * @throws TsdeployError `usage` with `FILE_UNWRITABLE`, `conflict` with `FILE_EXISTS`
 */
export async function checkWritable(path: string, confirm: (question: string) => Promise<boolean>): Promise<void> {
  const there = await stat(path).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw unwritable(path, messageOf(error));
  });
  const folder = dirname(path);
  await access(folder, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    const isMissing = codeOf(error) === "ENOENT";
    throw unwritable(path, isMissing ? `there is no folder ${folder}` : `no permission to write into ${folder}`);
  });
  if (!there) return;
  if (!there.isFile()) throw unwritable(path, there.isDirectory() ? "it is a folder" : "it is not a regular file");
  if (await confirm(`${path} is there already. Overwrite it?`)) return;
  throw new TsdeployError("conflict", {
    code: "FILE_EXISTS",
    message: `${path} is there already`,
    hint: "Name another file, or say --yes to overwrite this one.",
  });
}

/**
 * Writes a file that is there whole or not at all: beside its place, and renamed.
 *
 * @throws TsdeployError `environment` with `DISK_FULL`, `usage` with `FILE_UNWRITABLE`; what the archive ends with
 */
export async function writeArchive(path: string, archive: Readable, signal: AbortSignal): Promise<void> {
  // What a link points to is written, not the link.
  const target = await realpath(path).catch(() => path);
  const part = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString("hex")}.part`);
  try {
    await pipeline(archive, createWriteStream(part, { flags: "wx", mode: 0o666, flush: true }), { signal });
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw signal.aborted ? error : writeFailure(path, error);
  }
}

/**
 * Sends an archive to standard output, which stays open.
 *
 * @throws TsdeployError `failed` with `OUTPUT_CLOSED`; else as `writeArchive`
 */
export async function sendArchive(archive: Readable, output: Writable, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(archive, output, { signal, end: false });
  } catch (error) {
    if (signal.aborted) throw error;
    if (codeOf(error) !== "EPIPE") throw writeFailure("standard output", error);
    throw new TsdeployError("failed", {
      code: "OUTPUT_CLOSED",
      message: "standard output was closed before the whole archive was sent",
      hint: "Look at what reads it: that program has ended too early.",
    });
  }
}

function writeFailure(path: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  if (code !== "ENOSPC" && code !== "EDQUOT" && code !== "EFBIG") return unwritable(path, messageOf(error));
  return new TsdeployError("environment", {
    code: "DISK_FULL",
    message: `there is no room for ${path}: ${messageOf(error)}`,
    hint: "Make room, or name a file on another disk.",
  });
}

/** An archive that is being read. */
export interface OpenArchive {
  readonly stream: Readable;
  /** Undefined for standard input. */
  readonly sizeBytes: number | undefined;
}

/**
 * Opens an archive of images, and refuses what is none by its first bytes.
 *
 * @throws TsdeployError `usage` with `FILE_UNREADABLE`, `IMAGE_ARCHIVE_INVALID`
 */
export async function openArchive(path: string): Promise<OpenArchive> {
  const handle = await open(path).catch((error: unknown) => {
    throw unreadable(path, codeOf(error) === "ENOENT" ? "there is no such file" : messageOf(error));
  });
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    await handle.close();
    throw unreadable(path, "it is a folder");
  }
  await handle.close();
  const stream = await checkedArchive(createReadStream(path), path);
  return { stream, sizeBytes: stats.isFile() ? stats.size : undefined };
}

/** @throws TsdeployError `usage`, `IMAGE_ARCHIVE_INVALID`, if the stream does not begin as an archive does */
export async function checkedArchive(source: Readable, name: string): Promise<Readable> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let head = Buffer.alloc(0);
  while (head.length < blockLength) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  if (!beginsAsTar(head) && !isCompressed(head)) {
    source.destroy();
    throw new TsdeployError("usage", {
      code: "IMAGE_ARCHIVE_INVALID",
      message: `${name} is no archive of images: it is ${head.length === 0 ? "empty" : "not a tar archive"}`,
      hint: "`tsdeploy image save` and `docker save` write such archives.",
    });
  }
  return Readable.from(
    (async function* () {
      yield head;
      yield* { [Symbol.asyncIterator]: () => chunks };
    })(),
    { objectMode: false },
  );
}

const blockLength = 512;

/** By the checksum of the first header, which all kinds of tar have: the sum of its bytes, its own taken as blanks. */
function beginsAsTar(head: Buffer): boolean {
  if (head.length < blockLength) return false;
  const block = head.subarray(0, blockLength);
  const said = parseInt(block.toString("latin1", 148, 156).replace(/[\0 ]+$/, ""), 8);
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  return said === sum;
}

/** gzip, bzip2, xz, zstd: what Docker unpacks by itself. */
function isCompressed(head: Buffer): boolean {
  return ["1f8b", "425a68", "fd377a585a00", "28b52ffd"].some((magic) => head.toString("hex", 0, 6).startsWith(magic));
}

function codeOf(error: unknown): string | undefined {
  // Not those of Node.js itself, such as ERR_STREAM_PREMATURE_CLOSE.
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^E[A-Z]+$/.test(code) ? code : undefined;
}

function unwritable(path: string, why: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "FILE_UNWRITABLE",
    message: `${path} cannot be written: ${why}`,
    hint: "Name another file, or `-` for standard output.",
  });
}

function unreadable(path: string, why: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "FILE_UNREADABLE",
    message: `${path} cannot be read: ${why}`,
    hint: "Name a file that `tsdeploy image save` wrote, or `-` for standard input.",
  });
}
