#!/usr/bin/env bash
# Two scripts in one program: starting one in a container costs Docker more than facts.sh takes.
set -euo pipefail
if [[ ${1:-} == --help || $# -lt 4 ]]; then
  echo "usage: look.sh FACTS COUNT ARGUMENT... READ_FILES PATH...
Runs the text FACTS with COUNT arguments, prints a line that says \`files\`, and runs the text READ_FILES with the PATHs."
  exit
fi
facts=$1 count=$2
shift 2
bash -c "$facts" facts.sh "${@:1:count}"
echo files
shift "$count"
read_files=$1
shift
exec bash -c "$read_files" read-files.sh "$@"
