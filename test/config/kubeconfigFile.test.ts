import {
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changeKubeconfigFile, kubeconfigPath } from "../../src/config/kubeconfigFile.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-kubeconfig-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe("the kubeconfig to write is", () => {
  const there = (name: string): string => {
    writeFileSync(join(folder, name), "");
    return join(folder, name);
  };

  test("the named one", () => {
    expect(kubeconfigPath("/named", { KUBECONFIG: "/other" }, "/home/me")).toBe("/named");
  });

  test("the first of $KUBECONFIG that is there", () => {
    const [missing, first, second] = [join(folder, "missing"), there("first"), there("second")];
    expect(kubeconfigPath(undefined, { KUBECONFIG: `${missing}:${first}:${second}` }, "/home/me")).toBe(first);
  });

  test("the last of $KUBECONFIG if none is there", () => {
    expect(kubeconfigPath(undefined, { KUBECONFIG: `:${folder}/a:${folder}/b` }, "/home/me")).toBe(`${folder}/b`);
  });

  test("~/.kube/config", () => {
    expect(kubeconfigPath(undefined, {}, "/home/me")).toBe("/home/me/.kube/config");
    expect(kubeconfigPath(undefined, { KUBECONFIG: "" }, "/home/me")).toBe("/home/me/.kube/config");
  });
});

describe("changing it", () => {
  test("makes the file and its folder, for the owner alone, and leaves nothing beside it", async () => {
    const path = join(folder, ".kube", "config");
    await changeKubeconfigFile(path, (text) => {
      expect(text).toBeUndefined();
      return "new";
    });
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, ".kube")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(folder, ".kube"))).toEqual(["config"]);
  });

  test("goes through a link, keeps its owner, and narrows its mode", async () => {
    const path = join(folder, "config");
    writeFileSync(join(folder, "real"), "old", { mode: 0o644 });
    symlinkSync("real", path);
    const uid = process.getuid?.() === 0 ? 12345 : statSync(join(folder, "real")).uid;
    chownSync(join(folder, "real"), uid, -1);
    await changeKubeconfigFile(path, (text) => `${text ?? ""} and new`);
    expect(readFileSync(join(folder, "real"), "utf8")).toBe("old and new");
    expect(statSync(join(folder, "real")).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "real")).uid).toBe(uid);
    expect(readdirSync(folder).sort()).toEqual(["config", "real"]);
  });

  test("leaves it untouched when there is nothing to change or the change fails", async () => {
    const path = join(folder, "config");
    writeFileSync(path, "old");
    const { ino } = statSync(path);
    await changeKubeconfigFile(path, () => undefined);
    await expect(
      changeKubeconfigFile(path, () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(statSync(path).ino).toBe(ino);
    expect(readdirSync(folder)).toEqual(["config"]);
  });

  test("many at once lose nothing", async () => {
    const path = join(folder, "config");
    const one = (): Promise<void> => changeKubeconfigFile(path, (text) => `${text ?? ""}x`);
    await Promise.all(Array.from({ length: 8 }, one));
    expect(readFileSync(path, "utf8")).toBe("xxxxxxxx");
  });

  test("respects kubectl's lock", async () => {
    const path = join(folder, "config");
    writeFileSync(`${path}.lock`, "");
    const change = changeKubeconfigFile(path, () => "new", { lockTimeoutMs: 100 });
    await expect(change).rejects.toThrow(/KUBECONFIG_LOCKED.*config\.lock/);
    expect(existsSync(path)).toBe(false);
    expect(existsSync(`${path}.lock`)).toBe(true);
  });

  test("says so when it cannot", async () => {
    writeFileSync(join(folder, "file"), "");
    const change = changeKubeconfigFile(join(folder, "file", "config"), () => "new");
    await expect(change).rejects.toThrow(/KUBECONFIG_UNWRITABLE/);
  });
});
