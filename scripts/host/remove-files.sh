#!/usr/bin/env bash
# Removes files of the host, and of some folders those that are then empty.
set -euo pipefail
if [[ ${1:-} == --help || $# -eq 0 ]]; then
  echo "usage: remove-files.sh FILE... [--empty FOLDER...]   (in the helper container, the host's / at /host)"
  echo
  echo "FOLDERs are removed in this order if nothing is in them. Name only such as the caller's run has made: an empty"
  echo "folder may be somebody's."
  exit
fi
cd /host
files=()
while (($#)) && [[ $1 != --empty ]]; do files+=("$1") && shift; done
((${#files[@]} == 0)) || rm -f -- "${files[@]/#/.}"
for folder in "${@:2}"; do rmdir --ignore-fail-on-non-empty -- ".$folder" 2>/dev/null || true; done
