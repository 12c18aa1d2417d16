import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { patience } from "./patience.js";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../../..", import.meta.url));

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly timeoutMs?: number;
  /** Sends a signal when it aborts: its reason. */
  readonly kill?: AbortSignal;
  /** Sends a signal as soon as it has said this on stderr, or something that this finds there. */
  readonly killAt?: { readonly says: Says; readonly signal: NodeJS.Signals } | undefined;
  /** Presses Ctrl-C as soon as so many lines are on stdout. */
  readonly interruptAtLine?: number;
  /** Each is called once, as soon as it has said this on stderr. */
  readonly whenSaid?: Saying | readonly Saying[] | undefined;
}

type Says = string | ((stderr: string) => boolean);

export interface Saying {
  readonly says: string;
  /** @param child who has said it */
  readonly act: (child: ChildProcess) => void;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** Runs a program in the repository's root, without a terminal, and collects what it says. No exit code is an error. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { env = process.env, input, timeoutMs = 300_000 * patience, kill, killAt, interruptAtLine, whenSaid } = options;
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, timeout: timeoutMs, stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    kill?.addEventListener("abort", () => child.kill(kill.reason as NodeJS.Signals));
    let isKilled = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      const lines = stdout.split("\n").length - 1;
      if (interruptAtLine !== undefined && !isKilled && lines >= interruptAtLine) isKilled = child.kill("SIGINT");
    });
    const sayings = new Set([whenSaid ?? []].flat());
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (killAt && !isKilled && hasSaid(stderr, killAt.says)) isKilled = child.kill(killAt.signal);
      for (const saying of sayings) {
        if (stderr.includes(saying.says) && sayings.delete(saying)) saying.act(child);
      }
    });
    // A program that does not read its input is no failure.
    child.stdin.on("error", () => undefined).end(input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const ended = signal === null ? "" : `\nended by ${signal} after ${Math.round(performance.now() - began)} ms`;
      resolve({ exitCode: code ?? -1, stdout, stderr: stderr + ended, durationMs: performance.now() - began });
    });
  });
}

function hasSaid(stderr: string, says: Says): boolean {
  return typeof says === "string" ? stderr.includes(says) : says(stderr);
}

/** The same for what has to succeed. @returns its stdout @throws Error with all that it said */
export async function runOk(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(command, args, options);
  if (result.exitCode !== 0) throw new Error(describe(`${command} ${args.join(" ")}`, result));
  return result.stdout;
}

/** For failure messages. */
export function describe(what: string, { exitCode, stdout, stderr }: RunResult): string {
  return `${what}: exit code ${exitCode}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`;
}
