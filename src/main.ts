import { setMaxListeners } from "node:events";
import type { CommandName } from "./config/optionTable.js";
import type { Problem } from "./model/errors.js";
import type { Flags } from "./program.js";
import type { Reporter } from "./report/createReporter.js";
import type { CommandResult } from "./report/events.js";

// Not stdin: opening it takes two milliseconds, and help does not need it.
const { argv, env, stdout, stderr } = process;

stdout.on("error", (error: NodeJS.ErrnoException) => {
  // Who sends an archive there has to learn that it is not whole.
  if (stdout.listenerCount("error") > 1) return;
  // `tsdeploy logs kubelet | head` is no failure.
  if (error.code === "EPIPE") process.exit();
  const hint = "Make room, or send it elsewhere.";
  stderr.write(`error: OUTPUT_UNWRITABLE: standard output cannot be written: ${error.message}\n  → ${hint}\n`);
  process.exit(3);
});
stderr.on("error", () => undefined);
void main();

/** The one place where errors end; sets the exit code. */
async function main(): Promise<void> {
  const { createProgram, parseFailure } = await import("./program.js");
  let reporter: Reporter | undefined;
  try {
    await createProgram({
      print: (text) => void stdout.write(text),
      run: async (command, flags, problems) => {
        const { commandTable } = await import("./config/commandTable.js");
        const streamsEvents = commandTable.some((row) => row.name === command && row.streamsEvents === true);
        reporter = await openReporter(flags["output"] ?? env["TSDEPLOY_OUTPUT"], isVerbose(flags), streamsEvents);
        const signal = abortOnSignals(reporter);
        const result = await runCommand(command, flags, problems, reporter, signal);
        reporter.result(result);
        process.exitCode = result.exitCode ?? 0;
      },
    }).parseAsync(argv);
  } catch (thrown) {
    const failure = parseFailure(thrown);
    if (failure.kind === "said") {
      process.exitCode = failure.exitCode;
      return;
    }
    // The command line could not be taken apart, but who wants JSON gets it.
    reporter ??= await openReporter(argv.some((word) => /^(-o|--output=)?json$/.test(word)) ? "json" : "text", false);
    reporter.error(failure.error);
    const { TsdeployError } = await import("./model/errors.js");
    process.exitCode = failure.error instanceof TsdeployError ? failure.error.exitCode : 1;
  }
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- ties the options to the command
async function runCommand<Name extends CommandName>(
  command: Name,
  flags: Flags,
  problems: readonly Problem[],
  reporter: Reporter,
  signal: AbortSignal,
): Promise<CommandResult> {
  const { stdin } = process;
  const { loadOptions } = await import("./config/loadOptions.js");
  const { text } = await import("node:stream/consumers");
  const warn = (message: string): void => {
    reporter.report({ kind: "warning", message });
  };
  const options = await loadOptions(command, { flags, env, problems, warn, readStdin: () => text(stdin) });
  const { commandFunctions } = await import("./program.js");
  const { createPrompts } = await import("./report/prompts.js");
  const execute = await commandFunctions[command]();
  const isTTY = stdin.isTTY && stderr.isTTY;
  const prompts = createPrompts({
    input: stdin,
    output: stderr,
    signal,
    isTTY,
    yes: options.yes,
    onAsk: () => {
      reporter.pause();
    },
    onInterrupt: () => process.kill(process.pid, "SIGINT"),
  });
  const writer = (stream: NodeJS.WritableStream) => async (text: string | Uint8Array) =>
    new Promise<void>((resolve) => {
      stream.write(text, () => {
        resolve();
      });
    });
  try {
    return await execute(options, {
      ...prompts,
      report: reporter.report,
      signal,
      env,
      isTTY,
      write: writer(stdout),
      writeError: writer(stderr),
      // To the upper left, and all behind it away.
      ...(stdout.isTTY && { redraw: async (text: string) => writer(stdout)(`\x1b[H\x1b[J${text}`) }),
    });
  } catch (error) {
    const { aborted, TsdeployError } = await import("./model/errors.js");
    if (!signal.aborted || error instanceof TsdeployError) throw error;
    throw aborted({ cause: error });
  }
}

/** The first signal lets the run undo what it did; the second ends it at once. */
function abortOnSignals(reporter: Reporter): AbortSignal {
  const abort = new AbortController();
  // Each host of a run on many has connections that end with it.
  setMaxListeners(0, abort.signal);
  const onSignal = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(130);
    reporter.report({ kind: "notice", message: `${name}: stopping, and undoing what this run has changed; once more to stop at once` });
    abort.abort();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return abort.signal;
}

async function openReporter(format: unknown, verbose: boolean, streamsEvents = false): Promise<Reporter> {
  const { createReporter } = await import("./report/createReporter.js");
  const output = format === "json" ? "json" : "text";
  return createReporter({ output, streamsEvents, verbose, isTTY: stderr.isTTY, stdout, stderr, env });
}

function isVerbose(flags: Flags): boolean {
  return flags["verbose"] === true || /^(1|true|yes)$/i.test(env["TSDEPLOY_VERBOSE"] ?? "");
}
