import { execFileSync } from "node:child_process";
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Helper } from "../../src/host/helperSession.js";
import { helperHere } from "./helperHere.js";

/**
 * `onTheWay` is what comes between the request for an answer and the script, as Docker's return does; `execs` are the
 * programs that Docker starts beside it.
 */
async function helperBehind(onTheWay: () => Promise<void>): Promise<{ helper: Helper; execs: readonly unknown[] }> {
  const execs: unknown[] = [];
  const helper = await helperHere({
    answerOf: async (_id, answer) => {
      await onTheWay();
      return answer();
    },
    exec: (_id, [program = "", ...args]) => {
      execs.push(args);
      return Promise.resolve({ exitCode: 0, stdout: execFileSync(program, args), stderr: "" });
    },
  });
  return { helper, execs };
}

it("two brief scripts at once each get their own answer", async () => {
  const { helper } = await helperBehind(() => turn());
  const both = ["one", "two"].map((word) => helper.run('echo "$1"', [word], { isBrief: true }));
  const said = (await Promise.all(both)).map(({ stdout }) => stdout.toString());
  expect(said).toEqual(["one\n", "two\n"]);
  await helper.close();
}, 10_000);

it("a brief script that Docker did not let through leaves the helper's program to the next one", async () => {
  let fault: Error | undefined = new Error("Docker is away");
  const { helper, execs } = await helperBehind(() => {
    const thrown = fault;
    fault = undefined;
    return thrown ? Promise.reject(thrown) : Promise.resolve();
  });
  await expect(helper.run("echo one", [], { isBrief: true })).rejects.toThrow("Docker is away");
  expect((await helper.run("echo two", [], { isBrief: true })).stdout.toString()).toBe("two\n");
  expect(execs).toEqual([]);
  await helper.close();
}, 10_000);
