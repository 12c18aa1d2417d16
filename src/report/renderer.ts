import { unreachable } from "../model/errors.js";
import type { ReportEvent } from "./events.js";
import { renderProblems } from "./renderError.js";
import type { Style } from "./style.js";

export type TerminalStream = NodeJS.WritableStream & { readonly columns?: number };

/** Shows events while a command runs. */
export interface Renderer {
  event(event: ReportEvent): void;
  /** Takes what moves off the screen, for a question or an error. The next event brings it back. */
  pause(): void;
}

/** Says of each line which host it is about. */
export function ofHost(host: string | undefined, lines: string): string {
  return host === undefined ? lines : lines.replace(/^/gm, `[${host}] `);
}

/** The lines of events that are not about a phase's course; undefined for those that are. */
export function lastingLines(event: ReportEvent, style: Style): string | undefined {
  const lines = linesOf(event, style);
  return lines === undefined ? undefined : ofHost(event.host, lines);
}

function linesOf(event: ReportEvent, style: Style): string | undefined {
  switch (event.kind) {
    case "warning":
      return event.danger === true
        ? style.red(`DANGER: ${event.message}`)
        : `${style.yellow("warning:")} ${event.message}`;
    case "notice":
      return event.message;
    case "difference":
      return [event.subject, ...event.lines.map((line) => `  ${paintDifference(line, style)}`)].join("\n");
    case "problems":
      return `${event.title}\n${renderProblems(event.problems, style).trimEnd()}`;
    case "host-started":
    case "host-finished":
    case "host-failed":
    case "phase-started":
    case "phase-finished":
    case "phase-failed":
    case "step-started":
    case "step-finished":
    case "waiting":
    case "pull-progress":
    case "download-progress":
    case "transfer-progress":
    case "build-line":
      return undefined;
    default:
      return unreachable(event);
  }
}

function paintDifference(line: string, style: Style): string {
  if (line.startsWith("+")) return style.green(line);
  return line.startsWith("-") ? style.red(line) : line;
}
