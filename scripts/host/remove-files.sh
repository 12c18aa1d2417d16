#!/usr/bin/env bash
# Removes files of the host, and folders below /etc/kubernetes that are then empty.
set -euo pipefail
if [[ ${1:-} == --help || $# -eq 0 ]]; then
  echo "usage: remove-files.sh PATH...   (in the helper container, the host's / at /host)"
  exit
fi
cd /host
folders=()
for path; do
  [[ $path != /etc/kubernetes/* ]] || folders+=(".${path%/*}")
done
rm -f -- "${@/#/.}"
((${#folders[@]} == 0)) || rmdir --parents --ignore-fail-on-non-empty -- "${folders[@]}" 2>/dev/null || true
