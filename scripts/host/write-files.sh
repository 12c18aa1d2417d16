#!/usr/bin/env bash
# Lays the files of a tar archive on the host, each by a rename: nobody ever sees half a file or misses one.
set -euo pipefail
if [[ ${1:-} == --help || $# -lt 2 ]]; then
  echo "usage: write-files.sh BYTES FOLDER... <ARCHIVE"
  echo
  echo "Run in the helper container, the host's / at /host. The archive holds BYTES bytes; standard input need not end."
  echo "Its files for FOLDER lie in FOLDER/.tsdeploy-new, a name that kubelets and add-on managers ignore."
  exit
fi
bytes=$1
shift
umask 022
shopt -s dotglob nullglob
cd /host
for folder; do rm -rf ".$folder/.tsdeploy-new"; done
head -c "$bytes" | tar -x --no-same-owner
for folder; do
  # A name must not reach the disk before its content does.
  sync ".$folder"/.tsdeploy-new/*
  mv -f ".$folder"/.tsdeploy-new/* ".$folder/"
  rmdir ".$folder/.tsdeploy-new"
done
