#!/usr/bin/env bash
set -euo pipefail

addons=/etc/kubernetes/addons
kubeconfig=/etc/kubernetes/addon-manager.conf
interval=60
once=

usage() {
  cat <<END
usage: kube-addons.sh [--addons=DIR] [--kubeconfig=FILE] [--interval=SECONDS] [--once]

Keeps the cluster to what the addon folder holds, by upstream's contract: objects labelled
addonmanager.kubernetes.io/mode=Reconcile are created, updated, and deleted when they leave the folder (then only with
kubernetes.io/cluster-service=true); EnsureExists: created, then left alone. cluster-service=true without a mode counts
as Reconcile. Looks at the cluster every SECONDS (default $interval), at the folder every 5.
END
}

mode=addonmanager.kubernetes.io/mode
service=kubernetes.io/cluster-service
# Not those that controllers make, with labels of ours, from what is applied: Endpoints, ReplicaSets, …
prunable='configmaps persistentvolumeclaims persistentvolumes pods podtemplates replicationcontrollers secrets
serviceaccounts services resourcequotas limitranges namespaces daemonsets.apps deployments.apps statefulsets.apps
jobs.batch cronjobs.batch horizontalpodautoscalers.autoscaling ingresses.networking.k8s.io
networkpolicies.networking.k8s.io poddisruptionbudgets.policy podsecuritypolicies.policy
roles.rbac.authorization.k8s.io rolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io
clusterrolebindings.rbac.authorization.k8s.io storageclasses.storage.k8s.io priorityclasses.scheduling.k8s.io
apiservices.apiregistration.k8s.io customresourcedefinitions.apiextensions.k8s.io'
identity='{{.kind}}/{{if .metadata.namespace}}{{.metadata.namespace}}{{end}}/{{.metadata.name}}{{"\n"}}'
label='{{or (index . "%s") "-"}} '
annotated='{{with .metadata.annotations}}{{if index . "kubectl.kubernetes.io/last-applied-configuration"}}+{{end}}{{end}}'

log() { echo "$(date -u +%FT%TZ) $*"; }

k() { kubectl --kubeconfig="$kubeconfig" "$@"; }

files() { find "$addons" -name '.?*' -prune -o -type f \( -name '*.json' -o -name '*.yaml' -o -name '*.yml' \) -print; }

state() {
  local found
  found=$(files)
  [[ -z $found ]] || tr '\n' '\0' <<<"$found" | xargs -0 stat -c '%n %Y %s'
}

# Prints MODE SERVICE IDENTITY of each of the folder's objects, - for a label that it has not; fails if a file cannot be
# read.
in_folder() {
  local labels
  # shellcheck disable=SC2059
  labels="{{with .metadata.labels}}$(printf "$label" "$mode")$(printf "$label" "$service"){{else}}- - {{end}}"
  k create --dry-run=client --validate=false --recursive -f "$addons" -o "go-template=$labels$identity"
}

# What this API server has of the prunable kinds, comma-separated.
kinds() {
  local known
  known=$(k api-resources --cached --verbs=list,delete -o name) || return
  tr -s ' \n' '\n' <<<"$prunable" | grep -Fx "$known" | paste -sd,
}

# Prints the identities of what was applied, in Reconcile mode, and nobody else owns.
in_cluster() { # KINDS
  k get "$1" --all-namespaces -l "$service=true,$mode!=EnsureExists" \
    -o "go-template={{range .items}}{{if not .metadata.ownerReferences}}$annotated{{end}}$identity{{end}}" |
    sed -n 's/^+//p'
}

apply() { # SELECTOR
  local said status=0
  said=$(k apply --recursive -f "$addons" -l "$1") || status=1
  grep -v 'unchanged$' <<<"$said" || true
  return $status
}

prune() { # KINDS WANTED
  local here object kind namespace name
  here=$(in_cluster "$1") || return
  while IFS= read -r object; do
    [[ -n $object ]] || continue
    grep -Fxq "$object" <<<"$2" && continue
    IFS=/ read -r kind namespace name <<<"$object"
    k delete --ignore-not-found --wait=false ${namespace:+--namespace="$namespace"} "$kind" "$name" || return
  done <<<"$here"
}

reconcile() {
  local objects='' here
  k get namespace kube-system >/dev/null 2>&1 || k create namespace kube-system || return
  if [[ -n $(files) ]]; then
    # Without this list nothing is deleted: what cannot be read stays as it is in the cluster.
    objects=$(in_folder) || return
    if grep -q '^Reconcile ' <<<"$objects"; then apply "$mode=Reconcile" || return; fi
    if grep -q '^- true ' <<<"$objects"; then apply "$service=true,!$mode" || return; fi
    if grep -q '^EnsureExists ' <<<"$objects"; then
      # Those that are there already answer AlreadyExists.
      k create --recursive -f "$addons" -l "$mode=EnsureExists" 2>&1 | grep -v AlreadyExists || true
    fi
  fi
  here=$(kinds) || return
  prune "$here" "$(cut -d ' ' -f 3- <<<"$objects")"
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --addons=*) addons=${1#*=} ;;
    --kubeconfig=*) kubeconfig=${1#*=} ;;
    --interval=*) interval=${1#*=} ;;
    --once) once=yes ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

trap 'exit 143' TERM INT
log "addons in $addons, every $interval s"
seen=none
next=0
while :; do
  now=$(state)
  if [[ $now != "$seen" || $SECONDS -ge $next ]]; then
    seen=$now
    next=$((SECONDS + interval))
    if ! reconcile; then
      log 'not all of it worked; trying again'
      next=$((SECONDS + 10))
      [[ -z $once ]] || exit 1
    fi
  fi
  if [[ -n $once ]]; then exit; fi
  sleep 5 &
  wait $!
done
