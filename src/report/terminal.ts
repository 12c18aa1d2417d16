import ora, { type Ora } from "ora";
import { unreachable } from "../errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { pullText } from "./pullText.js";
import { lastingLines, type Renderer, type TerminalStream } from "./renderer.js";
import type { Style } from "./style.js";

interface RunningPhase {
  readonly beganMs: number;
  /** What its wait saw last, or how far its pull is. */
  seen?: string;
}

/** For a person: one spinner line with the phases that run, a lasting line for each that has ended. */
export class Terminal implements Renderer {
  readonly #stream: TerminalStream;
  readonly #style: Style;
  readonly #spinner: Ora;
  readonly #running = new Map<string, RunningPhase>();

  constructor(stream: TerminalStream, style: Style) {
    this.#stream = stream;
    this.#style = style;
    // With discardStdin Ctrl-C would no longer be a signal.
    this.#spinner = ora({
      stream,
      discardStdin: false,
      isEnabled: true,
      suffixText: () => this.#phases(),
      ...(style.isColoured ? {} : { color: false }),
    });
  }

  event(event: ReportEvent): void {
    const lines = lastingLines(event, this.#style);
    if (lines !== undefined) this.#last(lines);
    else this.#course(event);
    if (this.#running.size > 0) this.#spinner.start();
  }

  pause(): void {
    this.#spinner.stop();
  }

  #course(event: ReportEvent): void {
    switch (event.kind) {
      case "phase-started":
        this.#running.set(event.phase, { beganMs: performance.now() });
        break;
      case "phase-finished":
        this.#running.delete(event.phase);
        this.#last(`${this.#style.green("✔")} ${event.phase} ${this.#style.dim(formatDuration(event.durationMs))}`);
        break;
      case "phase-failed":
        this.#running.delete(event.phase);
        this.#last(`${this.#style.red("✖")} ${event.phase} ${this.#style.dim(formatDuration(event.durationMs))}`);
        break;
      case "waiting":
        this.#see(event.phase, event.seen);
        break;
      case "pull-progress":
        this.#see([...this.#running.keys()].at(-1), `${event.image} ${pullText(event.progress)}`);
        break;
      case "warning":
      case "notice":
      case "difference":
      case "problems":
        break;
      default:
        unreachable(event);
    }
  }

  #see(phase: string | undefined, seen: string): void {
    const running = phase === undefined ? undefined : this.#running.get(phase);
    if (running) running.seen = seen;
  }

  /** Above the spinner. */
  #last(lines: string): void {
    this.#spinner.stop();
    this.#stream.write(`${lines}\n`);
  }

  /** In one line of the terminal: what wraps flickers. */
  #phases(): string {
    const text = [...this.#running]
      .map(([phase, { beganMs, seen }]) => {
        const seconds = Math.floor((performance.now() - beganMs) / 1000);
        return `${phase} ${seconds} s${seen === undefined ? "" : `: ${seen}`}`;
      })
      .join(" · ")
      .replace(/\s+/g, " ");
    const room = (this.#stream.columns ?? 80) - "⠋  ".length;
    return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  }
}
