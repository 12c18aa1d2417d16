#!/bin/sh
# Tells what an image has: lines that src/image/probeImage.ts reads.
usage() {
  cat <<END
usage: probe.sh [OPTION VALUE]...

  --program NAME  "program NAME PATH", if PATH has it
  --version NAME  "version NAME STATUS TEXT": how NAME --version ends, and its first line
  --plugins DIR   "plugin DIR NAME" for each CNI plugin of the folder
  --plugin FILE   "version FILE STATUS TEXT": how the CNI plugin's VERSION command ends, and what it says of itself
Always: "pause", if there is a program /pause.
END
}

newline='
'
tell() { # NAME STATUS TEXT
  echo "version $1 $2 ${3%%"$newline"*}"
}

while [ $# -gt 0 ]; do
  case $1 in
    --program) ! path=$(command -v "$2") || echo "program $2 $path" ;;
    --version)
      case $2 in
        kubectl) text=$(kubectl version --client 2>&1 </dev/null) ;;
        *) text=$("$2" --version 2>&1 </dev/null) ;;
      esac
      tell "$2" $? "$text"
      ;;
    --plugins)
      for file in "$2"/*; do
        [ ! -f "$file" ] || [ ! -x "$file" ] || echo "plugin $2 ${file##*/}"
      done
      ;;
    --plugin)
      error=$(CNI_COMMAND=VERSION "$2" 2>&1 >/dev/null </dev/null)
      status=$?
      # Without a command it says what it is; old ones do not.
      [ $status -ne 0 ] || error=$("$2" 2>&1 </dev/null)
      tell "$2" $status "$error"
      ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
[ ! -x /pause ] || echo pause
