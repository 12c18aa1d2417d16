# Shared by the scripts in this folder; sourced after `set -euo pipefail`.
# shellcheck shell=bash

cache=${TSDEPLOY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tsdeploy}
mkdir -p "$cache"

log() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  log "$*"
  exit 1
}

# progress LOG DESCRIBE copies standard input to LOG and shows how far it is: DESCRIBE gets each line and sets $stage, and
# what it sets is shown when it changes. On a terminal that is one line, replaced; elsewhere a line each.
progress() {
  local line stage='' shown='' began=$SECONDS
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    "$2" "$line"
    [[ $stage != "$shown" ]] || continue
    shown=$stage
    if [[ -t 2 ]]; then
      printf '\r\e[K%s: %s' "${0##*/}" "$stage" >&2
    else
      log "$stage ($(((SECONDS - began) / 60)) min $(((SECONDS - began) % 60)) s)"
    fi
  done 3>"$1"
  [[ ! -t 2 || -z $shown ]] || printf '\r\e[K' >&2
}

# percent DONE TOTAL in steps that make sense where it is shown.
percent() {
  local step=10
  [[ ! -t 2 ]] || step=1
  echo "$(($1 * 100 / $2 / step * step)) %"
}

# apt_install PACKAGE... installs those that are missing.
apt_install() {
  local missing=()
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  (
    # Other scripts may be installing too.
    flock 9
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || exit 0
    log "installing ${missing[*]}"
    # A package's init script must not start its daemon here (policy-rc.d does not exist on every host).
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install -y --no-install-recommends)
    "${apt[@]}" "${missing[@]}" >"$cache/apt.log" 2>&1 && exit 0
    apt-get -qq update >"$cache/apt.log" 2>&1 || true
    "${apt[@]}" "${missing[@]}" >>"$cache/apt.log" 2>&1 || {
      cat "$cache/apt.log" >&2
      die "could not install ${missing[*]}"
    }
  ) 9>"$cache/apt.lock"
}

missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
  done
}

# use_host_docker makes docker speak to this machine's dockerd, whatever `machines env` was evaluated before.
use_host_docker() {
  export DOCKER_HOST=unix:///var/run/docker.sock
  unset DOCKER_CONTEXT DOCKER_TLS_VERIFY DOCKER_CERT_PATH
}

has_cap_sys_resource() {
  local bounding
  bounding=$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)
  ((0x$bounding >> 24 & 1))
}

# put MODE SOURCE TARGET copies a file, without a moment in which the target is missing or incomplete.
put() {
  cmp -s "$2" "$3" && return
  install -D -m "$1" "$2" "$3.$BASHPID"
  mv "$3.$BASHPID" "$3"
}
