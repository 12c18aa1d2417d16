import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

/** One that is there keeps its mode and its owner: it may be somebody's. */
export async function makeFolder({ path, mode }: ActionOf<"make-folder">, { run, leave }: StepTools): Promise<void> {
  const { helper } = run.context;
  const script = '[[ ! -d /host$1 ]] || exit 0; mkdir -p "/host${1%/*}" && mkdir -m "$2" "/host$1" && echo made';
  leave({
    undo: async () => {
      if (made) await helper.run('rmdir "/host$1" 2>/dev/null || true', [path]);
    },
  });
  let made = false;
  const { stdout } = await helper.run(script, [path, mode.toString(8)], { isBrief: true });
  made = stdout.toString().trim() === "made";
}
