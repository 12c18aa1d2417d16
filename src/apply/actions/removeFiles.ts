import type { HostFile } from "../../model/hostFile.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

export async function removeFiles({ paths }: ActionOf<"remove-files">, { run, leave }: StepTools): Promise<void> {
  const { helper, files: before } = run.context;
  const restored = paths.flatMap((path): HostFile[] => {
    const old = before.get(path);
    return old ? [{ path, secret: true, ...old }] : [];
  });
  leave({ undo: () => helper.writeFiles(restored) });
  await helper.removeFiles(paths);
}
