import type { CommandResult, Report } from "./events.js";
import { JsonLines } from "./jsonLines.js";
import { PlainLines } from "./plainLines.js";
import { jsonError, renderError } from "./renderError.js";
import type { Renderer, TerminalStream } from "./renderer.js";
import { styleFor } from "./style.js";

export interface ReporterOptions {
  /** What is written to stdout: text for people, or exactly one JSON document. */
  readonly output: "text" | "json";
  /** With `json`: what goes to stderr is events, a JSON document a line, in place of lines for people. */
  readonly streamsEvents?: boolean;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: TerminalStream;
  /** Whether stderr is a terminal that lines can be taken back from. */
  readonly isTTY: boolean;
  readonly verbose: boolean;
  /** For NO_COLOR and TERM. */
  readonly env: NodeJS.ProcessEnv;
}

/** All that a run says. */
export interface Reporter {
  readonly report: Report;
  readonly result: (result: CommandResult) => void;
  readonly error: (error: unknown) => void;
  /** Before something else writes to the terminal; the next event goes on. */
  readonly pause: () => void;
}

/** Progress, warnings and errors go to stderr; the result, and with `json` an error too, to stdout. */
export async function createReporter(options: ReporterOptions): Promise<Reporter> {
  const { output, stdout, stderr, verbose, isTTY, env } = options;
  const streams = output === "json" && options.streamsEvents === true;
  const style = styleFor(isTTY, env);
  const write = (text: string): void => void stderr.write(text);
  // A pseudo-terminal that nobody gave a size says 0 columns, on which ora never ends.
  const isWide = (stderr.columns ?? 0) > 20;
  const isLively = isTTY && isWide && env["TERM"] !== "dumb" && output === "text";
  const rendererOf = async (): Promise<Renderer> => {
    if (streams) return new JsonLines(write);
    if (!isLively) return new PlainLines(write, style, { verbose });
    return new (await import("./terminal.js")).Terminal(stderr, style, { verbose });
  };
  const renderer = await rendererOf();
  const document = (value: unknown): void => void stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);

  return {
    report: (event) => {
      renderer.event(event);
    },
    result: ({ data, text, exitCode = 0, isWritten = false }) => {
      renderer.pause();
      if (isWritten) return;
      if (output === "json") document({ ok: exitCode === 0, ...asFields(data) });
      else if (text !== "") stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    error: (error) => {
      renderer.pause();
      if (!streams) write(renderError(error, style, { verbose }));
      if (output === "json") document(jsonError(error));
    },
    pause: () => {
      renderer.pause();
    },
  };
}

function asFields(data: unknown): object {
  return typeof data === "object" && data !== null && !Array.isArray(data) ? data : { data };
}
