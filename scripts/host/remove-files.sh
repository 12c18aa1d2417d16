#!/usr/bin/env bash
# Removes files of the host, and folders below /etc/kubernetes and /etc/cni that are then empty.
set -euo pipefail
if [[ ${1:-} == --help || $# -eq 0 ]]; then
  echo "usage: remove-files.sh PATH...   (in the helper container, the host's / at /host)"
  exit
fi
cd /host
for path; do
  rm -f ".$path"
  while path=${path%/*} && [[ $path == /etc/kubernetes* || $path == /etc/cni* ]]; do
    rmdir ".$path" 2>/dev/null || break
  done
done
