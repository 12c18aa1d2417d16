import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

/** Whole or not at all: a copy that was cut off has another name. Room is looked for first, with a tenth to spare. */
const copyScript = `set -euo pipefail
folder=/host$1 copy=/host$2
[[ ! -e $copy ]] || exit 0
rm -rf "$copy.part"
read -r needed _ < <(du -skx "$folder")
read -r free < <(df --output=avail -k "\${copy%/*}" | tail -n 1)
((free > needed + needed / 10)) || {
  echo "no room for a copy of $1, which is what goes back if this run fails: it needs $needed KiB, $free KiB are free" >&2
  exit 1
}
cp -a --reflink=auto "$folder" "$copy.part"
sync -f "$copy.part"
mv -T "$copy.part" "$copy"`;

const restoreScript = `set -euo pipefail
folder=/host$1 copy=/host$2
rm -rf "$copy.part"
[[ -e $copy ]] || exit 0
rm -rf "$folder.failed"
[[ ! -e $folder ]] || mv -T "$folder" "$folder.failed"
mv -T "$copy" "$folder"
rm -rf "$folder.failed"`;

export async function keepCopy({ folder, copy }: ActionOf<"keep-copy">, { run, leave }: StepTools): Promise<void> {
  const { helper, signal } = run.context;
  // Asked first: the copying says nothing if the connection breaks, and is run twice if Docker restarts.
  const { stdout } = await helper.run('[[ ! -e /host$1 ]] || echo there', [copy], { signal });
  const isInterruptedRuns = stdout.toString() !== "";
  leave({
    undo: async () => {
      // An interrupted run's copy is older than what this run has found.
      if (!isInterruptedRuns) await helper.run(restoreScript, [folder, copy]);
    },
    commit: async () => {
      await helper.run('rm -rf "/host$1"', [copy]);
    },
  });
  await helper.run(copyScript, [folder, copy], { signal });
}
