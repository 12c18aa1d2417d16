import type { ActionOf } from "../../model/plan.js";
import { dataGoesBack } from "../etcdWayBack.js";
import type { StepTools } from "../planRun.js";

/** Whole or not at all: a copy that was cut off has another name. Room is looked for first, with a tenth to spare. */
const copyScript = `set -euo pipefail
folder=/host$1 copy=/host$2 scrap=/host$3 several=$4
[[ $several || -e $folder || ! -e $copy ]] || mv -T "$copy" "$folder"
rm -rf "$scrap"
[[ ! -e $copy && -e $folder ]] || exit 0
read -r needed _ < <(du -skx "$folder")
read -r free < <(df --output=avail -k "\${copy%/*}" | tail -n 1)
((free > needed + needed / 10)) || {
  echo "no room for a copy of $1, which is put back if this run fails: it needs $needed KiB, $free KiB are free" >&2
  exit 1
}
cp -a --reflink=auto "$folder" "$scrap"
sync -f "$scrap"
mv -T "$scrap" "$copy"`;

const restoreScript = `set -euo pipefail
folder=/host$1 copy=/host$2 scrap=/host$3
rm -rf "$scrap"
[[ -e $copy ]] || exit 0
[[ ! -e $folder ]] || mv -T "$folder" "$scrap"
mv -T "$copy" "$folder"
rm -rf "$scrap"`;

/** With other members that etcd here has named there is none: what they have of it would be ahead of it. */
export async function keepCopy(action: ActionOf<"keep-copy">, { run, leave }: StepTools): Promise<void> {
  const { folder, copy, scrap, several } = action;
  const { helper, signal } = run.context;
  // Looked for first: the copying says nothing if the connection breaks, and is run twice if Docker restarts.
  const { stdout } = await helper.run('[[ ! -e /host$1 || ! -e /host$2 ]] || echo there', [folder, copy], { signal });
  const isInterruptedRuns = stdout.toString() !== "";
  const isOfUse = several === undefined || run.otherMembers === undefined || run.otherMembers.length === 0;
  let isPutBack = isOfUse && !isInterruptedRuns;
  leave({
    retreat: async () => {
      if (several) isPutBack = (await dataGoesBack(run, several)) && isPutBack;
    },
    undo: async () => {
      // An interrupted run's copy is older than what this run has found.
      if (isPutBack) await helper.run(restoreScript, [folder, copy, scrap]);
    },
    commit: async () => {
      await helper.run('rm -rf "/host$1"', [copy]);
    },
  });
  if (isOfUse) await helper.run(copyScript, [folder, copy, scrap, several ? "several" : ""], { signal });
}
