import { createReadStream, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { Artifact, ArtifactContents } from "./artifacts.js";
import type { LayerFile } from "./layer.js";

/**
 * The files that a release file has for the image; those of an archive are unpacked below `folder`.
 *
 * @throws TsdeployError `failed`, `ARCHIVE_UNFIT`, if one of them is missing or the archive is broken
 */
export async function unpackArtifact({ contents, name }: Artifact, path: string, folder: string): Promise<LayerFile[]> {
  if (contents.kind === "program") {
    const scripts = Object.entries(contents.scripts ?? {}).map(([script, content]) => ({
      path: script,
      source: { content },
    }));
    return [{ path: contents.target, source: { file: path } }, ...scripts];
  }
  const files: LayerFile[] = [];
  const take = async (target: string, content: Readable): Promise<void> => {
    const file = join(folder, target);
    await mkdir(dirname(file), { recursive: true });
    await pipeline(content, createWriteStream(file));
    files.push({ path: target, source: { file } });
  };
  await readArchive(createReadStream(path), contents, take).catch((error: unknown) => {
    if (error instanceof Error && "syscall" in error) throw error;
    throw unfit(name, path, messageOf(error), error);
  });
  const missing = Object.entries(contents.kind === "archive" ? contents.members : {})
    .filter(([, target]) => !files.some((file) => file.path === target))
    .map(([member]) => member);
  if (missing.length > 0 || files.length === 0) {
    throw unfit(name, path, `it holds no ${missing.length > 0 ? missing.join(", ") : "programs"}`);
  }
  return files;
}

async function readArchive(
  archive: Readable,
  contents: Exclude<ArtifactContents, { kind: "program" }>,
  take: (target: string, content: Readable) => Promise<void>,
): Promise<void> {
  const entries = extract();
  const takeAll = async (): Promise<void> => {
    for await (const entry of entries) {
      const { header } = entry;
      const member = posix.normalize(header.name);
      const content = entry as unknown as Readable;
      const target = header.type === "file" ? targetOf(member, contents) : undefined;
      if (target !== undefined) await take(target, content);
      else if (contents.kind === "archive" && member === contents.inner) {
        await readArchive(content, { kind: "archive", members: contents.members }, take);
      } else content.resume();
    }
  };
  // All at once: who waits for an entry of an archive that is broken already may wait for ever.
  await Promise.all([pipeline(archive, createGunzip(), entries as unknown as NodeJS.WritableStream), takeAll()]);
}

function targetOf(member: string, contents: Exclude<ArtifactContents, { kind: "program" }>): string | undefined {
  if (contents.kind === "archive") return contents.inner === undefined ? contents.members[member] : undefined;
  // Programs, not LICENSE and README.md.
  return /^[a-z0-9-]+$/.test(member) ? `${contents.target}/${member}` : undefined;
}

function unfit(name: string, path: string, why: string, cause?: unknown): TsdeployError {
  const problem = {
    code: "ARCHIVE_UNFIT",
    message: `the archive of ${name}, ${path}, cannot be used: ${why}`,
    hint: "Take what is in it from a folder of your own: --binaries DIR.",
  };
  return new TsdeployError("failed", problem, { cause });
}
