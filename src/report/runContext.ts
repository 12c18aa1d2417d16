import type { Report } from "./events.js";

/** What a command has of the world besides its options. */
export interface RunContext {
  readonly report: Report;
  /** Aborts when the person presses Ctrl-C. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  /** Whether a person can be asked. */
  readonly isTTY: boolean;
  /** Writes to stdout at once, for what has no end, such as a log that is followed. Resolves when it is on its way. */
  readonly write: (text: string | Uint8Array) => Promise<void>;
  /** The same to stderr, for what a program of the person's says there. */
  readonly writeError: (text: string | Uint8Array) => Promise<void>;
  /** Puts a text in the place of all that is on the terminal; undefined where stdout is none. */
  readonly redraw?: (text: string) => Promise<void>;
  ask(question: string): Promise<string>;
  /** Without showing what is typed. */
  askSecret(question: string): Promise<string>;
  confirm(question: string): Promise<boolean>;
}
