import { execFileSync, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { type Helper, openHelper } from "../../src/host/helperSession.js";

/**
 * A helper whose program runs here, and has ended with its first script. `onTheWay` is what comes between the request
 * for an answer and the script, as Docker's return does; `execs` counts the programs that Docker starts beside it.
 */
async function helperHere(onTheWay: () => Promise<void>): Promise<{ helper: Helper; execs: readonly unknown[] }> {
  const execs: unknown[] = [];
  let isOver: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => (isOver = resolve));
  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///fake.sock",
    runAttached: (_name, { command }, onOutput) => {
      const [program = "", ...args] = command;
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
      const ended = new Set<string>();
      for (const stream of ["stdout", "stderr"] as const) {
        child[stream].on("data", (chunk: Buffer) => {
          onOutput?.(chunk, stream);
          if (chunk.toString().endsWith(" 000\n") && ended.add(stream).size === 2) isOver();
        });
      }
      return Promise.resolve({ id: "helper", stdin: child.stdin });
    },
    answerOf: async (_id, answer) => {
      await onTheWay();
      return answer();
    },
    exec: (_id, [program = "", ...args]) => {
      execs.push(args);
      return Promise.resolve({ exitCode: 0, stdout: execFileSync(program, args), stderr: "" });
    },
    waitUntilRemoved: () => Promise.resolve(),
  };
  const look = { script: "true", name: "look", args: [] };
  const helper = await openHelper(engine as ContainerEngine, "a:1", { look });
  await looked;
  return { helper, execs };
}

it("two brief scripts at once each get their own answer", async () => {
  const { helper } = await helperHere(() => delay(20));
  const both = ["one", "two"].map((word) => helper.run('echo "$1"', [word], { isBrief: true }));
  const said = (await Promise.all(both)).map(({ stdout }) => stdout.toString());
  expect(said).toEqual(["one\n", "two\n"]);
  await helper.close();
}, 10_000);

it("a brief script that Docker did not let through leaves the helper's program to the next one", async () => {
  let fault: Error | undefined = new Error("Docker is away");
  const { helper, execs } = await helperHere(() => {
    const thrown = fault;
    fault = undefined;
    return thrown ? Promise.reject(thrown) : Promise.resolve();
  });
  await expect(helper.run("echo one", [], { isBrief: true })).rejects.toThrow("Docker is away");
  expect((await helper.run("echo two", [], { isBrief: true })).stdout.toString()).toBe("two\n");
  expect(execs).toEqual([]);
  await helper.close();
}, 10_000);
