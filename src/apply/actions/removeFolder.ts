import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

/** Not before the run has worked: nothing could bring the folder back. */
export function removeFolder({ path }: ActionOf<"remove-folder">, { run, leave }: StepTools): void {
  leave({
    commit: async () => {
      await run.context.helper.run('rm -rf "/host$1"', [path]);
    },
  });
}
