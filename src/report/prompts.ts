import { createInterface, type Interface } from "node:readline/promises";
import { Writable } from "node:stream";
import { aborted, TsdeployError } from "../model/errors.js";

export interface PromptOptions {
  readonly input: NodeJS.ReadableStream;
  /** Questions go to stderr: stdout is for results. */
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
  /** Whether a person is there to answer. */
  readonly isTTY: boolean;
  /** `--yes`: every confirmation is yes. */
  readonly yes: boolean;
  /** Called before a question is shown. */
  readonly onAsk: () => void;
  /** Called on Ctrl-C, which a terminal in use by readline does not turn into a signal. */
  readonly onInterrupt: () => void;
}

/** Questions to the person. */
export interface Prompts {
  readonly ask: (question: string) => Promise<string>;
  /** Without showing what is typed. */
  readonly askSecret: (question: string) => Promise<string>;
  /** No unless the answer is `y` or `yes`. */
  readonly confirm: (question: string) => Promise<boolean>;
}

/** Prompts that throw a TsdeployError `NO_TERMINAL` (usage) where nobody can be asked. */
export function createPrompts(options: PromptOptions): Prompts {
  const ask = async (question: string, isSecret: boolean): Promise<string> => {
    if (!options.isTTY) throw noTerminal(question);
    options.onAsk();
    const reader = openReader(options, isSecret);
    // From here on the terminal shows nothing by itself.
    if (isSecret) options.output.write(question);
    try {
      return (await reader.question(question, { signal: options.signal })).trim();
    } catch (error) {
      if (!options.signal.aborted) throw error;
      throw aborted();
    } finally {
      reader.close();
      if (isSecret) options.output.write("\n");
    }
  };
  return {
    ask: (question) => ask(question, false),
    askSecret: (question) => ask(question, true),
    confirm: async (question) => options.yes || /^y(es)?$/i.test(await ask(`${question} [y/N] `, false)),
  };
}

function openReader(options: PromptOptions, isSecret: boolean): Interface {
  // What is typed is dropped.
  const nowhere = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const reader = createInterface({
    input: options.input,
    output: isSecret ? nowhere : options.output,
    terminal: true,
    historySize: 0,
  });
  reader.on("SIGINT", options.onInterrupt);
  return reader;
}

function noTerminal(question: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "NO_TERMINAL",
    message: `there is no terminal to ask on: ${question.trim()}`,
    hint: "Say --yes, or give the answer as an option.",
  });
}
