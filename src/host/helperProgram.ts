import type { Writable } from "node:stream";
import { nanoid } from "nanoid";
import type { ExecResult } from "../docker/containerEngine.js";

/** A Bash script by its text, a name for what Bash says of it, and its arguments. */
export interface Script {
  readonly script: string;
  readonly name: string;
  readonly args: readonly string[];
}

/**
 * Runs a script, says on both streams by a line of its own that it has ended, and does the same with those that come by
 * its input: a line with the sizes of script and standard input and the number of arguments (the name is one), the
 * script, the arguments, each with a zero byte behind it, and the standard input. Ends when its input does.
 */
const program = `end=$1
shift
finish() {
  printf '\\n%s %03d\\n' "$end" "$1"
  printf '\\n%s 000\\n' "$end" >&2
}
bash -c "$@" </dev/null
finish $?
while read -r script_bytes input_bytes count; do
  script=$(head -c "$script_bytes")
  args=()
  for ((i = 0; i < count; i++)); do IFS= read -r -d '' arg && args+=("$arg"); done
  # Cut off, it would be another script.
  ((\${#args[@]} == count)) || exit
  head -c "$input_bytes" | {
    bash -c "$script" "\${args[@]}"
    status=$?
    cat >/dev/null
    exit "$status"
  }
  finish $?
done`;

/**
 * The program of a helper's container, which runs scripts one at a time: to start a program in a container that runs
 * costs Docker as much time as a script takes. A script goes on to its end when whoever started it dies, and the
 * container with it.
 */
export class HelperProgram {
  /** Of the container. */
  readonly command: readonly string[];
  /** Nobody else knows it, so no output holds it. */
  readonly #end = nanoid();
  #said: Record<"stdout" | "stderr", Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  /** Somebody is about to run a script. */
  #isClaimed = false;
  /** What runs. */
  #current: Promise<ExecResult> | undefined;
  #resolve: ((result: ExecResult) => void) | undefined;
  #first: Promise<ExecResult> | undefined;

  /** @param first what the container begins with */
  constructor({ script, name, args }: Script) {
    this.command = ["bash", "-c", program, "helper", this.#end, script, name, ...args];
    this.#first = this.#nextResult();
  }

  /**
   * Whether another script may be run: nobody else's is, until it has ended or is released. At once, because between a
   * look and the run somebody else may have looked.
   */
  claim(): boolean {
    if (this.#isClaimed || this.#current) return false;
    this.#isClaimed = true;
    return true;
  }

  /** Of a claim whose script has perhaps not been run; nothing if it has. */
  release(): void {
    this.#isClaimed = false;
  }

  /** Takes what the container says. */
  readonly take = (chunk: Buffer, stream: "stdout" | "stderr"): void => {
    this.#said[stream] = Buffer.concat([this.#said[stream], chunk]);
    const [stdout, stderr] = [this.#upToEnd("stdout"), this.#upToEnd("stderr")];
    if (!stdout || !stderr) return;
    this.#said = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    this.#current = undefined;
    this.#resolve?.({ exitCode: stdout.status, stdout: stdout.text, stderr: stderr.text.toString() });
  };

  /**
   * What waits for the first script's end; it throws what `ended` aborts with, if the container ends before the script.
   * Undefined if that has been asked for before: what the script saw may be so no more.
   */
  takeFirst(): ((ended: AbortSignal) => Promise<ExecResult>) | undefined {
    const first = this.#first;
    this.#first = undefined;
    return first && ((ended) => unlessEnded(first, ended));
  }

  /** Resolves when the script that runs has ended. @throws what `ended` aborts with */
  async untilIdle(ended: AbortSignal): Promise<void> {
    if (this.#current) await unlessEnded(this.#current, ended);
  }

  /** Another script, of who has a `claim`. @param input of the container @throws what `ended` aborts with */
  async run(
    { script, name, args }: Script,
    stdin: Buffer,
    input: Writable,
    ended: AbortSignal,
  ): Promise<ExecResult> {
    const result = this.#nextResult();
    const text = Buffer.from(script);
    const words = [name, ...args];
    const head = `${text.length} ${stdin.length} ${words.length}\n`;
    input.write(Buffer.concat([Buffer.from(head), text, Buffer.from(words.map((word) => `${word}\0`).join("")), stdin]));
    return unlessEnded(result, ended);
  }

  async #nextResult(): Promise<ExecResult> {
    this.#current = new Promise((resolve) => (this.#resolve = resolve));
    return this.#current;
  }

  /** Undefined until that stream has come to its end. */
  #upToEnd(stream: "stdout" | "stderr"): { readonly text: Buffer; readonly status: number } | undefined {
    const said = this.#said[stream];
    const last = `\n${this.#end} 000\n`.length;
    if (said.length < last) return undefined;
    const line = said.subarray(-last).toString("latin1");
    if (!line.startsWith(`\n${this.#end} `)) return undefined;
    return { text: said.subarray(0, -last), status: Number(line.slice(-4)) };
  }
}

async function unlessEnded(running: Promise<ExecResult>, ended: AbortSignal): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      reject(ended.reason as Error);
    };
    ended.addEventListener("abort", fail, { once: true });
    void running.then((result) => {
      ended.removeEventListener("abort", fail);
      resolve(result);
    });
    if (ended.aborted) fail();
  });
}
