import ora, { type Ora } from "ora";
import { unreachable } from "../model/errors.js";
import type { ReportEvent } from "./events.js";
import { formatDuration } from "./formatDuration.js";
import { progressBar } from "./progressBar.js";
import { pullText } from "./pullText.js";
import { renderProblems } from "./renderError.js";
import { lastingLines, ofHost, type Renderer, type TerminalStream } from "./renderer.js";
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

/** A host that is worked on, and its own phases. */
interface RunningHost {
  readonly work: string;
  readonly beganMs: number;
  readonly phases: Map<string, RunningPhase>;
}

/** So that bars do not fill the screen; those that have begun last come up as others end. */
const maxBars = 10;

/**
 * For a person: one spinner line with the phases that run, a bar for each file that is downloaded, and a lasting line
 * for each phase that has ended. Of many hosts, each that is worked on has a line with its phases, and a lasting one
 * when it is done.
 */
export class Terminal implements Renderer {
  readonly #stream: TerminalStream;
  readonly #style: Style;
  readonly #spinner: Ora;
  readonly #verbose: boolean;
  readonly #running = new Map<string, RunningPhase>();
  readonly #hosts = new Map<string, RunningHost>();
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
      suffixText: () => [this.#spinnerLine(), ...this.#hostLines(), ...this.#bars()].join("\n"),
      ...(style.isColoured ? {} : { color: false }),
    });
  }

  event(event: ReportEvent): void {
    const lines = lastingLines(event, this.#style);
    if (lines !== undefined) this.#last(lines);
    else if (event.host === undefined) this.#course(event);
    else this.#courseOfHost(event, event.host);
    if (this.#running.size + this.#hosts.size > 0) this.#spinner.start();
  }

  pause(): void {
    this.#spinner.stop();
  }

  /** What passes on one host of many changes its line, and leaves none: fifty hosts would leave hundreds. */
  #courseOfHost(event: ReportEvent, name: string): void {
    const phases = this.#hosts.get(name)?.phases ?? new Map<string, RunningPhase>();
    if (event.kind === "host-started") {
      this.#hosts.set(name, { work: event.work, beganMs: performance.now(), phases });
    } else if (event.kind === "host-finished" || event.kind === "host-failed") {
      this.#hosts.delete(name);
      this.#last(ofHost(name, this.#ended(event)));
    } else if (event.kind === "phase-started") {
      phases.set(event.phase, { beganMs: performance.now() });
    } else if (event.kind === "phase-finished" || event.kind === "phase-failed") {
      phases.delete(event.phase);
    } else {
      this.#seeOf(phases, event);
    }
  }

  #ended(event: ReportEvent & { readonly kind: "host-finished" | "host-failed" }): string {
    const style = this.#style;
    const duration = style.dim(formatDuration(event.durationMs));
    if (event.kind === "host-finished") return `${style.green("✔")} ${event.work} ${duration}`;
    return `${style.red("✖")} ${event.work} ${duration}\n${renderProblems(event.problems, style).trimEnd()}`;
  }

  /** What is seen of a phase, beside the phase. */
  #seeOf(phases: ReadonlyMap<string, RunningPhase>, event: ReportEvent): void {
    const see = (phase: string | undefined, seen: string): void => {
      const running = phase === undefined ? undefined : phases.get(phase);
      if (running) running.seen = seen;
    };
    const lastPhase = [...phases.keys()].at(-1);
    if (event.kind === "waiting") see(event.phase, event.seen);
    else if (event.kind === "pull-progress") see(lastPhase, `${event.image} ${pullText(event.progress)}`);
    else if (event.kind === "transfer-progress") {
      see(lastPhase, `${event.what} ${progressBar(event.bytesDone, event.bytesTotal)}`);
    } else if (event.kind === "download-progress") {
      see(lastPhase, `${event.file} ${progressBar(event.bytesDone, event.bytesTotal)}`);
    } else if (event.kind === "build-line") see(lastPhase, event.line);
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
      case "pull-progress":
      case "transfer-progress":
        this.#seeOf(this.#running, event);
        break;
      case "download-progress":
        if (event.done === true) this.#downloads.delete(event.file);
        else this.#downloads.set(event.file, { bytesDone: event.bytesDone, bytesTotal: event.bytesTotal });
        break;
      case "build-line":
        if (this.#verbose) this.#last(this.#style.dim(event.line));
        else this.#seeOf(this.#running, event);
        break;
      case "host-started":
      case "host-finished":
      case "host-failed":
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

  /** Above the spinner. */
  #last(lines: string): void {
    this.#spinner.stop();
    this.#stream.write(`${lines}\n`);
  }

  /** In one line of the terminal: what wraps flickers. */
  #spinnerLine(): string {
    const hosts = this.#hosts.size === 1 ? "1 host" : `${this.#hosts.size} hosts`;
    const text = this.#running.size === 0 ? hosts : phasesText(this.#running);
    return this.#fitted(text, "⠋  ".length);
  }

  #hostLines(): string[] {
    const shown = [...this.#hosts].slice(0, maxBars);
    const width = Math.max(0, ...shown.map(([name]) => name.length));
    const more = this.#hosts.size - shown.length;
    return [
      ...shown.map(([name, { work, beganMs, phases }]) => {
        const course = phases.size === 0 ? "" : ` · ${phasesText(phases)}`;
        return this.#fitted(`  ${name.padEnd(width)}  ${work} ${secondsSince(beganMs)} s${course}`, 0);
      }),
      ...(more > 0 ? [`  and ${more} more`] : []),
    ];
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

function phasesText(phases: ReadonlyMap<string, RunningPhase>): string {
  return [...phases]
    .map(([phase, { beganMs, seen }]) => `${phase} ${secondsSince(beganMs)} s${seen === undefined ? "" : `: ${seen}`}`)
    .join(" · ")
    .replace(/\s+/g, " ");
}

function secondsSince(beganMs: number): number {
  return Math.floor((performance.now() - beganMs) / 1000);
}
