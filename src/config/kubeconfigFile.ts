import { randomBytes } from "node:crypto";
import { chown, mkdir, open, readFile, realpath, rename, stat, unlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { messageOf, TsdeployError } from "../model/errors.js";

/**
 * Which kubeconfig to write, by kubectl's rules: the one that was named; else the first of `$KUBECONFIG` that is there,
 * or its last; else `~/.kube/config`.
 */
export function kubeconfigPath(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  if (named !== undefined) return named;
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  return listed.find((path) => existsSync(path)) ?? listed.at(-1) ?? join(home, ".kube", "config");
}

/**
 * Changes a kubeconfig under the lock that kubectl uses, whole or not at all, mode 0600.
 *
 * @param change gets the text, or undefined without a file; returns the new one, or undefined to leave it as it is
 * @throws TsdeployError `KUBECONFIG_LOCKED`, `KUBECONFIG_UNWRITABLE`; whatever `change` throws, the file then untouched
 */
export async function changeKubeconfigFile(
  path: string,
  change: (text: string | undefined) => string | undefined,
  options: { readonly lockTimeoutMs?: number } = {},
): Promise<void> {
  // A link, as dotfile managers make them, stays one.
  const file = await realpath(path).catch(() => path);
  await fileStep(path, () => mkdir(dirname(file), { recursive: true, mode: 0o700 }));
  const lock = `${file}.lock`;
  await takeLock(path, lock, options.lockTimeoutMs ?? 5000);
  try {
    const before = await fileStep(path, () => readIfThere(file));
    const after = change(before);
    if (after !== undefined && after !== before) await fileStep(path, () => replace(file, after));
  } finally {
    await unlink(lock);
  }
}

async function takeLock(path: string, lock: string, timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    try {
      await (await open(lock, "wx", 0o600)).close();
      return;
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw unwritable(path, error);
    }
    if (Date.now() >= deadlineMs) {
      throw new TsdeployError("environment", {
        code: "KUBECONFIG_LOCKED",
        message: `another program holds the lock ${lock}`,
        hint: `Run \`tsdeploy kubeconfig\` when it is done; if nothing is running, remove ${lock}.`,
      });
    }
    await delay(50);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function replace(file: string, text: string): Promise<void> {
  const owner = await stat(file).catch(() => undefined);
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: "wx" });
    // With sudo it is still its user's own.
    if (owner && owner.uid !== process.getuid?.()) await chown(draft, owner.uid, owner.gid);
    await rename(draft, file);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  }
}

async function fileStep<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): TsdeployError {
  return new TsdeployError(
    "environment",
    {
      code: "KUBECONFIG_UNWRITABLE",
      message: `cannot change ${path}: ${messageOf(cause)}`,
      hint: "Name another file by --kubeconfig, or none by --no-kubeconfig.",
    },
    { cause },
  );
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
