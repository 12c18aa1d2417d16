import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { EngineError, type ExecResult } from "./containerEngine.js";
import { demultiplex } from "./demultiplexer.js";

/** An exec that was started: its hijacked connection, and how to learn how it ended. */
export interface ExecSession {
  readonly program: string;
  readonly socket: Socket;
  /** Waits until the program is not running. */
  exitCode(signal?: AbortSignal): Promise<number>;
  /** Turns what the connection failed with into one of our errors. */
  failure(error: unknown): Promise<Error>;
}

/** Docker says on stdout why it could not start a program (126 not executable, 127 not found). */
const startFailure = /^(OCI runtime exec failed|exec failed)/;

/**
 * Follows an exec to its end and keeps all it says.
 *
 * @throws EngineError if Docker could not start the program
 */
export async function collectExec(
  session: ExecSession,
  options: { stdin?: Buffer; signal?: AbortSignal } = {},
): Promise<ExecResult> {
  const { socket } = session;
  const { stdin, signal } = options;
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const broken = await new Promise<Error | undefined>((resolve, reject) => {
    demultiplex(socket, (chunk, stream) => (stream === "stdout" ? stdout : stderr).push(chunk));
    const abort = () => {
      socket.destroy();
      reject(signal?.reason as Error);
    };
    socket.on("error", resolve);
    socket.on("end", () => {
      resolve(undefined);
    });
    socket.on("close", () => {
      signal?.removeEventListener("abort", abort);
      resolve(new Error("the connection broke"));
    });
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) {
      abort();
    } else if (stdin) {
      socket.write(stdin);
    }
  });
  socket.destroy();
  const exitCode = await session.exitCode(signal);
  // A program that fails before it has read all its input breaks the connection, and what it said is what matters.
  if (broken && exitCode === 0) {
    throw await session.failure(broken);
  }
  const output = Buffer.concat(stdout);
  if ((exitCode === 126 || exitCode === 127) && startFailure.test(output.toString("utf8", 0, 100))) {
    throw new EngineError(0, output.toString().trim());
  }
  return { exitCode, stdout: output, stderr: Buffer.concat(stderr).toString() };
}

/**
 * Passes on what an exec says as it comes, no faster than it is taken.
 *
 * @returns its exit code; 126 or 127, after Docker's own words, if the program could not be started
 */
export async function followExec(
  session: ExecSession,
  onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  const { socket } = session;
  let [passing, taken] = [0, Promise.resolve()];
  const broken = await new Promise<Error | undefined>((resolve, reject) => {
    const abort = (): void => {
      socket.destroy();
      reject(signal.reason as Error);
    };
    demultiplex(socket, (chunk, stream) => {
      passing++;
      socket.pause();
      taken = taken.then(() => onOutput(chunk, stream)).finally(() => {
        if (--passing === 0) socket.resume();
      });
      taken.catch((error: unknown) => socket.destroy(error as Error));
    });
    socket.on("error", resolve);
    socket.on("end", () => {
      resolve(undefined);
    });
    socket.on("close", () => {
      signal.removeEventListener("abort", abort);
      resolve(new Error("the connection broke"));
    });
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
  });
  socket.destroy();
  if (broken) throw await session.failure(broken);
  await taken;
  return session.exitCode(signal);
}

/** An exec's stdin and stdout as one stream; its end is the program's, its error what the program said on stderr. */
export class ExecStream extends Duplex {
  readonly #session: ExecSession;
  #stderr = "";
  #ended = false;

  constructor(session: ExecSession) {
    super();
    this.#session = session;
    // Who uses it has listeners of his own. One that a run which was stopped never got must not end the process.
    this.on("error", () => undefined);
    const { socket } = session;
    demultiplex(socket, (chunk, stream) => {
      if (stream === "stderr") {
        this.#stderr = (this.#stderr + chunk.toString()).slice(-4096);
      } else if (!this.push(chunk)) {
        socket.pause();
      }
    });
    socket.on("end", () => void this.#finish());
    socket.on("error", (error) => void this.#fail(error));
    socket.on("close", () => void this.#fail(new Error("the connection broke")));
    socket.pause();
  }

  override _read(): void {
    this.#session.socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#session.socket.write(chunk, encoding, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#session.socket.end(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#session.socket.destroy();
    callback(error);
  }

  async #finish(): Promise<void> {
    this.#ended = true;
    try {
      const exitCode = await this.#session.exitCode();
      if (exitCode === 0) {
        this.push(null);
      } else {
        const said = this.#stderr.trim() || `it ended with status ${exitCode}`;
        this.destroy(new EngineError(0, `${this.#session.program}: ${said}`));
      }
    } catch (error) {
      this.destroy(await this.#session.failure(error));
    }
  }

  async #fail(error: Error): Promise<void> {
    if (!this.#ended && !this.destroyed) {
      this.#ended = true;
      this.destroy(await this.#session.failure(error));
    }
  }
}
