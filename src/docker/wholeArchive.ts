import { Transform, type TransformCallback } from "node:stream";
import { EngineError } from "./containerEngine.js";

/** A tar archive ends with two blocks of zeros. */
const endLength = 1024;

/**
 * Passes an archive of images on, and ends with an error if it is not whole: Docker says status 200 before it starts,
 * and appends a later error to the archive, as a JSON message.
 */
export class WholeArchive extends Transform {
  #end = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#end = Buffer.concat([this.#end, chunk.subarray(-endLength)]).subarray(-endLength);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    const isWhole = this.#end.length === endLength && this.#end.every((byte) => byte === 0);
    done(isWhole ? null : new EngineError(0, messageIn(this.#end) ?? "the archive of images ended half-way"));
  }
}

function messageIn(end: Buffer): string | undefined {
  const [, document] = /(\{"errorDetail".*\})\s*$/s.exec(end.toString()) ?? [];
  try {
    const message: unknown = JSON.parse(document ?? "");
    return typeof message === "object" && message !== null && "error" in message ? String(message.error) : undefined;
  } catch {
    return undefined;
  }
}
