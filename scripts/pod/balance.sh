#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<END
usage: balance.sh --listen ADDRESS:PORT --list FILE --certificate FILE --ca FILE

Has HAProxy bring connections to ADDRESS:PORT to one of the masters in --list, a line ADDRESS:PORT each, that says that it
is well. Follows the API servers that the cluster has, by the Endpoints of the Service kubernetes, as soon as there is
this node's --certificate (with its key), and keeps them in --list.
END
}

listen='' list='' certificate='' ca=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --listen) listen=$2 ;;
    --list) list=$2 ;;
    --certificate) certificate=$2 ;;
    --ca) ca=$2 ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done
[[ -n $listen && -n $list && -n $certificate && -n $ca ]] || {
  usage >&2
  exit 2
}

work=$(mktemp -d)
configuration=$work/haproxy.cfg
endpoints="https://$listen/api/v1/namespaces/default/endpoints"

# A former HAProxy looks at no master any more: connections that it has to one that is lost would hang.
# A master that has lost etcd's quorum says so; one that lets nobody ask without credentials says that.
configure() {
  local master
  cat <<END
global
  log stdout format raw local0 notice
  hard-stop-after 20s
defaults
  mode tcp
  log global
  timeout connect 5s
  timeout check 5s
  timeout client 1h
  timeout server 1h
  option clitcpka
  option srvtcpka
  option redispatch 1
  retries 3
listen masters
  bind $listen
  balance leastconn
  option httpchk GET /healthz
  http-check expect rstatus ^(200|401)
  option allbackups
  default-server check check-ssl verify none inter 3s fastinter 1s downinter 1s fall 2 rise 2 on-marked-down shutdown-sessions
END
  while read -r master; do
    # Slow is not dead: when none is well any of them will do.
    if [[ -n $master ]]; then printf '  server %s %s\n  server any-%s %s no-check backup\n' "$master"{,,,}; fi
  done <"$list"
}

# Prints the masters of an event of a watch, a line each. Addresses are nowhere else in it.
masters_in() { # EVENT
  grep -o '"ip":"[^"]*"' <<<"$1" | cut -d '"' -f 4 | sed "s/\$/:${listen##*:}/" | sort
}

take() { # EVENT
  local masters
  masters=$(masters_in "$1") || return 0
  if [[ $masters == "$(<"$list")" ]]; then return; fi
  echo "balance.sh: the masters are ${masters//$'\n'/, }"
  printf '%s\n' "$masters" >"$list.new"
  mv "$list.new" "$list"
  configure >"$configuration"
  # With the master process of HAProxy connections go on for a while.
  kill -USR2 "$balancer"
}

follow() {
  local event
  until [[ -s $certificate ]]; do sleep 1; done
  while true; do
    curl --silent --no-buffer --cacert "$ca" --cert "$certificate" "$endpoints?watch=true&fieldSelector=metadata.name=kubernetes" |
      while read -r event; do take "$event"; done || true
    sleep 1
  done
}

configure >"$configuration"
# Each has a process group of its own, and ends with all that it has started.
set -m
haproxy -W -f "$configuration" &
balancer=$!
follow &
follower=$!
trap 'exit 143' TERM INT
trap 'kill -- "-$balancer" "-$follower" 2>/dev/null || true' EXIT
# A signal ends `wait`, not HAProxy.
wait "$balancer"
