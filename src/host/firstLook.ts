import { nanoid } from "nanoid";
import type { ExecResult } from "../docker/containerEngine.js";

/**
 * Runs a script, says on both streams by a line of its own that it has ended, and then only waits for the end of its
 * input.
 */
const program = `end=$1 script=$2
shift 2
bash -c "$script" "$@" </dev/null
printf '\\n%s %03d\\n' "$end" $?
printf '\\n%s 000\\n' "$end" >&2
exec cat >/dev/null`;

/**
 * A script that a helper's container begins with by itself: to start one in it later costs Docker as much time as the
 * script takes.
 */
export class FirstLook {
  /** Of the container. */
  readonly command: readonly string[];
  /** Nobody else knows it, so no output holds it. */
  readonly #end = nanoid();
  readonly #said: Record<"stdout" | "stderr", Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  readonly #result: Promise<ExecResult>;
  #resolve: (result: ExecResult) => void = () => undefined;

  /** @param name of the script, for what Bash says of it */
  constructor(script: string, name: string, args: readonly string[]) {
    this.command = ["bash", "-c", program, "helper", this.#end, script, name, ...args];
    this.#result = new Promise((resolve) => (this.#resolve = resolve));
  }

  /** Takes what the container says. */
  readonly take = (chunk: Buffer, stream: "stdout" | "stderr"): void => {
    this.#said[stream] = Buffer.concat([this.#said[stream], chunk]);
    const [stdout, stderr] = [this.#upToEnd("stdout"), this.#upToEnd("stderr")];
    if (!stdout || !stderr) return;
    this.#resolve({ exitCode: stdout.status, stdout: stdout.text, stderr: stderr.text.toString() });
  };

  /** How the script ended. @throws what `ended` aborts with, if the container ends before the script */
  async result(ended: AbortSignal): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(ended.reason as Error);
      };
      ended.addEventListener("abort", fail, { once: true });
      void this.#result.then((result) => {
        ended.removeEventListener("abort", fail);
        resolve(result);
      });
      if (ended.aborted) fail();
    });
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
