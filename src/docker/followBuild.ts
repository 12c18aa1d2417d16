import type { Readable } from "node:stream";
import { EngineError } from "./containerEngine.js";
import { messageStream } from "./messageStream.js";

/** How much of what a build said its error shows. */
const toldLines = 20;

/**
 * Follows the body of `POST /build` to its end.
 *
 * @throws EngineError as `messageStream` does, with the build's last lines
 */
export async function followBuild(body: Readable, onLine: (line: string) => void): Promise<void> {
  const last: string[] = [];
  let rest = "";
  const say = (line: string): void => {
    if (line.trim() === "") return;
    last.push(line);
    if (last.length > toldLines) last.shift();
    onLine(line);
  };
  try {
    for await (const { stream, status, id } of messageStream(body)) {
      // Of a base that is pulled: without its progress, which would be hundreds of lines.
      if (status !== undefined && id === undefined) say(status);
      const lines = (rest + (stream ?? "")).split(/\r?\n/);
      rest = lines.pop() ?? "";
      lines.forEach(say);
    }
    say(rest);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    say(rest);
    throw new EngineError(error.status, [error.message, ...last].join("\n"), { cause: error });
  }
}
