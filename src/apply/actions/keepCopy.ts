import type { ActionOf } from "../../model/plan.js";
import { dataGoesBack } from "../etcdWayBack.js";
import type { StepTools } from "../planRun.js";

/**
 * Nobody ends a program that Docker has started in a container: a copy whose run is stopped goes on. So both scripts
 * lock the folder that all of it is in; what copies has the lock, too, and says in the helper's own /tmp who it is.
 */
const preamble = `set -euo pipefail
folder=/host$1 copy=/host$2 scrap=/host$3
copier=\${TMPDIR:-/tmp}/tsdeploy-copier
exec 9<"\${copy%/*}"`;

/** Whole or not at all: a copy that was cut off has another name. Room is looked for first, with a tenth to spare. */
const copyScript = `${preamble}
several=$4
flock 9
[[ $several || -e $folder || ! -e $copy ]] || mv -T "$copy" "$folder"
rm -rf "$scrap"
[[ ! -e $copy && -e $folder ]] || exit 0
read -r needed _ < <(du -skx "$folder")
read -r free < <(df --output=avail -k "\${copy%/*}" | tail -n 1)
((free > needed + needed / 10)) || {
  echo "no room for a copy of $1, which is put back if this run fails: it needs $needed KiB, $free KiB are free" >&2
  exit 1
}
cp -a --reflink=auto "$folder" "$scrap" &
echo $! >"$copier"
status=0
wait $! || status=$?
# Its number may be another program's from now on.
rm -f "$copier"
((status == 0)) || exit "$status"
sync -f "$scrap"
mv -T "$scrap" "$copy"`;

/** Ends a copy that is being made; then the copy comes back, if it is to. */
const undoScript = `${preamble}
comes_back=$4
until flock -n 9; do
  [[ ! -s $copier ]] || kill "$(<"$copier")" 2>/dev/null || true
  flock -w 1 9 && break
done
rm -rf "$scrap"
[[ $comes_back && -e $copy ]] || exit 0
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
      const comesBack = isPutBack ? "comes back" : "";
      if (isOfUse) await helper.run(undoScript, [folder, copy, scrap, comesBack], { isLong: true });
    },
    commit: async () => {
      await helper.run('rm -rf "/host$1"', [copy]);
    },
  });
  const args = [folder, copy, scrap, several ? "several" : ""];
  if (isOfUse) await helper.run(copyScript, args, { signal, isLong: true });
}
