#!/usr/bin/env bash
set -euo pipefail

addons=/etc/kubernetes/addons
kubeconfig=/etc/kubernetes/addon-manager.conf
keeper=
interval=60
once=

usage() {
  cat <<END
usage: kube-addons.sh [--addons=DIR] [--kubeconfig=FILE] [--keeper=NODE] [--interval=SECONDS] [--once]

Keeps the cluster to what the addon folder holds, by upstream's contract: objects labelled
addonmanager.kubernetes.io/mode=Reconcile are created, updated, and deleted when they leave the folder (then only with
kubernetes.io/cluster-service=true); EnsureExists: created, then left alone. cluster-service=true without a mode counts
as Reconcile. Looks at the cluster every SECONDS (default $interval), at the folder every 5.

What it has applied is in ConfigMap kube-system/tsdeploy-addons; it deletes nothing else, whatever its labels, nor what
the folder of another NODE had.

A Deployment with the annotation io.tsdeploy.replicas=MIN-MAX and the label kubernetes.io/cluster-service=true gets a
replica for each node, within these bounds, as soon as a node that has joined is Ready.

Runs with the kubectl of every Kubernetes from v1.3 on. Objects of several modes have to be in YAML documents or files
of their own: those of one List are left alone.
END
}

mode=addonmanager.kubernetes.io/mode
service=kubernetes.io/cluster-service
replicas=io.tsdeploy.replicas
# Not those that controllers make, with labels of ours, from what is applied: Endpoints, ReplicaSets, …
# In this order: a webhook whose Service is gone would have the API server refuse what it is asked about.
prunable='validatingwebhookconfigurations.admissionregistration.k8s.io
mutatingwebhookconfigurations.admissionregistration.k8s.io validatingadmissionpolicybindings.admissionregistration.k8s.io
validatingadmissionpolicies.admissionregistration.k8s.io configmaps persistentvolumeclaims persistentvolumes pods podtemplates replicationcontrollers secrets
serviceaccounts services resourcequotas limitranges namespaces daemonsets.apps deployments.apps statefulsets.apps
petsets.apps jobs.batch cronjobs.batch horizontalpodautoscalers.autoscaling ingresses.networking.k8s.io
ingresses.extensions networkpolicies.networking.k8s.io poddisruptionbudgets.policy podsecuritypolicies.policy
roles.rbac.authorization.k8s.io rolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io
clusterrolebindings.rbac.authorization.k8s.io storageclasses.storage.k8s.io csidrivers.storage.k8s.io priorityclasses.scheduling.k8s.io
ingressclasses.networking.k8s.io runtimeclasses.node.k8s.io flowschemas.flowcontrol.apiserver.k8s.io
prioritylevelconfigurations.flowcontrol.apiserver.k8s.io
apiservices.apiregistration.k8s.io customresourcedefinitions.apiextensions.k8s.io'
identity='{{.kind}}/{{if .metadata.namespace}}{{.metadata.namespace}}{{end}}/{{.metadata.name}}{{"\n"}}'
label='{{or (index . "%s") "-"}} '
annotated='{{with .metadata.annotations}}{{if index . "kubectl.kubernetes.io/last-applied-configuration"}}+{{end}}{{end}}'

log() { echo "$(date -u +%FT%TZ) $*"; }

# Official hyperkube images have it in one of these places.
if command -v kubectl >/dev/null; then
  kubectl=(kubectl)
elif [[ -x /kubectl ]]; then
  kubectl=(/kubectl)
else
  kubectl=(/hyperkube kubectl)
fi
k() { "${kubectl[@]}" --kubeconfig="$kubeconfig" "$@"; }

files() {
  find "$addons" -name '.?*' -prune -o -type f \( -name '*.json' -o -name '*.yaml' -o -name '*.yml' \) -print | sort
}

# Of which revision of the host's folder this is a copy (copy-addons.sh).
revision() { if [[ -s $addons/.complete ]]; then cat "$addons/.complete"; fi; }

state() {
  local found
  revision
  found=$(files)
  [[ -z $found ]] || tr '\n' '\0' <<<"$found" | xargs -0 stat -c '%n %Y %s'
}

# split makes each YAML document and each JSON file of the folder a file of $work/all. Fails if a file cannot be read; the
# others are.
split() {
  local file name count=0 status=0
  while IFS= read -r file; do
    [[ -n $file ]] || continue
    count=$((count + 1))
    name=${file##*/}
    name=$work/all/$(printf %04d "$count")-%03d-${name//[^A-Za-z0-9._-]/_}
    if [[ $file == *.json ]]; then
      cp "$file" "${name/\%03d/000}" || unreadable "$file"
      continue
    fi
    # At the start of a line, `---` is nothing else in YAML, not even inside a block of text.
    awk -v name="$name" '
      function flush() {
        if (content) printf "%s", text >sprintf(name, part)
        text = ""
        content = 0
        part++
      }
      /^---([ \t\r]|$)/ { flush() }
      { text = text $0 "\n" }
      !/^((---|\.\.\.)[ \t\r]*|[ \t\r]*)(#.*)?$/ { content = 1 }
      END { flush() }
    ' "$file" || unreadable "$file"
  done <<<"$(files)"
  return $status
}

# Names a file that cannot be read; the caller's status is then 1.
unreadable() {
  log "${1##*/} cannot be read"
  status=1
}

# Prints MODE SERVICE IDENTITY of each of a file's objects, - for a label that it has not; fails if it cannot be read.
describe() { # COMMAND FILE
  local labels
  # shellcheck disable=SC2059
  labels="{{with .metadata.labels}}$(printf "$label" "$mode")$(printf "$label" "$service"){{else}}- - {{end}}"
  # shellcheck disable=SC2086
  k $1 --validate=false -f "$2" -o go-template --template "$labels$identity" | sed '/^running in local mode/d'
}

# Prints the command by which this kubectl describes a file: v1.18 on, v1.6 on, and before.
reader() {
  local command
  echo '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}' >"$work/probe.json"
  for command in 'create --dry-run=client' 'create --dry-run' 'convert --local'; do
    if [[ $(describe "$command" "$work/probe.json" 2>/dev/null) == '- - ConfigMap/'*/x ]]; then
      echo "$command"
      return
    fi
  done
  log 'kubectl cannot read files now' >&2
  return 1
}

# read_folder says in $wanted what objects the folder has, in $reconciled which of them are to be applied, and puts its
# files into $work/Reconcile and EnsureExists. Fails if something cannot be read.
read_folder() {
  local command file said modes status=0
  rm -rf "$work"/{all,Reconcile,EnsureExists}
  mkdir "$work"/{all,Reconcile,EnsureExists}
  split || status=1
  command=$(reader) || return
  wanted='' reconciled=''
  for file in "$work"/all/*; do
    [[ -e $file ]] || continue
    said=$(describe "$command" "$file") || {
      unreadable "${file#"$work"/all/????-???-}"
      continue
    }
    wanted+=$said$'\n'
    modes=$(awk '{ print $1 == "-" && $2 == "true" ? "Reconcile" : $1 }' <<<"$said" | sort -u)
    if [[ $modes == Reconcile ]]; then reconciled=$(union "$reconciled" "$(cut -d ' ' -f 3- <<<"$said")"); fi
    case $modes in
      Reconcile | EnsureExists) mv "$file" "$work/$modes" ;;
      *$'\n'*) log "${file##*/} is left alone: a List of objects of several modes" ;;
    esac
  done
  return $status
}

# Prints the lines of all arguments, each once.
union() { printf '%s\n' "$@" | sort -u | sed '/^$/d'; }

# read_report says in $applied what has been applied so far from this node's folder, as report has written it. Of another
# node's folder, which was the one before that node was lost, nobody here knows what should be in it. One of an earlier
# tsdeploy wrote no such list: what is in the folder now is then the beginning.
read_report() {
  local template said
  template='{{with .data}}{{or (index . "keeper") ""}}{{"\n"}}{{or (index . "applied") ""}}{{end}}'
  template="{{range .items}}{{if eq .metadata.name \"tsdeploy-addons\"}}$template{{end}}{{end}}"
  said=$(k get configmaps --namespace=kube-system -o "go-template=$template") || return
  applied=
  if [[ $said == "$keeper"$'\n'* ]]; then applied=${said#*$'\n'}; fi
}

# report keeps the identities of what was applied, so that nothing else is ever deleted. Its revision tells whoever has
# taken an add-on out of the folder that no pass makes its objects again: none that began before is under way, and those to
# come know of the folder without it.
reported=
report() {
  local now=$read_revision$'\n'$applied
  [[ $now != "$reported" ]] || return 0
  {
    printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata: {name: tsdeploy-addons, namespace: kube-system}'
    printf '%s\n' 'data:' "  revision: \"$read_revision\"" "  keeper: \"$keeper\"" '  applied: |'
    sed -n 's/^./    &/p' <<<"$applied"
  } >"$work/report.yaml"
  k apply -f "$work/report.yaml" >/dev/null || return
  reported=$now
}

# kinds says in $here what this API server has of the prunable kinds, comma-separated.
here=
kinds() {
  local known kind said
  if [[ -n $lists_kinds ]]; then
    # It fails as well when one API that somebody has added does not answer, and then says all others.
    known=$(k api-resources --cached --verbs=list,delete -o name) || [[ -n $known ]] || return
    here=$(tr -s ' \n' '\n' <<<"$prunable" | grep -Fx "$known" | paste -sd,) || return
    # The same objects twice, and each time a warning.
    if [[ $here == *ingresses.networking* ]]; then here=${here/,ingresses.extensions/}; fi
    return
  fi
  # kubectl before v1.11 cannot list them, and their set does not change while this runs.
  [[ -z $here ]] || return 0
  known=
  for kind in $prunable; do
    kind=${kind%%.*}
    [[ ,$known, != *",$kind,"* ]] || continue
    if said=$(k get "$kind" --all-namespaces -l "$service=none" -o name 2>&1); then
      known+=${known:+,}$kind
    elif [[ $said != *"doesn't have a resource type"* && $said != *'could not find the requested resource'* ]]; then
      echo "$said" >&2
      return 1
    fi
  done
  here=$known
}

# Prints the identities of what was applied, in Reconcile mode, nobody else owns, and is not on its way out.
in_cluster() {
  local ours="{{if not (or .metadata.ownerReferences .metadata.deletionTimestamp)}}$annotated{{end}}"
  k get "$here" --all-namespaces -l "$service=true,$mode!=EnsureExists" \
    -o "go-template={{range .items}}$ours$identity{{end}}" |
    sed -n 's/^+//p'
}

# apply notes what it has applied, also where something else of the folder cannot be. Old kubectls call everything
# configured each time: only news are shown.
shown=
apply() {
  local said status=0 made=$reconciled
  said=$(k apply -f "$work/Reconcile") || status=1
  if [[ $status != 0 ]]; then made=$(named "$said"); fi
  applied=$(union "$applied" "$made")
  if [[ $said != "$shown" ]]; then grep -v 'unchanged$' <<<"$said" || true; fi
  shown=$said
  return $status
}

# Prints the identities of what a kubectl says that it has applied: `deployment.apps/dns created`, before v1.9
# `deployment "dns" created`. It says no namespace.
named() { # SAID
  awk -v FS=/ 'FNR == NR { said[$0]; next } tolower($1) "/" $3 in said' \
    <(sed -nE 's,^([a-z0-9]+)[^ /]*[ /]"?([^" ]+)"? .*,\1/\2,p' <<<"$1") <(echo "$reconciled")
}

# Those that are there already answer that they are.
create() {
  k create -f "$work/EnsureExists" 2>&1 | grep -v -e AlreadyExists -e 'already exists$' || true
}

# has tells whether an object is among others. Old kubectls do not say that what names no namespace is in `default`.
has() { # IDENTITIES IDENTITY
  grep -Fxq -e "$2" -e "${2/\/default\///\/}" -e "${2/\/\///default/}" <<<"$1"
}

# prune deletes what has left the folder, if it was applied from there. What only looks as if is named: a person may have
# applied it, or an earlier tsdeploy or another master whose folder had it. So is what has left and cannot be found by its
# kind, such as a custom resource.
strangers=
prune() {
  local names found object kind namespace name others='' stays='' status=0
  names=$(cut -d ' ' -f 3- <<<"$wanted")
  found=$(in_cluster) || return
  while IFS= read -r object; do
    [[ -n $object ]] || continue
    has "$names" "$object" && continue
    if ! has "$applied" "$object"; then
      others+=" $object"
      continue
    fi
    IFS=/ read -r kind namespace name <<<"$object"
    # shellcheck disable=SC2086
    k delete --ignore-not-found $no_wait ${namespace:+--namespace="$namespace"} "$kind" "$name" || status=1
  done <<<"$found"
  if [[ -n $others && $others != "$strangers" ]]; then log "left alone, because they were not applied from here:$others"; fi
  strangers=$others
  while IFS= read -r object; do
    if [[ -z $object ]] || has "$names" "$object" || has "$found" "$object"; then continue; fi
    stays+=" $object"
  done <<<"$applied"
  if [[ -n $stays ]]; then log "not in the folder any more, and not deleted here; if it is still there, it stays:$stays"; fi
  return $status
}

# scale brings Deployments that say how many replicas they want to have to that many, by the number of nodes. Says in
# $scaled which there are, in $work/nodes which nodes take pods. A node that does not is no reason for another replica,
# which would go where the first one is, but none for one less either: it may only be restarting.
scale() {
  local template nodes all usable range now namespace name wanted
  template="{{range .items}}{{with .metadata.annotations}}{{if index . \"$replicas\"}}{{index . \"$replicas\"}}{{end}}{{end}}"
  template+=' {{.spec.replicas}} {{.metadata.namespace}} {{.metadata.name}}{{"\n"}}{{end}}'
  scaled=$(k get deployments --all-namespaces -l "$service=true" -o "go-template=$template") || return
  scaled=$(grep -E '^[0-9]+-[0-9]+ ' <<<"$scaled") || return 0
  template='{{range .items}}{{.metadata.name}} {{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}'
  template+=' {{range .spec.taints}}{{.key}},{{end}}{{"\n"}}{{end}}'
  nodes=$(k get nodes -o "go-template=$template") || return
  # Kubernetes' own taints, such as node.kubernetes.io/not-ready, go a moment after a node is Ready.
  awk '$2 == "True" && $3 !~ /node\.kubernetes\.io\// { print $1 }' <<<"$nodes" >"$work/nodes.new"
  mv "$work/nodes.new" "$work/nodes"
  all=$(grep -c . <<<"$nodes" || true)
  usable=$(grep -c . "$work/nodes" || true)
  while read -r range now namespace name; do
    # More than we would ever ask for are a person's, or an autoscaler's.
    ((now <= ${range#*-})) || continue
    wanted=$now
    if ((wanted < usable)); then wanted=$usable; fi
    if ((wanted > all)); then wanted=$all; fi
    if ((wanted > ${range#*-})); then wanted=${range#*-}; fi
    if ((wanted < ${range%-*})); then wanted=${range%-*}; fi
    [[ $now == "$wanted" ]] || k scale deployment "$name" --namespace="$namespace" --replicas="$wanted" || return
  done <<<"$scaled"
}

# watch_nodes sees to it that a kubectl tells of nodes while there is something to scale: one that took no pods so far
# wakes the loop. Most of what it tells is that a node is still well.
watching=
watch_nodes() {
  if [[ -z $scaled || $SECONDS -lt $next_watch ]] || kill -0 "$watching" 2>/dev/null; then return; fi
  next_watch=$((SECONDS + 10))
  [[ -p $work/watch ]] || mkfifo "$work/watch"
  tell_of_news <"$work/watch" &
  # Not by k: a function would be a shell between us and the program that has to end with us.
  "${kubectl[@]}" --kubeconfig="$kubeconfig" get nodes --watch-only -o name >"$work/watch" 2>/dev/null &
  watching=$!
}

tell_of_news() {
  local line
  # `node/machine-1`
  while read -r line; do
    grep -Fxq -e "${line##*/}" "$work/nodes" || kill -USR1 $$
  done
}

# end takes along what runs beside the loop.
end() {
  [[ -z $watching ]] || kill "$watching" 2>/dev/null || true
  rm -rf "$work"
}

reconcile() { # STATE
  local status=0
  k get namespace kube-system >/dev/null 2>&1 || k create namespace kube-system || return
  if [[ $1 != "$read_state" ]]; then
    read_state=none
    # Before the files are: those that left the folder before it are not among them.
    read_revision=$(revision)
    if read_folder; then read_state=$1; else status=1; fi
  fi
  if [[ -z $knows_applied ]]; then
    read_report || return
    knows_applied=yes
  fi
  if [[ -n $(ls "$work/Reconcile") ]]; then
    apply || status=1
  fi
  if [[ -n $(ls "$work/EnsureExists") ]]; then create; fi
  report || status=1
  scale || status=1
  # What cannot be read, or has failed, stays as it is in the cluster.
  [[ $status == 0 ]] || return 1
  kinds || return
  prune || return
  # A person may from now on have such objects.
  applied=$reconciled
  report
}

while [[ $# -gt 0 ]]; do
  case $1 in
    --addons=*) addons=${1#*=} ;;
    --kubeconfig=*) kubeconfig=${1#*=} ;;
    --keeper=*) keeper=${1#*=} ;;
    --interval=*) interval=${1#*=} ;;
    --once) once=yes ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

trap 'exit 143' TERM INT
joined=
trap 'joined=yes' USR1
work=$(mktemp -d)
trap end EXIT
mkdir "$work"/{Reconcile,EnsureExists}
# Both from v1.11 on.
no_wait='' lists_kinds=''
if [[ $(k delete --help 2>&1) == *--wait* ]]; then no_wait=--wait=false; fi
if [[ $(k api-resources --help 2>&1) == *--verbs* ]]; then lists_kinds=yes; fi
log "addons in $addons, every $interval s"
wanted=
reconciled=
applied=
knows_applied=
read_state=none
read_revision=
seen=none
next=0
scaled=
next_watch=0
while :; do
  now=$(state)
  if [[ $now != "$seen" || $SECONDS -ge $next ]]; then
    seen=$now
    joined=
    next=$((SECONDS + interval))
    if ! reconcile "$now"; then
      log 'not all of it worked; trying again'
      next=$((SECONDS + 10))
      [[ -z $once ]] || exit 1
    fi
  elif [[ -n $joined ]]; then
    joined=
    scale || next=$((SECONDS + 10))
  fi
  if [[ -n $once ]]; then exit; fi
  watch_nodes
  [[ -z $joined ]] || continue
  sleep 5 &
  # It ends early when a node has joined.
  wait $! || true
done
