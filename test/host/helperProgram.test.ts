import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { expect, it } from "vitest";
import { HelperProgram } from "../../src/host/helperProgram.js";

const never = new AbortController().signal;

/** Runs it as a container would, and hands over what it says in pieces. `end` ends its input: its exit status. */
function start(program: HelperProgram, pieceBytes: number): { input: Writable; end: () => Promise<unknown> } {
  const [command = "", ...args] = program.command;
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      for (let from = 0; from < chunk.length; from += pieceBytes) {
        program.take(chunk.subarray(from, from + pieceBytes), stream);
      }
    });
  }
  const end = async () => {
    child.stdin.end();
    const [status] = (await once(child, "exit")) as [number];
    return status;
  };
  return { input: child.stdin, end };
}

const echo = {
  script: `printf 'a\\0b\\n'; printf '%s-' "$0" "$@"; cat; echo careful >&2; exit 3`,
  name: "echo.sh",
  args: ["one two", "$three", ""],
};

it.each([1, 7, 100_000])("each script is heard to its end, in pieces of %d bytes", async (pieceBytes) => {
  const program = new HelperProgram(echo);
  const { input, end } = start(program, pieceBytes);
  const said = { exitCode: 3, stdout: Buffer.from("a\0b\necho.sh-one two-$three--"), stderr: "careful\n" };
  expect(program.claim()).toBe(false);
  expect(await program.takeFirst()?.(never)).toEqual(said);
  expect(program.takeFirst()).toBeUndefined();
  expect([program.claim(), program.claim()]).toEqual([true, false]);

  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, byte) => byte % 256));
  const copied = Buffer.concat([said.stdout, bytes]);
  expect(await program.run(echo, bytes, input, never)).toEqual({ ...said, stdout: copied });
  expect(await program.run(echo, Buffer.alloc(0), input, never)).toEqual(said);
  // It waits for what is to be run next, or the end of its input.
  expect(await end()).toBe(0);
});

it("what a script leaves of its input is not taken for the next script", async () => {
  const program = new HelperProgram({ ...echo, script: "true" });
  const { input, end } = start(program, 100);
  await program.takeFirst()?.(never);
  const refusing = { script: "head -c 3; exit 1", name: "refusing.sh", args: [] };
  const result = { exitCode: 1, stdout: Buffer.from("1 1"), stderr: "" };
  expect(await program.run(refusing, Buffer.from("1 1 1\n".repeat(50_000)), input, never)).toEqual(result);
  const next = await program.run({ ...echo, script: "echo $0" }, Buffer.alloc(0), input, never);
  expect(next).toEqual({ exitCode: 0, stdout: Buffer.from("echo.sh\n"), stderr: "" });
  expect(await end()).toBe(0);
});

it("a script that is cut off is no script that has ended", async () => {
  const program = new HelperProgram({ ...echo, script: "kill -KILL $PPID" });
  const ended = new AbortController();
  const first = program.takeFirst()?.(ended.signal);
  const { end } = start(program, 100);
  void end().then(() => {
    ended.abort(new Error("the container has ended"));
  });
  await expect(first).rejects.toThrow("the container has ended");
  await expect(new HelperProgram(echo).takeFirst()?.(AbortSignal.abort(new Error("stopped")))).rejects.toThrow("stopped");
});
