import type { Readable } from "node:stream";

const headerLength = 8;

/**
 * Takes Docker's multiplexed streams apart: frames of `[stream, 0, 0, 0, length (32 bits)]` and payload. Payloads are
 * passed on in the pieces they come in, never copied. The stream of a container with a terminal has no frames and is
 * passed on as it is.
 */
export class Demultiplexer {
  readonly #onData: (chunk: Buffer, stream: "stdout" | "stderr") => void;
  #header = Buffer.alloc(0);
  #stream: "stdout" | "stderr" = "stdout";
  #remaining = 0;
  #mode: "unknown" | "frames" | "raw" = "unknown";

  constructor(onData: (chunk: Buffer, stream: "stdout" | "stderr") => void) {
    this.#onData = onData;
  }

  write(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#mode === "raw") {
        this.#onData(rest, "stdout");
        return;
      }
      rest = this.#remaining > 0 ? this.#payload(rest) : this.#readHeader(rest);
    }
  }

  #payload(chunk: Buffer): Buffer {
    const payload = chunk.subarray(0, this.#remaining);
    this.#remaining -= payload.length;
    this.#onData(payload, this.#stream);
    return chunk.subarray(payload.length);
  }

  #readHeader(chunk: Buffer): Buffer {
    const missing = headerLength - this.#header.length;
    this.#header = Buffer.concat([this.#header, chunk.subarray(0, missing)]);
    const first = this.#header[0] ?? 0;
    const isFrame = first <= 2 && this.#header.subarray(1, 4).every((byte) => byte === 0);
    if (!isFrame) {
      if (this.#mode === "frames") {
        throw new Error("Docker's stream is out of step");
      }
      this.#mode = "raw";
      return Buffer.concat([this.#header, chunk.subarray(missing)]);
    }
    if (this.#header.length === headerLength) {
      this.#mode = "frames";
      this.#stream = first === 2 ? "stderr" : "stdout";
      this.#remaining = this.#header.readUInt32BE(4);
      this.#header = Buffer.alloc(0);
    }
    return chunk.subarray(missing);
  }
}

/** Passes on what comes out of a stream; destroys it if it is no such stream. */
export function demultiplex(source: Readable, onData: (chunk: Buffer, stream: "stdout" | "stderr") => void): void {
  const demultiplexer = new Demultiplexer(onData);
  source.on("data", (chunk: Buffer) => {
    try {
      demultiplexer.write(chunk);
    } catch (error) {
      source.destroy(error as Error);
    }
  });
}

/** Both streams of a log, decoded. */
export function decodeLog(log: Buffer): string {
  const chunks: Buffer[] = [];
  new Demultiplexer((chunk) => chunks.push(chunk)).write(log);
  return Buffer.concat(chunks).toString();
}
