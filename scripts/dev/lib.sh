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

# debian_mirror prints where this machine has its own packages from, if from a Debian.
debian_mirror() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' 'Created-By: Packages' |
    awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }'
}

# debian_tarball NAME SUITE PACKAGES [ARCH [MORE]] has the root file system of a machine of that suite as $cache/NAME.tar.
# MORE are installed by apt: of alternatives debootstrap takes the first, whatever else it is to install. What went wrong
# is said, but bash switches errexit off where an exit code is looked at: hence the returns.
debian_tarball() {
  local tarball=$cache/$1.tar tree mirror
  [[ ! -e $tarball ]] || return 0
  apt_install debootstrap
  mirror=$(debian_mirror)
  tree=$(mktemp -d "$cache/$1.XXXXXX") || return
  # It becomes the root folder, which services that are not root have to get through.
  chmod 0755 "$tree"
  {
    timeout 45m debootstrap --variant=minbase ${4:+--arch="$4"} --include="$3" "$2" "$tree" ${mirror:+"$mirror"} &&
      { [[ -z ${5:-} ]] || install_into "$tree" "$5"; }
  } >"$cache/$1.log" 2>&1 </dev/null || {
    tail -n 20 "$cache/$1.log" >&2
    rm -rf --one-file-system "$tree"
    log "debootstrap of $2 failed; its log is $cache/$1.log"
    return 1
  }
  rm -rf "${tree:?}"/var/cache/apt/* "$tree"/var/lib/apt/lists/* "$tree"/var/log/* "$tree"/etc/ssh/ssh_host_* \
    "$tree"/usr/share/{doc,locale,man}/*
  tar -C "$tree" --numeric-owner -cf "$tarball.part" . && mv "$tarball.part" "$tarball" || return
  rm -rf "$tree"
}

install_into() { # TREE PACKAGES
  # Of a mirror that stands still, which debootstrap has taken, the index has run out.
  chroot "$1" apt-get -q -o Acquire::Check-Valid-Until=false update || return
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive chroot "$1" apt-get -q -y --no-install-recommends install ${2//,/ } || return
}

# write_ssh_wrapper DIR has DIR/bin/ssh read DIR/ssh_config: the docker CLI's ssh:// takes no -F, but goes by the PATH.
write_ssh_wrapper() {
  mkdir -p "$1/bin"
  printf '#!/bin/sh\nexec /usr/bin/ssh -F %q "$@"\n' "$1/ssh_config" >"$1/bin/ssh"
  chmod 0755 "$1/bin/ssh"
}
