import type { ExistingFile } from "../../model/hostFacts.js";
import type { HostFile } from "../../model/hostFile.js";
import { writtenFolders } from "../../model/hostLayout.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { changedPods, probeSettled } from "../staticPods.js";

export async function writeFiles({ files }: ActionOf<"write-files">, tools: StepTools): Promise<void> {
  const { run, step } = tools;
  const { engine, files: before, kept } = run.context;
  const wanted = files.filter((file) => !kept.has(file.path) && !isSameFile(before.get(file.path), file));
  if (wanted.length === 0) return;
  for (const pod of await changedPods(engine, wanted.filter(({ path }) => before.has(path)))) {
    await run.wait(step, () => probeSettled(engine, pod));
    run.changedPods.push(pod);
  }
  await writeUndoably(wanted, tools);
}

/**
 * Writes files that come back as they were, or are removed, if the run fails. Folders that the run has made for them
 * are removed as well; one that was there before stays, also if nothing is in it.
 */
export async function writeUndoably(files: readonly HostFile[], { run, leave }: StepTools): Promise<void> {
  const { helper, files: before, folders } = run.context;
  leave({
    undo: async () => {
      const restored: HostFile[] = [];
      const added: string[] = [];
      for (const { path, secret } of files) {
        const old = before.get(path);
        if (old) restored.push({ path, secret, ...old });
        else added.push(path);
      }
      await helper.writeFiles(restored);
      const made = writtenFolders.filter(
        (folder) => folders?.has(folder) === false && added.some((path) => path.startsWith(`${folder}/`)),
      );
      await helper.removeFiles(added, made);
    },
  });
  await helper.writeFiles(files);
  for (const file of files) run.written.set(file.path, file);
}

export function isSameFile(existing: Pick<ExistingFile, "content" | "mode"> | undefined, wanted: HostFile): boolean {
  return existing !== undefined && existing.content === wanted.content && existing.mode === wanted.mode;
}
