/** What kind of thing went wrong; decides the exit code. */
export type ErrorKind = "usage" | "environment" | "conflict" | "unreachable" | "failed" | "aborted";

/** Exit codes by kind. 0 is success; 1 is left to what nobody foresaw. */
export const exitCodes: Readonly<Record<ErrorKind, number>> = {
  /** Options, configuration file or arguments are wrong; Docker was not contacted. */
  usage: 2,
  /** The host, its Docker or the image cannot run this; nothing was changed. */
  environment: 3,
  /** Something already here (cluster, data, ports, names) stands against it; nothing was changed. */
  conflict: 4,
  /** Docker, the registry or the master cannot be reached, or refused our credentials. */
  unreachable: 5,
  /** It was tried and did not work in time; what was done has been undone. */
  failed: 6,
  /** Stopped by a signal: 128 + SIGINT, as shells expect. */
  aborted: 130,
};

/** One thing a user has to know: what is wrong and what to do about it. */
export interface Problem {
  /** Stable upper-case code, such as `PORT_TAKEN`. */
  readonly code: string;
  /** One sentence with the facts. Never a secret. */
  readonly message: string;
  /** The next step, an imperative sentence or a command. */
  readonly hint: string;
}

/** Every failure that a user can cause or meet; anything else is a bug and shows its stack. */
export class TsdeployError extends Error {
  readonly kind: ErrorKind;
  readonly problems: readonly Problem[];

  /** @param problems one or more; several mistakes are reported at once. */
  constructor(kind: ErrorKind, problems: Problem | readonly Problem[], options?: { cause?: unknown }) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map((problem) => `${problem.code}: ${problem.message}`).join("\n"), options);
    this.name = "TsdeployError";
    this.kind = kind;
    this.problems = list;
  }

  get exitCode(): number {
    return exitCodes[this.kind];
  }
}

/** What a run ends with that was stopped by a signal. */
export function aborted(options?: { cause?: unknown }): TsdeployError {
  const hint = "Run the same command again to go on.";
  return new TsdeployError("aborted", { code: "ABORTED", message: "stopped by a signal", hint }, options);
}

/** For the default branch of an exhaustive `switch`. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** Whether it is a report that begins with this problem. */
export function isProblem(error: unknown, code: string): error is TsdeployError {
  return error instanceof TsdeployError && error.problems[0]?.code === code;
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
