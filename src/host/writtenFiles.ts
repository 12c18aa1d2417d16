import type { ExistingFile } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import { sha256 } from "../model/specDigest.js";
import * as z from "../model/zod.js";

const schema = z.record(z.string(), z.array(z.string()));

/** Files that tsdeploy has written on a host: path -> for an add-on, SHA-256 of each content that it has had. */
export type WrittenFiles = Readonly<z.infer<typeof schema>>;

/**
 * The record of what is written, by this run and by earlier ones, as a file to be written before all others: what a
 * teardown finds in a folder that people use as well is ours only if it is in here.
 */
export function writtenFilesRecord(
  files: readonly HostFile[],
  present: ReadonlyMap<string, Pick<ExistingFile, "content">>,
): HostFile {
  const record = new Map(Object.entries(parseWrittenFiles(present.get(paths.writtenFiles)?.content)));
  for (const { path, content } of files) {
    // Written once, ahead of all others and of this record.
    if (path === paths.hostBefore) continue;
    const known = record.get(path) ?? [];
    // People have add-ons of their own beside ours, and may change ours.
    const isShared = path.startsWith(`${paths.addons}/`);
    record.set(path, isShared ? [...new Set([...known, sha256(content)])].sort() : known);
  }
  const sorted = Object.fromEntries([...record].sort(([one], [other]) => (one < other ? -1 : 1)));
  // Not that it is a secret, but nobody reads the difference of two such lists.
  return { path: paths.writtenFiles, mode: 0o600, content: `${JSON.stringify(sorted, null, 2)}\n`, secret: true };
}

/** @returns nothing written, where there is no record or one that cannot be read */
export function parseWrittenFiles(content: string | undefined): WrittenFiles {
  try {
    return schema.parse(JSON.parse(content ?? "{}"));
  } catch {
    return {};
  }
}
