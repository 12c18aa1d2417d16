import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runScript } from "./runScript.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-addons-"));
  await mkdir(join(folder, "from/deep"), { recursive: true });
});
afterEach(() => rm(folder, { recursive: true }));

async function copy(): Promise<string[]> {
  const result = await runScript("copy-addons", "--once", "--from", join(folder, "from"), "--to", join(folder, "to"));
  expect(result).toEqual({ code: 0, stdout: "", stderr: "" });
  const entries = await readdir(join(folder, "to"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => file.slice(folder.length)).sort();
}

const write = (name: string, text: string): Promise<void> => writeFile(join(folder, "from", name), text);

test("copies, updates and removes, but no hidden files", async () => {
  await write("a b.yaml", "1");
  await write("deep/c.json", "1");
  await write(".hidden.yaml", "1");
  expect(await copy()).toEqual(["/to/.complete", "/to/a b.yaml", "/to/deep/c.json"]);
  await write("a b.yaml", "2");
  await rm(join(folder, "from/deep/c.json"));
  expect(await copy()).toEqual(["/to/.complete", "/to/a b.yaml"]);
  expect(await readFile(join(folder, "to/a b.yaml"), "utf8")).toBe("2");
});

test("an empty folder is complete, too", async () => {
  expect(await copy()).toEqual(["/to/.complete"]);
  expect((await stat(join(folder, "to/.complete"))).size).toBeGreaterThan(0);
});

test("a file that has not changed is left alone", async () => {
  await write("a.yaml", "1");
  await copy();
  const { ino } = await stat(join(folder, "to/a.yaml"));
  await write("b.yaml", "1");
  await rename(join(folder, "from/b.yaml"), join(folder, "from/c.yaml"));
  await copy();
  expect((await stat(join(folder, "to/a.yaml"))).ino).toBe(ino);
});
