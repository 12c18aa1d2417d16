import { unreachable } from "../model/errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { megabytes, progressBar } from "./progressBar.js";
import { pullText } from "./pullText.js";
import { renderProblems } from "./renderError.js";
import { lastingLines, ofHost, type Renderer } from "./renderer.js";
import type { Style } from "./style.js";

/** How often progress is reported, of each thing that makes some. */
const progressIntervalMs = 10_000;

/** For logs, pipes and CI: each event is a line, and none is ever taken back. */
export class PlainLines implements Renderer {
  readonly #write: (text: string) => void;
  readonly #style: Style;
  readonly #verbose: boolean;
  readonly #toldAt = new Map<string, number>();

  constructor(write: (text: string) => void, style: Style, options: { readonly verbose: boolean }) {
    this.#write = write;
    this.#style = style;
    this.#verbose = options.verbose;
  }

  event(event: ReportEvent): void {
    const lasting = lastingLines(event, this.#style);
    const course = lasting === undefined ? this.#course(event) : undefined;
    const line = course === undefined ? lasting : ofHost(event.host, course);
    if (line !== undefined) this.#write(`${line}\n`);
  }

  pause(): void {
    // Nothing moves.
  }

  #course(event: ReportEvent): string | undefined {
    switch (event.kind) {
      case "host-started":
        return `${event.work} …`;
      case "host-finished":
        return `${event.work}: done in ${formatDuration(event.durationMs)}`;
      case "host-failed":
        return [
          `${event.work}: failed after ${formatDuration(event.durationMs)}`,
          renderProblems(event.problems, this.#style).trimEnd(),
        ].join("\n");
      case "phase-started":
        return `${event.phase} …`;
      case "phase-finished":
        return `${event.phase}: done in ${formatDuration(event.durationMs)}`;
      case "phase-failed":
        return `${event.phase}: failed after ${formatDuration(event.durationMs)}`;
      case "step-started":
        return this.#verbose ? `step ${event.step}: started` : undefined;
      case "step-finished":
        return this.#verbose ? `step ${event.step}: done in ${formatDuration(event.durationMs)}` : undefined;
      case "waiting":
        return this.#verbose ? `${event.phase}: ${event.seen}` : undefined;
      case "pull-progress":
        return this.#nowAndThen(event, event.image, () => pullText(event.progress));
      case "transfer-progress":
        return this.#nowAndThen(event, event.what, () => progressBar(event.bytesDone, event.bytesTotal));
      case "download-progress":
        if (event.done === true) return `${event.file}: ${megabytes(event.bytesDone)} are here`;
        return this.#nowAndThen(event, event.file, () => progressBar(event.bytesDone, event.bytesTotal));
      case "build-line":
        return this.#verbose ? event.line : undefined;
      case "warning":
      case "notice":
      case "difference":
      case "problems":
        return undefined;
      default:
        return unreachable(event);
    }
  }

  #nowAndThen({ host = "" }: ReportEvent, subject: string, text: () => string): string | undefined {
    const nowMs = performance.now();
    const key = `${host} ${subject}`;
    const toldAt = this.#toldAt.get(key);
    if (toldAt !== undefined && nowMs - toldAt < progressIntervalMs) return undefined;
    this.#toldAt.set(key, nowMs);
    return `${subject}: ${text()}`;
  }
}
