import { unreachable } from "../model/errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { megabytes, progressBar } from "./progressBar.js";
import { pullText } from "./pullText.js";
import { lastingLines, type Renderer } from "./renderer.js";
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
    const line = lastingLines(event, this.#style) ?? this.#course(event);
    if (line !== undefined) this.#write(`${line}\n`);
  }

  pause(): void {
    // Nothing moves.
  }

  #course(event: ReportEvent): string | undefined {
    switch (event.kind) {
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
        return this.#nowAndThen(event.image, () => pullText(event.progress));
      case "transfer-progress":
        return this.#nowAndThen(event.what, () => progressBar(event.bytesDone, event.bytesTotal));
      case "download-progress":
        if (event.done === true) return `${event.file}: ${megabytes(event.bytesDone)} are here`;
        return this.#nowAndThen(event.file, () => progressBar(event.bytesDone, event.bytesTotal));
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

  #nowAndThen(subject: string, text: () => string): string | undefined {
    const nowMs = performance.now();
    const toldAt = this.#toldAt.get(subject);
    if (toldAt !== undefined && nowMs - toldAt < progressIntervalMs) return undefined;
    this.#toldAt.set(subject, nowMs);
    return `${subject}: ${text()}`;
  }
}
