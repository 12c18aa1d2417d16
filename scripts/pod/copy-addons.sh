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

# copy makes each file anew by renaming, then removes what the host has no more.
copy() {
  local file
  while IFS= read -rd '' file; do
    cmp -s "$from/$file" "$to/$file" && continue
    mkdir -p "$(dirname "$to/$file")"
    cp "$from/$file" "$to/$(dirname "$file")/.new"
    mv "$to/$(dirname "$file")/.new" "$to/$file"
  done < <(cd "$from" && find . -name '.?*' -prune -o \( -type f -o -type l \) -print0)
  while IFS= read -rd '' file; do
    [[ -e $from/$file ]] || rm -f "$to/$file"
  done < <(cd "$to" && find . -name '.?*' -prune -o -type f -print0)
  # Not empty, for whoever waits for it.
  [[ -e $to/.complete ]] || echo yes >"$to/.complete"
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
    # What changes while it is copied is copied again.
    if copy; then seen=$now; fi
  fi
  if [[ -n $once ]]; then exit; fi
  sleep 5 &
  wait $!
done
