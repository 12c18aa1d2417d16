import ora, { type Ora } from "ora";
import { unreachable } from "../model/errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { progressBar } from "./progressBar.js";
import { pullText } from "./pullText.js";
import { lastingLines, type Renderer, type TerminalStream } from "./renderer.js";
import type { Style } from "./style.js";

interface RunningPhase {
  readonly beganMs: number;
  /** What its wait saw last, or how far its pull is. */
  seen?: string;
}

interface Download {
  readonly bytesDone: number;
  readonly bytesTotal: number | undefined;
}

/** So that bars do not fill the screen; those that have begun last come up as others end. */
const maxBars = 10;

/**
 * For a person: one spinner line with the phases that run, a bar for each file that is downloaded, and a lasting line
 * for each phase that has ended.
 */
export class Terminal implements Renderer {
  readonly #stream: TerminalStream;
  readonly #style: Style;
  readonly #spinner: Ora;
  readonly #verbose: boolean;
  readonly #running = new Map<string, RunningPhase>();
  readonly #downloads = new Map<string, Download>();

  constructor(stream: TerminalStream, style: Style, options: { readonly verbose: boolean }) {
    this.#verbose = options.verbose;
    this.#stream = stream;
    this.#style = style;
    // With discardStdin Ctrl-C would no longer be a signal.
    this.#spinner = ora({
      stream,
      discardStdin: false,
      isEnabled: true,
      suffixText: () => [this.#phases(), ...this.#bars()].join("\n"),
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
        this.#downloads.clear();
        this.#last(`${this.#style.red("✖")} ${event.phase} ${this.#style.dim(formatDuration(event.durationMs))}`);
        break;
      case "waiting":
        this.#see(event.phase, event.seen);
        break;
      case "pull-progress":
        this.#see(this.#lastPhase(), `${event.image} ${pullText(event.progress)}`);
        break;
      case "transfer-progress":
        this.#see(this.#lastPhase(), `${event.what} ${progressBar(event.bytesDone, event.bytesTotal)}`);
        break;
      case "download-progress":
        if (event.done === true) this.#downloads.delete(event.file);
        else this.#downloads.set(event.file, { bytesDone: event.bytesDone, bytesTotal: event.bytesTotal });
        break;
      case "build-line":
        if (this.#verbose) this.#last(this.#style.dim(event.line));
        else this.#see(this.#lastPhase(), event.line);
        break;
      case "step-started":
      case "step-finished":
      case "warning":
      case "notice":
      case "difference":
      case "problems":
        break;
      default:
        unreachable(event);
    }
  }

  #lastPhase(): string | undefined {
    return [...this.#running.keys()].at(-1);
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
    return this.#fitted(text, "⠋  ".length);
  }

  #bars(): string[] {
    const downloads = [...this.#downloads].slice(0, maxBars);
    const width = Math.max(0, ...downloads.map(([file]) => file.length));
    return downloads.map(([file, { bytesDone, bytesTotal }]) =>
      this.#fitted(`  ${file.padEnd(width)}  ${progressBar(bytesDone, bytesTotal)}`, 0),
    );
  }

  #fitted(text: string, taken: number): string {
    const room = (this.#stream.columns ?? 80) - taken;
    return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
  }
}
