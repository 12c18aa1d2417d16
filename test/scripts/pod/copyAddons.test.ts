import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runScript, startScript } from "./runScript.js";

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

test("says of which revision of the folder the copy is, when what has left the folder is gone", async () => {
  const complete = (): Promise<string> => readFile(join(folder, "to/.complete"), "utf8");
  await write("a.yaml", "1");
  await copy();
  expect(await complete()).toBe("none\n");
  await rm(join(folder, "from/a.yaml"));
  await write("revision", "two\n");
  expect(await copy()).toEqual(["/to/.complete", "/to/revision"]);
  expect(await complete()).toBe("two\n");
});

test("a copy that is not whole is of no new revision", async () => {
  await write("a.yaml", "1");
  await copy();
  await write("revision", "two\n");
  await write("b.yaml", "1");
  // Nothing can be written below what is a file here.
  await mkdir(join(folder, "from/c"));
  await write("c/d.yaml", "1");
  await writeFile(join(folder, "to/c"), "");
  const result = await runScript("copy-addons", "--once", "--from", join(folder, "from"), "--to", join(folder, "to"));
  expect(result.code).toBe(1);
  expect(await readFile(join(folder, "to/.complete"), "utf8")).toBe("none\n");
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

describe("on a full disk", () => {
  const mount = (...args: string[]): Buffer => execFileSync("mount", [...args, join(folder, "to")]);
  const copyFails = async (): Promise<void> => {
    const result = await runScript("copy-addons", "--once", "--from", join(folder, "from"), "--to", join(folder, "to"));
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining("No space left") as string });
  };
  const whole = (letter: string): string => letter.repeat(40_000);

  beforeEach(async () => {
    await mkdir(join(folder, "to"));
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs");
  });
  // Lazily: what has just ended may still hold it on a slow machine.
  afterEach(() => execFileSync("umount", ["--lazy", join(folder, "to")]));

  test("a file stays as it was until it can be replaced as a whole", async () => {
    await write("a.yaml", "old");
    await write("gone.yaml", "1");
    await copy();
    await write("a.yaml", whole("a") + whole("b"));
    await rm(join(folder, "from/gone.yaml"));
    await copyFails();
    // What is gone still goes, and nothing fills the disk in vain.
    expect((await readdir(join(folder, "to"))).sort()).toEqual([".complete", "a.yaml"]);
    expect(await readFile(join(folder, "to/a.yaml"), "utf8")).toBe("old");
    mount("-o", "remount,size=1m");
    await copy();
    expect(await readFile(join(folder, "to/a.yaml"), "utf8")).toBe(whole("a") + whole("b"));
  });

  test("nothing is complete before all files are there: the add-on manager would remove the others' objects", async () => {
    await write("a.yaml", whole("a"));
    await write("b.yaml", whole("b"));
    await copyFails();
    const [name, ...more] = await readdir(join(folder, "to"));
    expect(more).toEqual([]);
    expect(["a.yaml", "b.yaml"]).toContain(name);
    mount("-o", "remount,size=1m");
    expect(await copy()).toEqual(["/to/.complete", "/to/a.yaml", "/to/b.yaml"]);
  });

  test("what could not be copied is tried again, though the host's files stay the same", async () => {
    await write("a.yaml", whole("a") + whole("b"));
    await mkdir(join(folder, "bin"));
    await writeFile(join(folder, "bin/sleep"), "#!/bin/sh\nexec /bin/sleep 0.05\n", { mode: 0o755 });
    const args = ["--from", join(folder, "from"), "--to", join(folder, "to")];
    const { child, done } = startScript("copy-addons", args, join(folder, "bin"));
    await once(child.stderr, "data");
    mount("-o", "remount,size=1m");
    await vi.waitUntil(() => existsSync(join(folder, "to/.complete")), { timeout: 10_000 });
    expect(await readFile(join(folder, "to/a.yaml"), "utf8")).toBe(whole("a") + whole("b"));
    child.kill();
    await done;
  });

  test("what a killed copy left is removed", async () => {
    await mkdir(join(folder, "to/deep"));
    await writeFile(join(folder, "to/deep/.new"), whole("x"));
    await write("a.yaml", whole("a"));
    expect(await copy()).toEqual(["/to/.complete", "/to/a.yaml"]);
  });
});

test("a link that leads nowhere keeps no other file back", async () => {
  await symlink("/nowhere", join(folder, "from/dangling.yaml"));
  await write("a.yaml", "1");
  expect(await copy()).toEqual(["/to/.complete", "/to/a.yaml"]);
});
