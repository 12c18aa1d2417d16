#!/usr/bin/env bash
# Writes the files of tar archives to the host, each by a rename: nobody ever sees half a file or misses one.
# Not -u: before version 4.4 Bash takes an empty array for unset, and old images have such.
set -eo pipefail
if [[ ${1:-} == --help || $# -lt 3 ]]; then
  echo "usage: write-files.sh BYTES STAGING FOLDER... [-- BYTES STAGING FOLDER...]... <ARCHIVE..."
  echo
  echo "Run in the helper container, the host's / at /host. Standard input is an archive a part, each of BYTES bytes, and need"
  echo "not end. An archive's files for FOLDER lie in FOLDER/STAGING: a name of this run alone that begins with a dot, so that"
  echo "kubelets and add-on managers ignore it. They are installed in the order of the archive: a private key before its"
  echo "certificate. A single FOLDER that is missing appears by a rename as well, with its files in it."
  exit
fi
umask 022
cd /host
folders=() staging='' new=''
# Also if the disk is full: what is staged may be secret.
clean_up() {
  local folder
  for folder in "${folders[@]}"; do rm -rf ".$folder/$staging"; done
  [[ -z $new ]] || rm -rf ".$new"
}
trap clean_up EXIT

# rename_files FILE...: all of one folder by one process. mv goes on after one that it cannot rename, and fails then: nothing
# of what comes after these is written.
rename_files() {
  mv -f -t "${1%"/$staging/"*}" "$@"
}

write() { # BYTES STAGING FOLDER...
  local bytes=$1 list files contents=() file target half batch=() kind batch_kind=''
  staging=$2
  shift 2
  # Killed in between, a run must not leave an empty folder: the next one would take it for the owner's.
  if (($# == 1)) && [[ ! -e .$1 ]]; then
    new=${1%/*}/$staging
    head -c "$bytes" | tar -x --no-same-owner --transform "s,^${1#/}/$staging/,${new#/}/,"
    sync ".$new"/*
    mv -T ".$new" ".$1"
    new=''
    return
  fi
  folders=("$@")
  list=$(head -c "$bytes" | tar -xv --no-same-owner --quoting-style=literal)
  mapfile -t files <<<"$list"
  # A name must not reach the disk before its content does. A link has none of its own.
  for file in "${files[@]}"; do [[ -L $file ]] || contents+=("$file"); done
  ((${#contents[@]} == 0)) || sync "${contents[@]}"
  for file in "${files[@]}"; do
    target=${file/"/$staging/"/"/"}
    # Not in one batch with the keys: a certificate must not come without its key.
    kind=${file%/*}
    [[ $file != *.key ]] || kind+=/key
    if ((${#batch[@]})) && [[ $kind != "$batch_kind" ]]; then
      rename_files "${batch[@]}"
      batch=()
    fi
    batch+=("$file") batch_kind=$kind
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
  done
  ((${#batch[@]} == 0)) || rename_files "${batch[@]}"
  clean_up
  folders=()
}

while (($#)); do
  part=()
  while (($#)) && [[ $1 != -- ]]; do
    part+=("$1")
    shift
  done
  (($# == 0)) || shift
  write "${part[@]}"
done
