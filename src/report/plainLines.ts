import { unreachable } from "../errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { pullText } from "./pullText.js";
import { lastingLines, type Renderer } from "./renderer.js";
import type { Style } from "./style.js";

/** How often the progress of a pull is told. */
const pullIntervalMs = 10_000;

/** For logs, pipes and CI: each event is a line, and none is ever taken back. */
export class PlainLines implements Renderer {
  readonly #write: (text: string) => void;
  readonly #style: Style;
  readonly #verbose: boolean;
  readonly #pullToldAt = new Map<string, number>();

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
      case "waiting":
        return this.#verbose ? `${event.phase}: ${event.seen}` : undefined;
      case "pull-progress": {
        const nowMs = performance.now();
        const toldAt = this.#pullToldAt.get(event.image);
        if (toldAt !== undefined && nowMs - toldAt < pullIntervalMs) return undefined;
        this.#pullToldAt.set(event.image, nowMs);
        return `${event.image}: ${pullText(event.progress)}`;
      }
      case "warning":
      case "notice":
      case "difference":
      case "problems":
        return undefined;
      default:
        return unreachable(event);
    }
  }
}
