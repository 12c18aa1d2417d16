import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));

/** What a person may meet: it is shown without a stack. */
export class BenchError extends Error {
  constructor(message, { lines = [], next = "Run it again: it removes first what this run left." } = {}) {
    super([message, ...lines.map((line) => `  ${line}`), `  → ${next}`].join("\n"));
  }
}

const interruption = new AbortController();

/** Aborts at the first Ctrl-C. */
export const interrupted = interruption.signal;

/** The first signal ends what is measured, the second one everything. */
export function listenForSignals() {
  for (const name of ["SIGINT", "SIGTERM"]) {
    process.on(name, () => {
      if (interrupted.aborted) process.exit(130);
      process.stderr.write(`bench: ${name}: cleaning up; once more to leave it at once\n`);
      interruption.abort();
    });
  }
}

/** Calls back at Ctrl-C, at once if it was before. @returns takes that back */
export function onInterruption(stop) {
  if (interrupted.aborted) stop();
  interrupted.addEventListener("abort", stop);
  return () => interrupted.removeEventListener("abort", stop);
}

/** Waits, but not longer than until Ctrl-C. */
export async function pause(ms) {
  await new Promise((resolve) => {
    let forget = () => undefined;
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      forget();
      resolve();
    }
    forget = onInterruption(done);
  });
}

/**
 * Runs a command to its end, and ends it early when the bench is interrupted.
 *
 * @returns what it wrote to stdout, and the time from spawn to exit
 */
export async function execute(argv, { env = process.env, on, shows = false, always = false, next } = {}) {
  if (!always && interrupted.aborted) throw new BenchError("interrupted");
  const began = performance.now();
  // A group of its own: Ctrl-C in a terminal then reaches it once, by us, and does not reach what cleans up.
  const child = spawn(argv[0], argv.slice(1), {
    env,
    detached: true,
    stdio: ["ignore", shows ? 2 : "pipe", shows ? 2 : "pipe"],
  });
  const forget = always ? () => undefined : onInterruption(() => endGroup(child));
  const exited = new Promise((resolve) => {
    child.on("error", resolve);
    child.on("exit", (code, signal) => resolve(code ?? signal));
  });
  const [status, stdout, stderr] = await Promise.all([
    exited.then((value) => ({ value, wallMs: performance.now() - began })),
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
  ]);
  forget();
  if (!always && interrupted.aborted) throw new BenchError("interrupted");
  if (status.value !== 0) {
    const what = argv.filter((word) => word !== process.execPath).map((word) => word.replace(root, "")).join(" ");
    const lines = shows ? [] : [...stderr.trimEnd().split("\n"), ...stdout.trimEnd().split("\n")].filter(Boolean).slice(-15);
    const where = on === undefined ? "" : ` on machine ${on}`;
    const how = status.value instanceof Error ? `cannot run: ${status.value.message}` : `ended with ${status.value}`;
    throw new BenchError(`${what}${where} ${how}`, { lines, ...(next && { next }) });
  }
  return { stdout, wallMs: status.wallMs };
}

/** Ends a command that was started as a group of its own, with all that it started. */
export function endGroup({ pid }) {
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // It never ran, or has ended.
  }
}
