#!/usr/bin/env bash
# What Kubernetes left on the host: shows it, or removes just that.
# Not -u: before version 4.4 Bash takes an empty array for unset, and old images have such.
set -eo pipefail
shopt -s nullglob

usage() {
  cat <<END
usage: teardown.sh show|clean [OPTION VALUE]...

Run in the helper container: host network, host PIDs, privileged, the host's / at /host (rshared, for mounts to go).
show prints lines of a kind and a value for what is there, as src/host/footprint.ts reads them.
clean removes it. What cannot be removed stays, and the next show prints it.

  --network NAME       of the CNI rules that are ours; without it no rules are looked for, of any kind
  --before TEXT        what was there before, such as "iptables-nft nat KUBE-MARK", "nft ip kube-proxy",
                       "ipset KUBE-OWN", "ipvs TCP 10.0.0.5:80" or "route 10.1.0.0/16 via 10.0.0.7 dev eth0"; stays
  --sysctl NAME=VALUE  show what it is now, or set it, if that is another value
  --set-by-us NAME=VALUE
                       do that only if it is this one now; any other is somebody else's choice and stays
  --path PATTERN       show or delete the files and folders of this pattern
  --record PATTERN     the same, but delete them only when nothing else of all this is left
  --keep PATH          neither show nor delete it, though a pattern matches
  --empty-folder PATH  show or delete it, if nothing is in it
  --link NAME          show or delete it, with the veths on it
  --routes CIDR        show or delete routes by gateways to parts of this network
END
}

mode=${1:-}
case $mode in
  show | clean) shift ;;
  --help) usage && exit ;;
  *) usage >&2 && exit 2 ;;
esac
host=/host network='' patterns=() records=() folders=() links=() routed=()
declare -A before=() keeps=() sysctls=() set_by_us=()
while (($#)); do
  case $1 in
    --network) network=$2 ;;
    --before) before[$2]=1 ;;
    --sysctl) sysctls[${2%%=*}]=${2#*=} ;;
    --set-by-us) set_by_us[${2%%=*}]=${2#*=} ;;
    --path) patterns+=("$2") ;;
    --record) records+=("$2") ;;
    --keep) keeps[$host$2]=1 ;;
    --empty-folder) folders+=("$2") ;;
    --link) links+=("$2") ;;
    --routes) routed+=("$2") ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift 2
done

# mounts FILE ROOT: those below the kubelet's folder, the last first. Bash alone would read a file of hundreds slowly.
mounts() {
  local mount_point found=()
  while read -r _ _ _ _ mount_point _; do
    printf -v mount_point %b "$mount_point"
    [[ $mount_point != "$2"/var/lib/kubelet/* ]] || found=("$mount_point" "${found[@]}")
  done < <(grep -F " $2/var/lib/kubelet/" "$1" || true)
  ((${#found[@]} == 0)) || printf '%s\n' "${found[@]}"
}

# The host's own view.
mountinfo=/proc/1/mountinfo

clean_mounts() {
  local found
  mapfile -t found < <(mounts /proc/self/mountinfo $host)
  ((${#found[@]})) || return 0
  # The server of a network volume may be gone: then only lazily.
  timeout 10 umount --no-canonicalize "${found[@]}" 2>/dev/null || true
  mapfile -t found < <(mounts /proc/self/mountinfo $host)
  ((${#found[@]})) || return 0
  umount --no-canonicalize --lazy "${found[@]}" || true
}

# What an image lacks, the host may have. Images of before iptables-nft have legacy tables without saying so.
missing=()
for tool in {iptables,ip6tables}-{nft,legacy}-{save,restore} nft ipset ipvsadm; do
  if command -v "$tool" >/dev/null; then continue; fi
  if [[ $tool == *-legacy-* && $(iptables --version 2>/dev/null) == *v1.[0-7]* ]]; then
    eval "$tool() { ${tool/-legacy/} \"\$@\"; }"
  else
    missing+=("$tool")
  fi
done
while read -r tool; do eval "$tool() { chroot $host $tool \"\$@\"; }"; done < <(
  # shellcheck disable=SC2016
  ((${#missing[@]} == 0)) ||
    chroot $host sh -c 'for tool; do if command -v "$tool" >/dev/null; then echo "$tool"; fi; done' sh "${missing[@]}"
)

# Side by side: each has tables of its own.
for_each_backend() { # FUNCTION
  local family backend pid running=()
  for family in iptables ip6tables; do
    for backend in nft legacy; do
      command -v "$family-$backend-save" >/dev/null || continue
      # To list a legacy table loads it into the kernel.
      if [[ $backend == legacy && -z $(cat "/proc/net/${family/tables/_tables}_names" 2>/dev/null) ]]; then continue; fi
      "$1" "$family-$backend" &
      running+=($!)
    done
  done
  for pid in "${running[@]}"; do wait "$pid"; done
}

# find_ours BACKEND sets $rules (its dump) and $ours ("TABLE CHAIN" -> 1).
find_ours() {
  local line table='' chain target foreign_ports=no
  declare -gA ours=()
  mapfile -t rules < <("$1-save" 2>/dev/null || true)
  for line in "${rules[@]}"; do
    case $line in
      '*'*) table=${line#?} ;;
      ':KUBE-'* | ':TSDEPLOY-'* | ':CNI-HOSTPORT-'*)
        chain=${line#:} chain=${chain%% *}
        [[ ${before[$1 $table $chain]:-} ]] || ours[$table $chain]=1
        ;;
      # CNI plugins serve others as well (podman, nerdctl): ours are those with our network's name.
      -A*' -j CNI-'*)
        target=${line##* -j } target=${target%% *}
        if [[ $line == *"name: \\\"$network\\\""* ]]; then
          ours[$table $target]=1
        elif [[ $line == '-A CNI-HOSTPORT-DNAT '* ]]; then
          foreign_ports=yes
        fi
        ;;
    esac
  done
  [[ $foreign_ports == yes ]] || return 0
  unset 'ours[nat CNI-HOSTPORT-DNAT]' 'ours[nat CNI-HOSTPORT-MASQ]' 'ours[nat CNI-HOSTPORT-SETMARK]'
}

show_rules() { # BACKEND
  local key table='' line
  find_ours "$1"
  for key in "${!ours[@]}"; do echo "chain $1 $key"; done
  for line in "${rules[@]}"; do
    case $line in
      '*'*) table=${line#?} ;;
      COMMIT) if is_empty_leftover "$1" "$table"; then echo "table $1 $table"; fi ;;
    esac
  done
}

# is_empty_leftover BACKEND TABLE: whether in $rules there is this nft table, with nothing in it, and was not before.
is_empty_leftover() {
  local line in_table=no
  [[ $1 == *-nft && ! ${before[$1 $2]:-} ]] || return 1
  for line in "${rules[@]}"; do
    case $line in
      "*$2") in_table=yes ;;
      COMMIT) [[ $in_table == no ]] || return 0 ;;
      :*' ACCEPT '* | '#'*) ;;
      *) [[ $in_table == no ]] || return 1 ;;
    esac
  done
  return 1
}

# One transaction a table: our chains emptied, the jumps to them deleted, the chains deleted.
clean_rules() { # BACKEND
  local line table='' chain target flushes='' jumps='' chains='' input=''
  find_ours "$1"
  for line in "${rules[@]}"; do
    case $line in
      '*'*) table=${line#?} flushes='' jumps='' chains='' ;;
      :*)
        chain=${line#:} chain=${chain%% *}
        if [[ ${ours[$table $chain]:-} ]]; then flushes+=":$chain - [0:0]"$'\n' chains+="-X $chain"$'\n'; fi
        ;;
      -A*)
        read -r _ chain _ <<<"$line"
        if [[ $line =~ ' '-[jg]' '([^ ]+) ]]; then target=${BASH_REMATCH[1]}; else target=''; fi
        if [[ ! ${ours[$table $chain]:-} && $target && ${ours[$table $target]:-} ]]; then
          jumps+="-D${line#-A}"$'\n'
        fi
        ;;
      COMMIT) [[ -z $chains ]] || input+="*$table"$'\n'$flushes$jumps$chains$'COMMIT\n' ;;
    esac
  done
  # Before 1.6.2 it knew no --wait.
  [[ -z $input ]] || "$1-restore" --noflush --wait 5 <<<"$input" || "$1-restore" --noflush <<<"$input" || true
  [[ $1 == *-nft ]] || return 0
  mapfile -t rules < <("$1-save" 2>/dev/null || true)
  for line in "${rules[@]}"; do
    [[ $line == '*'* ]] || continue
    if is_empty_leftover "$1" "${line#?}"; then delete_table "$1" "${line#?}"; fi
  done
}

# delete_table BACKEND TABLE deletes an nft table of iptables' with nothing in it, and no rule that somebody adds meanwhile.
delete_table() {
  local family=ip chain input=''
  [[ $1 != ip6* ]] || family=ip6
  if command -v nft >/dev/null; then
    for chain in PREROUTING INPUT FORWARD OUTPUT POSTROUTING; do
      # The kernel refuses if it has rules; iptables before 1.8.8 does not ask it.
      "$1" -w -t "$2" -X "$chain" 2>/dev/null || true
      input+="create chain $family $2 $chain"$'\n'
    done
    # All or nothing: to create a chain fails if it is there or has come since. (`delete chain` would delete its rules.)
    if nft -f - <<<"${input}delete table $family $2" 2>/dev/null; then return; fi
  fi
  # Where there is no nft: to restore a table to nothing deletes it.
  if "$1-save" -t "$2" 2>/dev/null | grep -q '^-A'; then return; fi
  printf '*%s\nCOMMIT\n' "$2" | "$1-restore" || true
}

# Tables that kube-proxy makes with --proxy-mode nftables: "ip kube-proxy".
nft_tables() {
  local family name
  command -v nft >/dev/null || return 0
  while read -r _ family name; do
    [[ $name != kube-proxy || ${before[nft $family $name]:-} ]] || echo "$family $name"
  done < <(nft list tables 2>/dev/null || true)
}

show_nft_tables() { nft_tables | while read -r table; do echo "nft-table $table"; done; }

clean_nft_tables() {
  local family name
  nft_tables | while read -r family name; do nft delete table "$family" "$name" </dev/null || true; done
}

# Sets that kube-proxy makes with --proxy-mode ipvs.
ipsets() {
  local name
  # Not to load the module where it is not.
  [[ -e /sys/module/ip_set ]] && command -v ipset >/dev/null || return 0
  while read -r name; do
    [[ $name != KUBE-* || ${before[ipset $name]:-} ]] || echo "$name"
  done < <(ipset list -name 2>/dev/null || true)
}

show_ipsets() { ipsets | while read -r name; do echo "ipset $name"; done; }

clean_ipsets() {
  local name
  # Sets of sets come first or second.
  for _ in 1 2; do ipsets | while read -r name; do ipset destroy "$name" </dev/null 2>/dev/null || true; done; done
}

# digits_of ADDRESS sets $digits: eight hexadecimal ones of IPv4, 32 of IPv6.
digits_of() {
  local IFS=. parts head tail missing
  if [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ ]]; then
    read -ra parts <<<"$1"
    printf -v digits '%02x' "${parts[@]}"
    return
  fi
  [[ $1 =~ ^[0-9a-f:]*:[0-9a-f:]*$ ]] || return
  IFS=:
  read -ra head <<<"${1%%::*}"
  if [[ $1 == *::* ]]; then read -ra tail <<<"${1#*::}"; fi
  missing=$((8 - ${#head[@]} - ${#tail[@]}))
  for ((; missing > 0; missing--)); do head+=(0); done
  printf -v digits '%04x' "${head[@]/#/0x}" "${tail[@]/#/0x}"
}

is_in() { # ADDRESS CIDR
  local digits network whole=$((${2#*/} / 4)) shift=$((4 - ${2#*/} % 4))
  digits_of "${2%/*}" || return
  network=$digits
  digits_of "$1" || return
  [[ ${#digits} == "${#network}" && ${digits::whole} == "${network::whole}" ]] || return
  ((whole == ${#digits})) || ((16#${digits:whole:1} >> shift == 16#${network:whole:1} >> shift))
}

is_in_any() { # ADDRESS CIDR...
  local address=$1 cidr
  shift
  for cidr; do if is_in "$address" "$cidr"; then return; fi; done
  return 1
}

# node_ports prints "TCP 10.0.0.5:30080" for each address of the host and each port that kube-proxy says in its sets to have
# opened on it.
node_ports() {
  local set address port hosts=()
  [[ -e /sys/module/ip_set ]] && command -v ipset >/dev/null || return 0
  while read -r _ _ _ address _; do
    address=${address%/*}
    if [[ $address == *:* ]]; then address="[$address]"; fi
    hosts+=("$address")
  done < <(ip_ -o addr show 2>/dev/null || true)
  while read -r set; do
    [[ $set =~ ^KUBE-(6-)?NODE-PORT-(TCP|UDP)$ ]] || continue
    while read -r _ _ port _; do
      for address in "${hosts[@]}"; do echo "${set##*-} $address:$port"; done
    done < <(ipset save "$set" </dev/null 2>/dev/null | grep '^add ' || true)
  done < <(ipsets)
}

# virtual_servers prints "ours" or "foreign", protocol and address of what IPVS serves. Ours are those on an address of
# kube-ipvs0, and those that have come since and are a port of nodes: they lead to our pods alone, or to nothing.
virtual_servers() {
  local line word addresses=' ' ports pods=() kind protocol='' server='' real within=no
  declare -A leads=()
  local order=()
  # Not to load the module where it is not.
  [[ -e /proc/net/ip_vs ]] || return 0
  if ! command -v ipvsadm >/dev/null; then
    # As the kernel says them: address and port in hexadecimal.
    while read -r protocol server _; do
      case $protocol in TCP | UDP | SCTP) echo "foreign $protocol $server (hexadecimal; no ipvsadm here)" ;; esac
    done </proc/net/ip_vs
    return
  fi
  while read -r _ _ _ word _; do addresses+="${word%/*} "; done < <(ip_ -o addr show dev kube-ipvs0 2>/dev/null || true)
  ports=$'\n'$(node_ports)$'\n'
  # start.sh names the pods' network in a chain of ours.
  while read -r line; do
    if [[ $line =~ ^-A\ TSDEPLOY-FORWARD\ -s\ ([0-9a-f:./]+)\ -j\ ACCEPT ]]; then pods+=("${BASH_REMATCH[1]}"); fi
  done < <(for_each_backend dump_filter)
  while read -r kind protocol server word real _; do
    case $protocol in
      -t) protocol=TCP ;;
      -u) protocol=UDP ;;
      --sctp-service) protocol=SCTP ;;
      # By mark: kube-proxy makes none.
      *) protocol=FWM ;;
    esac
    case $kind in
      -A) order+=("$protocol $server") leads[$protocol $server]=none ;;
      -a)
        within=no
        real=${real%:*} real=${real#[} real=${real%]}
        if [[ $word == -r ]] && is_in_any "$real" "${pods[@]}"; then within=yes; fi
        if [[ $within == no || ${leads[$protocol $server]} == elsewhere ]]; then within=elsewhere; else within=pods; fi
        leads[$protocol $server]=$within
        ;;
    esac
  done < <(ipvsadm -Sn 2>/dev/null || true)
  for server in "${order[@]}"; do
    real=${server#* }
    real=${real%:*} real=${real#[} real=${real%]}
    kind=foreign
    if [[ ${before[ipvs $server]:-} ]]; then continue; fi
    if [[ ${leads[$server]} == none && $ports == *$'\n'"$server"$'\n'* ]]; then kind=ours; fi
    if [[ $server != FWM* && ($addresses == *" $real "* || ${leads[$server]} == pods) ]]; then kind=ours; fi
    echo "$kind $server"
  done
}

dump_filter() { "$1-save" -t filter 2>/dev/null || true; }

show_virtual_servers() {
  virtual_servers | while read -r kind server; do
    if [[ $kind == ours ]]; then echo "ipvs $server"; else echo "foreign-ipvs $server"; fi
  done
}

clean_virtual_servers() {
  local kind protocol server
  virtual_servers | while read -r kind protocol server; do
    [[ $kind == ours ]] || continue
    case $protocol in
      TCP) ipvsadm -D -t "$server" </dev/null || true ;;
      UDP) ipvsadm -D -u "$server" </dev/null || true ;;
      SCTP) ipvsadm -D --sctp-service "$server" </dev/null || true ;;
    esac
  done
}

ip_() { if command -v ip >/dev/null; then ip "$@"; else chroot $host ip "$@"; fi; }

clean_links() {
  local link port
  for link in "${links[@]}"; do
    [[ -e /sys/class/net/$link ]] || continue
    for port in /sys/class/net/"$link"/brif/*; do ip_ link delete "${port##*/}" type veth 2>/dev/null || true; done
    ip_ link delete "$link" || true
  done
}

# Those of the host's own table; of the rest of a line (metric, protocol) nothing tells them apart.
routes() {
  local cidr destination how gateway device family length
  for cidr in "${routed[@]}"; do
    family=-4 length=/32
    if [[ $cidr == *:* ]]; then family=-6 length=/128; fi
    ip_ $family route show root "$cidr" | while read -r destination how gateway _ device _; do
      [[ $destination == */* ]] || destination+=$length
      [[ $how == via && $gateway =~ ^[0-9a-f.:]+$ && $device ]] || continue
      destination="$destination via $gateway dev $device"
      [[ ${before[route $destination]:-} ]] || echo "$destination"
    done
  done
}

show_routes() { routes | while IFS= read -r route; do echo "route $route"; done; }

clean_routes() {
  local route family
  routes | while IFS= read -r route; do
    family=-4
    if [[ $route == *:* ]]; then family=-6; fi
    # shellcheck disable=SC2086
    ip_ $family route delete $route </dev/null || true
  done
}

# path_of SYSCTL sets $path: in a name a slash stands for a point that separates nothing, as in eth0.7.
path_of() {
  path=${1//\//:}
  path=${path//./\/}
  path=/proc/sys/${path//:/.}
}

show_sysctls() {
  local name path value
  for name in "${!sysctls[@]}"; do
    path_of "$name"
    if [[ ! -r $path ]] || ! read -r value <"$path"; then continue; fi
    if [[ $value != "${sysctls[$name]}" && ${set_by_us[$name]-$value} == "$value" ]]; then echo "sysctl $name $value"; fi
  done
}

clean_sysctls() {
  local name path
  show_sysctls | while read -r _ name _; do
    path_of "$name"
    { echo "${sysctls[$name]}" >"$path"; } 2>/dev/null || true
  done
}

# Where Docker's cgroup driver is systemd, a kubelet has systemd make them. Who removes their folders alone leaves systemd
# with units that it calls active for ever, and whose folders come back with the next thing that systemd does to them.
units() {
  [[ -d $host/run/systemd/system ]] && chroot $host sh -c 'command -v systemctl' >/dev/null || return 0
  chroot $host systemctl list-units --all --full --plain --no-legend 'kubepods.slice' 'kubepods-*.slice' </dev/null |
    while read -r unit _; do echo "$unit"; done
}

clean_units() {
  local found
  mapfile -t found < <(units)
  ((${#found[@]} == 0)) || chroot $host systemctl stop "${found[@]}" </dev/null || true
}

# A kubelet makes one for each pod: folders that only the kernel fills.
cgroups() {
  local root roots=()
  for root in "$host"/sys/fs/cgroup/{,*/}kubepods{,.slice}; do [[ ! -d $root ]] || roots+=("$root"); done
  ((${#roots[@]} == 0)) || find "${roots[@]}" -depth -type d
}

# Links to logs of containers that are no more.
dead_logs() {
  local link target
  # Bash alone would start a program for each.
  { find $host/var/log/pods $host/var/log/containers -maxdepth 3 -type l -name '*.log' -printf '%p\0%l\0' 2>/dev/null ||
    true; } |
    while IFS= read -rd '' link && IFS= read -rd '' target; do
      [[ -e $host$target || -L $host$target ]] || echo "$link"
    done
}

# Folders of a run that was killed while it wrote files.
staged() {
  local folders=("$host"/etc/.tsdeploy-new-*)
  ((${#folders[@]} == 0)) || printf '%s\n' "${folders[@]}"
  find $host/etc/kubernetes $host/etc/cni/net.d -maxdepth 3 -type d -name '.tsdeploy-new-*' 2>/dev/null || true
}

# find_matches PATTERN... sets $found: what there is of them, but for what is to be kept.
find_matches() {
  # A pattern is one word, whatever is in it.
  local IFS='' pattern path
  found=()
  for pattern; do
    for path in $host$pattern; do
      if [[ (-e $path || -L $path) && ! ${keeps[$path]:-} ]]; then found+=("$path"); fi
    done
  done
}

# clean_matches PATTERN...
clean_matches() {
  local found
  find_matches "$@"
  ((${#found[@]} == 0)) || rm -rf --one-file-system -- "${found[@]}" || true
}

show_matches() {
  local found path
  find_matches "$@"
  for path in "${found[@]}"; do echo "path ${path#"$host"}"; done
}

is_empty_folder() {
  local entries
  [[ -d $1 ]] || return
  entries=("$1"/* "$1"/.[!.]*)
  ((${#entries[@]} == 0))
}

clean_paths() {
  local path found
  # What is still mounted there is not ours to delete.
  if [[ -n $(mounts /proc/self/mountinfo $host; mounts "$mountinfo" '') ]]; then
    echo "something is still mounted below /var/lib/kubelet" >&2
    return
  fi
  clean_matches "${patterns[@]}"
  staged | while IFS= read -r path; do rm -rf --one-file-system -- "$path"; done
  # Those of the containers lead to those of the pods, so these first.
  for _ in 1 2; do
    mapfile -t found < <(dead_logs)
    ((${#found[@]} == 0)) || rm -f -- "${found[@]}"
  done
  [[ ! -d $host/var/log/pods ]] || find $host/var/log/pods -mindepth 1 -type d -empty -delete
  clean_folders
}

clean_folders() { ((${#folders[@]} == 0)) || rmdir "${folders[@]/#/$host}" 2>/dev/null || true; }

show_paths() {
  local path folder
  staged | while IFS= read -r path; do echo "path ${path#"$host"}"; done
  show_matches "${patterns[@]}"
  for folder in "${folders[@]}"; do
    if is_empty_folder "$host$folder"; then echo "empty-folder $folder"; fi
  done
  dead_logs | while IFS= read -r path; do echo "dead-log ${path#"$host"}"; done
}

# Those in a PID namespace of their own manage another machine, such as one that is a container here.
show_kubelets() {
  local file name line container
  for file in /proc/[0-9]*/comm; do
    { read -r name <"$file"; } 2>/dev/null || continue
    [[ $name == hyperkube && $(tr '\0' ' ' 2>/dev/null <"${file%comm}cmdline") == *hyperkube\ kubelet* ]] && name=kubelet
    [[ $name == kubelet && ${file%comm}ns/pid -ef /proc/1/ns/pid ]] || continue
    container=-
    while read -r line; do
      if [[ $line =~ .*([0-9a-f]{64}) ]]; then container=${BASH_REMATCH[1]} && break; fi
    done 2>/dev/null <"${file%comm}cgroup" || true
    file=${file#/proc/}
    echo "kubelet ${file%/comm} $container"
  done
}

clean_firewall() {
  # While the rules and kube-ipvs0 show whose virtual servers are.
  clean_virtual_servers
  for_each_backend clean_rules
  clean_nft_tables
  # A set that a rule names cannot be removed.
  clean_ipsets
}

show_firewall() {
  for_each_backend show_rules
  show_nft_tables
  show_ipsets
  show_virtual_servers
}

# The firewall beside the rest, here and below: it takes as long as all of that.
clean() {
  local firewall='' found
  if [[ $network ]]; then clean_firewall & firewall=$!; fi
  clean_mounts
  clean_routes
  clean_sysctls
  clean_units
  mapfile -t found < <(cgroups)
  ((${#found[@]} == 0)) || rmdir "${found[@]}" 2>/dev/null || true
  # It needs kube-ipvs0, and makes the lock of iptables anew.
  [[ -z $firewall ]] || wait "$firewall"
  clean_links
  clean_paths
}

# All but the records.
show() {
  local firewall='' link
  if [[ $network ]]; then show_firewall & firewall=$!; fi
  mounts "$mountinfo" '' | while IFS= read -r path; do echo "mount $path"; done
  for link in "${links[@]}"; do [[ ! -e /sys/class/net/$link ]] || echo "link $link"; done
  show_routes
  show_sysctls
  cgroups | while IFS= read -r path; do echo "cgroup ${path#"$host"}"; done
  units | while IFS= read -r unit; do echo "unit $unit"; done
  show_paths
  show_kubelets
  # An undo that was cut off may have left the copy alone.
  if [[ -e $host/var/lib/etcd/member || -e $host/var/lib/etcd/member-before-upgrade ]]; then echo "etcd-data /var/lib/etcd"; fi
  [[ -z $firewall ]] || wait "$firewall"
}

# is_clean SHOWN: whether that is nothing that could have been removed.
is_clean() {
  ! grep -qvE '^((kubelet|etcd-data|foreign-ipvs) |$)' <<<"$1"
}

[[ $mode == show ]] || clean
# $(…) forgets `set -e`: what could not be looked at would pass for gone.
shown=$(set -e; show)
if [[ $mode == clean ]] && is_clean "$shown"; then
  clean_matches "${records[@]}"
  clean_folders
  shown+=$'\n'$(set -e; show_paths)
fi
printf '%s\n' "$shown"
show_matches "${records[@]}"
