import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { helperHere } from "./helperHere.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "unheard-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

it.each([true, false])("what undoes a run does not meet a script that was given up (brief itself: %s)", async (isBrief) => {
  const [release, log] = [join(folder, "release"), join(folder, "log")];
  execFileSync("mkfifo", [release]);
  writeFileSync(log, "");
  let giveUp: (error: Error) => void = () => undefined;
  const helper = await helperHere({
    answerOf: async (_id, answer) => Promise.race([answer(), new Promise<never>((_, reject) => (giveUp = reject))]),
    exec: () => {
      writeFileSync(log, "undone\n", { flag: "a" });
      return Promise.resolve({ exitCode: 0, stdout: Buffer.alloc(0), stderr: "" });
    },
  });
  const slow = helper.run('cat "$1"; echo done >>"$2"', [release, log], { isBrief: true });
  giveUp(new Error("given up"));
  await expect(slow).rejects.toThrow("given up");
  const undo = helper.run('echo undone >>"$1"', [log], { isBrief });
  await writeFile(release, "");
  await undo;
  expect(readFileSync(log, "utf8")).toBe("done\nundone\n");
  await helper.close();
});
