#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<END
usage: start.sh [OPTION...] -- PROGRAM [ARGUMENT...]

Waits for what PROGRAM needs and becomes it, so that nothing has to crash and be started again after a back-off.

  --iptables nft|legacy  use this backend of iptables: the one that Docker uses on the host
  --forward CIDR         let traffic of this pod network through, and masquerade what leaves it
  --file PATH            wait until PATH is there and not empty
  --tcp ADDRESS:PORT     wait until PORT accepts
  --api URL              wait until the API server there says that it is healthy
END
}

# A shell that is process 1 gets no signal that it does not handle.
trap 'exit 143' TERM INT

poll() { # poll COMMAND ARGUMENT... until it succeeds
  until "$@"; do sleep 0.1; done
}

has_content() { [[ -s $1 ]]; }

accepts() { # ADDRESS:PORT
  (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# Nothing secret is sent, and the program checks the certificate itself. That check is a second late.
is_healthy() { # URL
  accepts "${1#https://}" || return
  command -v curl >/dev/null || return 0
  local late=poststarthook/scheduling/bootstrap-system-priority-classes
  [[ $(curl --insecure --silent --max-time 5 "$1/healthz?exclude=$late") == ok ]]
}

use_iptables() { # BACKEND
  if [[ $(iptables --version) == *"(${1/nft/nf_tables})" ]]; then return; fi
  local name
  for name in iptables ip6tables; do
    update-alternatives --quiet --set "$name" "/usr/sbin/$name-$1" ||
      echo "start.sh: $name stays as it is: no $name-$1 in this image" >&2
  done
}

jump_first() { # TABLE CHAIN OUR_CHAIN
  local first
  first=$(iptables -w -t "$1" -S "$2" | sed -n 2p)
  if [[ $first == "-A $2 -j $3" ]]; then return; fi
  while iptables -w -t "$1" -D "$2" -j "$3" 2>/dev/null; do :; done
  iptables -w -t "$1" -I "$2" 1 -j "$3"
}

forward() { # CIDR
  # Docker's FORWARD policy is DROP where it has turned forwarding on itself.
  iptables-restore -w --noflush <<END
*filter
:TSDEPLOY-FORWARD - [0:0]
-A TSDEPLOY-FORWARD -s $1 -j ACCEPT
-A TSDEPLOY-FORWARD -d $1 -j ACCEPT
COMMIT
*nat
:TSDEPLOY-POSTROUTING - [0:0]
-A TSDEPLOY-POSTROUTING -s $1 -d $1 -j RETURN
-A TSDEPLOY-POSTROUTING -s $1 ! -d 224.0.0.0/4 -j MASQUERADE
COMMIT
END
  jump_first filter FORWARD TSDEPLOY-FORWARD
  jump_first nat POSTROUTING TSDEPLOY-POSTROUTING
  # A Service that answers from the client's own node is translated back only if bridged packets pass iptables.
  modprobe -q br_netfilter || true
  local switch
  for switch in /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables; do
    if [[ -e $switch && $(<"$switch") != 1 ]]; then echo 1 >"$switch"; fi
  done
}

files=() tcp=() api=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --iptables) use_iptables "$2" ;;
    --forward) forward "$2" ;;
    --file) files+=("$2") ;;
    --tcp) tcp+=("$2") ;;
    --api) api+=("$2") ;;
    --)
      shift
      break
      ;;
    --help)
      usage
      exit
      ;;
    *)
      usage >&2
      exit 2
      ;;
  esac
  shift 2
done
[[ $# -gt 0 ]] || {
  usage >&2
  exit 2
}

for file in "${files[@]}"; do poll has_content "$file"; done
for address in "${tcp[@]}"; do poll accepts "$address"; done
for url in "${api[@]}"; do poll is_healthy "$url"; done
trap - TERM INT
exec "$@"
