import { mkdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { text } from "node:stream/consumers";
import { nanoid } from "nanoid";
import { defined } from "../model/defined.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import { withAnySignal } from "../model/signals.js";
import * as z from "../model/zod.js";
import type { Artifact, Checksum, ChecksumSource } from "./artifacts.js";
import { diskFault, noSpace } from "./diskFault.js";
import { fetchFile, sumOfFile } from "./fetchFile.js";
import { mirrorOf } from "./mirror.js";
import { fileKind } from "./readBinary.js";
import { type RetryContext, retryWeb } from "./retryWeb.js";
import { connectionFault, shownUrl, type WebClient, WebFault } from "./webClient.js";

/** How far one of the files is. */
export interface DownloadProgress {
  readonly file: string;
  readonly bytesDone: number;
  /** If the server says. */
  readonly bytesTotal?: number;
  readonly done?: true;
}

export interface DownloadContext {
  readonly web: WebClient;
  /** See `cacheFolder`. */
  readonly cache: string;
  readonly mirror?: string | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: DownloadProgress) => void;
  /** What a person should know: a further try, a damaged file in the cache. */
  readonly onNotice: (message: string) => void;
  /** Default: a second. */
  readonly retryDelayMs?: number;
  /** Free bytes where a folder is; default: what the disk says. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

const atOnce = 4;

/**
 * Brings release files into the cache, below `downloads/` by host and path; what is there with the right checksum is
 * not downloaded again, nor is its checksum. Fails with the first file that does; what came of the others stays for the
 * next run.
 *
 * @returns each artifact's file
 * @throws WebFault, or TsdeployError `environment`: `CHECKSUM_MISMATCH`, `NOT_A_BINARY`, `NO_SPACE`, `CACHE_UNWRITABLE`
 */
export async function downloadFiles(
  artifacts: readonly Artifact[],
  context: DownloadContext,
): Promise<ReadonlyMap<Artifact, string>> {
  const files = artifacts.map((artifact) => ({ artifact, target: cachePath(context.cache, artifact.url) }));
  try {
    const missing = await findMissing(files, context);
    if (missing.length > 0) await fetchMissing(missing, context);
  } catch (error) {
    context.signal.throwIfAborted();
    throw diskFault(context.cache, error);
  }
  return new Map(files.map(({ artifact, target }) => [artifact, target] as const));
}

interface CachedFile {
  readonly artifact: Artifact;
  readonly target: string;
}

interface MissingFile extends CachedFile {
  readonly checksum: Checksum;
}

/** All problems that checksums have at once: of a version that does not exist none is there. */
async function findMissing(files: readonly CachedFile[], context: DownloadContext): Promise<MissingFile[]> {
  const missing: MissingFile[] = [];
  const failures: unknown[] = [];
  await inParallel(files, async (file) => {
    try {
      const checksum = await missingChecksum(file, context);
      if (checksum) missing.push({ ...file, checksum });
    } catch (error) {
      failures.push(error);
    }
  });
  const [first] = failures;
  if (failures.length === 0) return missing;
  if (!(first instanceof TsdeployError)) throw first;
  const told = failures.flatMap((error) => (error instanceof TsdeployError ? error.problems : []));
  const isNew = ({ code }: Problem, index: number): boolean =>
    // A server that cannot be reached is one problem, however many files are there.
    code !== "DOWNLOAD_FAILED" || told.findIndex((other) => other.code === code) === index;
  throw new TsdeployError(first.kind, told.filter(isNew), { cause: first });
}

/** What a file that has to be downloaded must have; undefined if the cache has it. */
async function missingChecksum(file: CachedFile, context: DownloadContext): Promise<Checksum | undefined> {
  const { artifact, target } = file;
  const here = await stat(target).then(({ size }) => size, () => undefined);
  const known = isPinned(artifact.checksum) ? artifact.checksum : await readKnown(target, artifact, context);
  const checksum = known && here !== undefined ? known : await publishedChecksum(artifact, context);
  if (here !== undefined) {
    const sum = await sumOfFile(target, checksum.algorithm);
    if (sum === checksum.value) {
      await rememberChecksum(target, artifact, checksum, context);
      return undefined;
    }
    await rm(target, { force: true });
    context.onNotice(`${target} does not have its checksum: it is deleted and downloaded again`);
    // It may be what was remembered that is wrong.
    return isPinned(artifact.checksum) ? checksum : publishedChecksum(artifact, context);
  }
  return checksum;
}

async function fetchMissing(missing: readonly MissingFile[], context: DownloadContext): Promise<void> {
  const at = mirrorOf(context.mirror);
  const lengths = new Map<MissingFile, number | undefined>();
  await inParallel(missing, async (file) => {
    lengths.set(file, await context.web.length(at(file.artifact.url), context.signal));
  });
  await checkSpace([...lengths].map(([{ artifact }, length = 0]) => ({ artifact, length })), context);

  const report = (file: MissingFile, progress: Pick<DownloadProgress, "bytesDone" | "done">): void => {
    const bytesTotal = lengths.get(file);
    context.onProgress({ file: file.artifact.name, ...progress, ...defined({ bytesTotal }) });
  };
  const stop = new AbortController();
  const fetchOne = async (file: MissingFile, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    const { artifact, checksum, target } = file;
    try {
      await fetchFile(
        {
          name: artifact.name,
          url: at(artifact.url),
          checksum,
          expected: artifact.contents.kind === "program" ? "program" : "archive",
          target,
        },
        {
          ...retryContext(context),
          web: context.web,
          signal,
          onBytes: (bytesDone) => {
            report(file, { bytesDone });
          },
        },
      );
    } catch (error) {
      if (!signal.aborted) stop.abort(error);
      throw error;
    }
    await rememberChecksum(target, artifact, checksum, context);
    report(file, { bytesDone: lengths.get(file) ?? 0, done: true });
  };
  const fetchAll = (signal: AbortSignal): Promise<void> => inParallel(missing, (file) => fetchOne(file, signal));
  await withAnySignal([context.signal, stop.signal], fetchAll).catch((error: unknown) => {
    context.signal.throwIfAborted();
    // What the first one failed by, not that the others were stopped.
    throw stop.signal.aborted ? stop.signal.reason : error;
  });
}

/** Runs some at once; waits for all, then throws the first error. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      await work(item).catch((error: unknown) => errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (errors.length > 0) throw errors[0];
}

async function publishedChecksum({ checksum, url }: Artifact, context: DownloadContext): Promise<Checksum> {
  if (isPinned(checksum)) return checksum;
  const notFound: unknown[] = [];
  for (const source of checksum) {
    try {
      return await retryWeb(async () => askFor(source, basename(url), context), retryContext(context));
    } catch (error) {
      if (!(error instanceof WebFault) || error.problems[0]?.code !== "ARTIFACT_NOT_FOUND") throw error;
      notFound.push(error);
    }
  }
  throw notFound[0];
}

function retryContext({ signal, onNotice, retryDelayMs = 1_000 }: DownloadContext): RetryContext {
  return { signal, onRetry: onNotice, retryDelayMs };
}

const longestSums = 1 << 20;

async function askFor(source: ChecksumSource, file: string, context: DownloadContext): Promise<Checksum> {
  const url = mirrorOf(context.mirror)(source.url);
  const { body } = await context.web.get(url, {}, context.signal);
  let length = 0;
  body.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > longestSums) body.destroy(new Error("it is too long for a checksum"));
  });
  const sums = await text(body).catch((error: unknown) => {
    context.signal.throwIfAborted();
    throw connectionFault(url, error);
  });
  const value = sumIn(sums, source.algorithm, file);
  if (value !== undefined) return { algorithm: source.algorithm, value };
  const isPage = fileKind(Buffer.from(sums.slice(0, 64))).kind === "web page";
  throw new TsdeployError("environment", {
    code: isPage ? "NOT_A_BINARY" : "CHECKSUM_UNKNOWN",
    message: `${shownUrl(url)} ${isPage ? "gives a web page, not" : "holds no"} ${source.algorithm} of ${file}`,
    hint: "A login page or a proxy may answer in its place: open the URL in a browser. --mirror and --binaries are other ways.",
  });
}

/** The sum alone, or that of the line with the file's name, as `sha256sum` writes it. */
export function sumIn(text: string, algorithm: Checksum["algorithm"], file: string): string | undefined {
  const digits = algorithm === "sha512" ? 128 : 64;
  const line = new RegExp(`^([0-9a-f]{${digits}})(?:\\s+\\*?(\\S.*))?$`, "i");
  const sums = text.split(/\r?\n/).flatMap((each) => {
    const [, value = "", name] = line.exec(each.trim()) ?? [];
    return value === "" ? [] : [{ value: value.toLowerCase(), name }];
  });
  const named = sums.find(({ name }) => name !== undefined && basename(name) === file);
  return (named ?? sums.find(({ name }) => name === undefined && sums.length === 1))?.value;
}

/** Beside a file in the cache: what was published about it, and where it came from. */
const knownSchema = z.object({ algorithm: z.enum(["sha512", "sha256"]), value: z.string(), from: z.string() });

/** A checksum from one server proves nothing about another's file. */
async function readKnown(target: string, artifact: Artifact, context: DownloadContext): Promise<Checksum | undefined> {
  const content = await readFile(knownPath(target), "utf8").catch(() => "");
  try {
    const { algorithm, value, from } = knownSchema.parse(JSON.parse(content));
    return from === source(artifact, context) ? { algorithm, value } : undefined;
  } catch {
    return undefined;
  }
}

async function rememberChecksum(
  target: string,
  artifact: Artifact,
  checksum: Checksum,
  context: DownloadContext,
): Promise<void> {
  const temporary = `${knownPath(target)}.${nanoid(6)}`;
  await writeFile(temporary, `${JSON.stringify({ ...checksum, from: source(artifact, context) })}\n`);
  await rename(temporary, knownPath(target));
}

function knownPath(target: string): string {
  return `${target}.checksum`;
}

function source({ url }: Artifact, { mirror }: DownloadContext): string {
  return shownUrl(mirrorOf(mirror)(url));
}

function isPinned(checksum: Artifact["checksum"]): checksum is Checksum {
  return "value" in checksum;
}

function cachePath(cache: string, url: string): string {
  const { host, pathname } = new URL(url);
  return join(cache, "downloads", host, pathname);
}

/** How much bigger archives get, of which only a part is unpacked. */
const unpackedFactor = 3;
const unpackedMost = 1_000_000_000;

async function checkSpace(
  files: readonly { readonly artifact: Artifact; readonly length: number }[],
  { cache, freeBytes = diskFreeBytes }: DownloadContext,
): Promise<void> {
  const bytes = files.map(({ artifact, length }) =>
    artifact.contents.kind === "program" ? length : length + Math.min(unpackedFactor * length, unpackedMost),
  );
  const needed = bytes.reduce((all, one) => all + one, 0);
  await mkdir(cache, { recursive: true });
  const free = await freeBytes(cache);
  if (needed > free) throw noSpace(`the downloads take ${megabytes(needed)}, but ${cache} has ${megabytes(free)} free`);
}

async function diskFreeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
