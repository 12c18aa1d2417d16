#!/usr/bin/env bash
# Writes the files of a tar archive to the host, each by a rename: nobody ever sees half a file or misses one.
set -euo pipefail
if [[ ${1:-} == --help || $# -lt 3 ]]; then
  echo "usage: write-files.sh BYTES STAGING FOLDER... <ARCHIVE"
  echo
  echo "Run in the helper container, the host's / at /host. The archive holds BYTES bytes; standard input need not end."
  echo "Its files for FOLDER lie in FOLDER/STAGING: a name of this run alone that begins with a dot, so that kubelets and"
  echo "add-on managers ignore it. They are installed in the order of the archive: a private key before its certificate."
  echo "A single FOLDER that is missing appears by a rename as well, with its files in it."
  exit
fi
bytes=$1 staging=$2
shift 2
umask 022
cd /host
# Also if the disk is full: what is staged may be secret.
folders=("$@")
clean_up() {
  local folder
  for folder in "${folders[@]}"; do rm -rf ".$folder/$staging"; done
}
trap clean_up EXIT
# Killed in between, a run must not leave an empty folder: the next one would take it for the owner's.
if ((${#folders[@]} == 1)) && [[ ! -e .${folders[0]} ]]; then
  folder=${folders[0]}
  new=${folder%/*}/$staging
  folders=()
  trap 'rm -rf ".$new"' EXIT
  head -c "$bytes" | tar -x --no-same-owner --transform "s,^${folder#/}/$staging/,${new#/}/,"
  sync ".$new"/*
  mv -T ".$new" ".$folder"
  exit
fi
list=$(head -c "$bytes" | tar -xv --no-same-owner --quoting-style=literal)
mapfile -t files <<<"$list"
# A name must not reach the disk before its content does. A link has none of its own.
contents=()
for file in "${files[@]}"; do [[ -L $file ]] || contents+=("$file"); done
((${#contents[@]} == 0)) || sync "${contents[@]}"
# One by one, as far as it goes: nothing that comes after what cannot be written is written.
for file in "${files[@]}"; do
  target=${file/"/$staging/"/"/"}
  # A certificate beside another key than its own would stop the next run, if this one ends here: one that is missing is
  # made again. It is of no use as soon as the key changes.
  case $file in
    *.key)
      for half in crt pub; do
        if [[ -e ${file%.key}.$half && -e ${target%.key}.$half ]] && ! cmp -s "$file" "$target"; then
          rm -f "${target%.key}.$half"
        fi
      done
      ;;
  esac
  mv -fT "$file" "$target"
done
