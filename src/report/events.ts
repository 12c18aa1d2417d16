import type { PullProgress } from "../model/dockerObjects.js";
import type { Problem } from "../model/errors.js";

/**
 * What a run reports while it lasts; rendered by terminal, plain lines or JSON elsewhere. `host` is there in a run on
 * many hosts: which of them it is about.
 */
export type ReportEvent = RunEvent & { readonly host?: string };

type RunEvent =
  | { readonly kind: "phase-started"; readonly phase: string }
  | { readonly kind: "phase-finished"; readonly phase: string; readonly durationMs: number }
  | { readonly kind: "phase-failed"; readonly phase: string; readonly durationMs: number }
  /** Of a run on many hosts: the work on this one begins, such as `join`. */
  | { readonly kind: "host-started"; readonly host: string; readonly work: string }
  | { readonly kind: "host-finished"; readonly host: string; readonly work: string; readonly durationMs: number }
  | {
      readonly kind: "host-failed";
      readonly host: string;
      readonly work: string;
      readonly durationMs: number;
      readonly problems: readonly Problem[];
    }
  /** A step of a plan, by its id; shown with `--verbose`. */
  | { readonly kind: "step-started"; readonly step: string }
  | { readonly kind: "step-finished"; readonly step: string; readonly durationMs: number }
  /** What a wait saw last; shown beside the running phase. */
  | { readonly kind: "waiting"; readonly phase: string; readonly seen: string }
  | { readonly kind: "pull-progress"; readonly image: string; readonly progress: PullProgress }
  /** One of several files that are downloaded at once; `done` takes it off the screen. */
  | {
      readonly kind: "download-progress";
      readonly file: string;
      readonly bytesDone: number;
      readonly bytesTotal?: number;
      readonly done?: true;
    }
  /** Images on their way from one place to another. */
  | { readonly kind: "transfer-progress"; readonly what: string; readonly bytesDone: number; readonly bytesTotal?: number }
  /** What Docker says while it builds an image. */
  | { readonly kind: "build-line"; readonly line: string }
  /** `danger`: one that nobody should overlook. */
  | { readonly kind: "warning"; readonly message: string; readonly danger?: true }
  | { readonly kind: "notice"; readonly message: string }
  /** A difference between what runs and what was requested: `- old`, `+ new` lines. */
  | { readonly kind: "difference"; readonly subject: string; readonly lines: readonly string[] }
  | { readonly kind: "problems"; readonly title: string; readonly problems: readonly Problem[] };

export type Report = (event: ReportEvent) => void;

/**
 * What a command ends with: `data` for `--output json`, `text` for people. Exactly one of them goes to stdout, and
 * everything else (progress, warnings, errors) to stderr.
 */
export interface CommandResult {
  readonly data: unknown;
  readonly text: string;
  /** All of it is on stdout already. */
  readonly isWritten?: true;
  /** Of a run that did a part of what it was to do; undefined is 0. */
  readonly exitCode?: number;
}

/** How long each phase took, in the order in which they ended. */
export interface PhaseTime {
  readonly phase: string;
  readonly durationMs: number;
  /** When it ended, in ms since this process began. */
  readonly endedAtMs: number;
}
