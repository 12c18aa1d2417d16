#!/usr/bin/env bash
set -euo pipefail

from=/etc/kubernetes/addons
to=/srv/kubernetes/addons
once=

usage() {
  cat <<END
usage: copy-addons.sh [--from DIR] [--to DIR] [--once]

Keeps the addon manager's folder (default $to) like the host's (default $from). A file that is
in both is never gone in between: the addon manager would delete its objects.
END
}

# copy_file FILE makes it anew by renaming: the add-on manager sees all of it or none, and half a file would make it
# delete the other half's objects.
copy_file() {
  local new=$to/${1%/*}/.new
  mkdir -p "${new%/*}" && cp "$from/$1" "$new" && mv -T "$new" "$to/$1" && return
  rm -f "$new"
  return 1
}

# copy copies what has changed, then removes what the host has no more. It fails if a file could not be copied; the others
# are. Every command is checked by itself, because `if copy` switches `set -e` off in here.
copy() {
  local file failed='' revision=none
  # Who writes it has changed all else before.
  if [[ -s $from/revision ]]; then revision=$(<"$from/revision"); fi
  # Of a copy that was killed.
  find "$to" -name .new -type f -delete || failed=yes
  while IFS= read -rd '' file; do
    cmp -s "$from/$file" "$to/$file" || copy_file "$file" || failed=yes
  done < <(cd "$from" && find . -name '.?*' -prune -o -xtype f -print0)
  while IFS= read -rd '' file; do
    [[ -e $from/$file ]] || rm -f "$to/$file" || failed=yes
  done < <(cd "$to" && find . -name '.?*' -prune -o -type f -print0)
  [[ -z $failed ]] || return 1
  # Not empty, for whoever waits for it: the add-on manager deletes the objects of files that are not there yet. It says
  # of which revision of the folder the copy is.
  if [[ -s $to/.complete && $(<"$to/.complete") == "$revision" ]]; then return; fi
  echo "$revision" >"$to/.complete.new" && mv -T "$to/.complete.new" "$to/.complete"
}

state() { (cd "$from" && find . -printf '%p %T@ %s\n' | sort); }

while [[ $# -gt 0 ]]; do
  case $1 in
    --from) from=$2 && shift 2 ;;
    --to) to=$2 && shift 2 ;;
    --once) once=yes && shift ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
done

trap 'exit 143' TERM INT
mkdir -p "$from" "$to"
seen=
while :; do
  now=$(state)
  if [[ $now != "$seen" ]]; then
    # What changes while it is copied is copied again, and so is what failed.
    if copy; then seen=$now; elif [[ -n $once ]]; then exit 1; fi
  fi
  if [[ -n $once ]]; then exit; fi
  sleep 5 &
  wait $!
done
