import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { nanoid } from "nanoid";

/** A file that is being written beside its target, by nobody else. */
export interface PartFile {
  readonly path: string;
  /** Becomes the target, at once. */
  finish(): Promise<void>;
  /** Left for a later run to go on with. */
  leave(): Promise<void>;
  discard(): Promise<void>;
}

/**
 * Takes over what an earlier run left of this file, or begins a new one. Runs at the same time never share one: who
 * renames it has it, and its name says which process that is.
 */
export async function openPartFile(target: string): Promise<PartFile> {
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  const path = `${target}.${process.pid}-${nanoid(6)}.part`;
  const left = `${target}.part`;
  await takeOver(await abandoned(folder, basename(target)), path);
  return {
    path,
    finish: async () => rename(path, target),
    leave: async () => {
      await rename(path, left).catch(ignoreMissing);
    },
    discard: async () => rm(path, { force: true }),
  };
}

/** Part files that no living process has. */
async function abandoned(folder: string, name: string): Promise<string[]> {
  const parts = (await readdir(folder)).filter((other) => other.startsWith(`${name}.`) && other.endsWith(".part"));
  return parts
    .filter((part) => {
      const owner = /^\.(\d+)-[\w-]{6}\.part$/.exec(part.slice(name.length))?.[1];
      return part === `${name}.part` || (owner !== undefined && !isAlive(Number(owner)));
    })
    .map((part) => join(folder, part));
}

/** The first that can be had; others of the same file are of no use then. */
async function takeOver(parts: readonly string[], path: string): Promise<void> {
  let taken = false;
  for (const part of parts) {
    if (taken) await rm(part, { force: true });
    else taken = await rename(part, path).then(() => true, ignoreMissing);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function ignoreMissing(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  return false;
}
