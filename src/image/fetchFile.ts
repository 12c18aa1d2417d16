import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { TsdeployError } from "../model/errors.js";
import type { Checksum } from "./artifacts.js";
import { openPartFile } from "./partFile.js";
import { fileKind, headLength } from "./readBinary.js";
import { type RetryContext, retryWeb } from "./retryWeb.js";
import { connectionFault, shownUrl, type WebAnswer, type WebClient } from "./webClient.js";

export interface FileRequest {
  /** What a person knows it by: `kubelet`. */
  readonly name: string;
  readonly url: string;
  readonly checksum: Checksum;
  readonly expected: "program" | "archive";
  /** Where it is written; nothing is there before it is whole and has this checksum. */
  readonly target: string;
}

export interface FetchContext extends RetryContext {
  readonly web: WebClient;
  /** How many bytes of the file are here now. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Downloads a file: continues where an earlier try or run was cut, and checks its sum on the way.
 *
 * @throws WebFault, or TsdeployError `environment`: `NOT_A_BINARY`, `CHECKSUM_MISMATCH` (the file is deleted)
 */
export async function fetchFile(request: FileRequest, context: FetchContext): Promise<void> {
  const part = await openPartFile(request.target);
  try {
    const file = await open(part.path, "a+");
    try {
      const transfer = new Transfer(request, context, file);
      await transfer.hashWhatIsHere();
      const isOld = transfer.length > 0;
      await transfer.toItsEnd();
      if (isOld && transfer.sum !== request.checksum.value) {
        // What an earlier run left may have been of another file.
        await transfer.restart();
        await transfer.toItsEnd();
      }
      if (transfer.sum !== request.checksum.value) throw mismatch(request, transfer.sum);
      transfer.checkKind();
    } finally {
      await file.close();
    }
    await part.finish();
  } catch (error) {
    if (error instanceof TsdeployError && error.problems.some(({ code }) => unusable.has(code))) await part.discard();
    else await part.leave();
    throw error;
  }
}

const unusable: ReadonlySet<string> = new Set(["CHECKSUM_MISMATCH", "NOT_A_BINARY"]);

/** A file on its way. */
class Transfer {
  /** How much of it is here. */
  length = 0;
  #hash: Hash;
  #head = Buffer.alloc(0);
  #isWhole = false;
  /** Tells the server which file the first part is of (If-Range). */
  #validator: string | undefined;
  #sum: string | undefined;
  readonly #request: FileRequest;
  readonly #context: FetchContext;
  readonly #file: FileHandle;

  constructor(request: FileRequest, context: FetchContext, file: FileHandle) {
    this.#request = request;
    this.#context = context;
    this.#file = file;
    this.#hash = createHash(request.checksum.algorithm);
  }

  get sum(): string {
    return (this.#sum ??= this.#hash.digest("hex"));
  }

  async hashWhatIsHere(): Promise<void> {
    for await (const chunk of this.#file.createReadStream({ start: 0, autoClose: false })) this.#add(chunk as Buffer);
  }

  async restart(): Promise<void> {
    await this.#file.truncate(0);
    this.length = 0;
    this.#isWhole = false;
    this.#validator = undefined;
    this.#sum = undefined;
    this.#head = Buffer.alloc(0);
    this.#hash = createHash(this.#request.checksum.algorithm);
    this.#context.onBytes(0);
  }

  async toItsEnd(): Promise<void> {
    let before = this.length;
    const goOn = async (): Promise<void> => {
      before = this.length;
      await this.#goOn();
    };
    await retryWeb(goOn, this.#context, () => this.length > before);
  }

  async #goOn(): Promise<void> {
    if (this.#isWhole) return;
    const { url } = this.#request;
    const { web, signal } = this.#context;
    const range: Record<string, string> =
      this.length === 0
        ? {}
        : { range: `bytes=${this.length}-`, ...(this.#validator !== undefined && { "if-range": this.#validator }) };
    const answer = await web.get(url, range, signal);
    try {
      const follows = answer.status === 206 && startOf(answer) === this.length;
      if (answer.status === 416 && lengthOf(answer) === this.length) {
        this.#isWhole = true;
        return;
      }
      if (answer.status === 200 && this.length > 0) await this.restart();
      if (answer.status !== 200 && !follows) {
        // Another file than the one that was begun.
        await this.restart();
        throw connectionFault(url, new Error("the server does not go on where it was cut"));
      }
      if (/^text\/html/i.test(answer.headers["content-type"] ?? "")) throw notABinary(this.#request, "a web page");
      this.#validator = validatorOf(answer);
      await this.#take(answer);
      this.#isWhole = true;
    } finally {
      answer.body.on("error", () => undefined).destroy();
    }
  }

  async #take({ body }: WebAnswer): Promise<void> {
    const { url } = this.#request;
    const { signal, onBytes } = this.#context;
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    for (;;) {
      const chunk = await chunks.next().then(
        ({ value }) => value,
        (error: unknown) => {
          signal.throwIfAborted();
          throw connectionFault(url, error);
        },
      );
      if (chunk === undefined) break;
      this.#add(chunk);
      this.#checkHead();
      await this.#file.appendFile(chunk);
      onBytes(this.length);
    }
  }

  #add(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.length += chunk.length;
    if (this.#head.length < headLength) this.#head = Buffer.concat([this.#head, chunk.subarray(0, headLength)]);
  }

  /** Before the checksum: a login page in place of the file is the commoner mistake, and a different one. */
  #checkHead(): void {
    if (fileKind(this.#head).kind === "web page") throw notABinary(this.#request, "a web page");
  }

  checkKind(): void {
    const { kind } = fileKind(this.#head);
    if (kind !== (this.#request.expected === "program" ? "program" : "gzip archive")) {
      throw notABinary(this.#request, kind === "text or data" ? kind : `a ${kind}`);
    }
  }
}

function startOf({ headers }: WebAnswer): number {
  return Number(/^bytes (\d+)-/.exec(headers["content-range"] ?? "")?.[1] ?? NaN);
}

function lengthOf({ headers }: WebAnswer): number {
  return Number(/^bytes \*\/(\d+)$/.exec(headers["content-range"] ?? "")?.[1] ?? NaN);
}

/** A weak ETag may not be compared for ranges. */
function validatorOf({ headers }: WebAnswer): string | undefined {
  const etag = headers["etag"];
  return etag !== undefined && !etag.startsWith("W/") ? etag : headers["last-modified"];
}

function notABinary({ name, url, expected }: FileRequest, what: string): TsdeployError {
  return new TsdeployError("environment", {
    code: "NOT_A_BINARY",
    message: `${shownUrl(url)} gives ${what}, not the ${expected} ${name}`,
    hint:
      "A login page or a proxy may answer in its place: open the URL in a browser. " +
      "HTTPS_PROXY, --mirror and --binaries are other ways.",
  });
}

function mismatch({ url, checksum }: FileRequest, sum: string): TsdeployError {
  return new TsdeployError("environment", {
    code: "CHECKSUM_MISMATCH",
    message:
      `${shownUrl(url)} has the ${checksum.algorithm} ${sum}, ` +
      `but ${checksum.value} was published; what was downloaded is deleted`,
    hint: "Somebody changed it, or a proxy did. Try another network or --mirror; if it stays so, report it to the project.",
  });
}

/** The sum of a file on the disk; undefined if there is none. */
export async function sumOfFile(path: string, algorithm: Checksum["algorithm"]): Promise<string | undefined> {
  const hash = createHash(algorithm);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return hash.digest("hex");
}
