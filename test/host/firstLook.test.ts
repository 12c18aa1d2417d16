import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { FirstLook } from "../../src/host/firstLook.js";

const never = new AbortController().signal;

/** Runs it as a container would, and hands over what it says in pieces. @returns ends its input; its exit status */
function run(look: FirstLook, pieceBytes: number): () => Promise<unknown> {
  const [program = "", ...args] = look.command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      for (let from = 0; from < chunk.length; from += pieceBytes) {
        look.take(chunk.subarray(from, from + pieceBytes), stream);
      }
    });
  }
  return async () => {
    child.stdin.end();
    const [status] = (await once(child, "exit")) as [number];
    return status;
  };
}

it.each([1, 7, 100_000])("a container's first script is heard to its end, in pieces of %d bytes", async (pieceBytes) => {
  const script = `printf 'a\\0b\\n'; printf '%s-' "$0" "$@"; cat; echo careful >&2; exit 3`;
  const look = new FirstLook(script, "look.sh", ["one two", "$three", ""]);
  const end = run(look, pieceBytes);
  expect(await look.result(never)).toEqual({
    exitCode: 3,
    stdout: Buffer.from("a\0b\nlook.sh-one two-$three--"),
    stderr: "careful\n",
  });
  // It has waited for the end of its input.
  expect(await end()).toBe(0);
});

it("a script that is cut off is no script that has ended", async () => {
  const look = new FirstLook("kill -KILL $PPID", "look.sh", []);
  const ended = new AbortController();
  const end = run(look, 100);
  void end().then(() => {
    ended.abort(new Error("the container has ended"));
  });
  await expect(look.result(ended.signal)).rejects.toThrow("the container has ended");
  await expect(look.result(AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
});
