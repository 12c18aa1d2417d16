#!/usr/bin/env bash
# Prints what src/host/parseHostFacts.ts reads: lines of a key and its values, separated by blanks.
set -euo pipefail

usage() {
  cat <<END
usage: facts.sh DOCKER_ROOT CNI_DIR [PROGRAM[=VERSION]...]

Run in the helper container, or in another that has host network, host PIDs and all privileges: the host's / is at
\$HOST_ROOT, or /host. CNI_DIR is where the image says its CNI plugins are, or empty. PROGRAM is kubelet, etcd,
cri-dockerd or coredns: if the image has it, its version is printed, and it is asked for it unless the image says its
VERSION. Changes nothing.
END
}
[[ ${1:-} != --help ]] || { usage && exit; }
[[ $# -ge 2 ]] || { usage >&2 && exit 2; }
docker_root=$1 cni_dir=$2
shift 2
host=${HOST_ROOT:-/host}
[[ -d $host ]] || { echo "facts.sh: there is no $host" >&2 && exit 1; }

# ask PROGRAM sets $version, empty if it is not there. Some images have only the single programs, some only hyperkube.
ask() {
  case $1 in
    kubelet) version=$(PATH=/:$PATH && { hyperkube kubelet --version || kubelet --version; } 2>/dev/null) || version='' ;;
    *) version=$("$1" --version 2>/dev/null) || version='' ;;
  esac
  case $1 in
    # Kubernetes v1.20.2
    kubelet) version=${version##* } ;;
    # etcd Version: 3.4.23, and more lines
    etcd) version=${version%%$'\n'*} && version=${version##* } ;;
    # cri-dockerd 0.4.3 (1a2b3c4d)
    cri-dockerd) version=${version#* } && version=${version%% *} ;;
    # CoreDNS-1.10.1, and more lines
    coredns) version=${version%%$'\n'*} && version=${version##*-} ;;
  esac
}
declare -A version_keys=([kubelet]=imageVersion [etcd]=imageEtcdVersion [cri-dockerd]=imageCriDockerdVersion
  [coredns]=imageCorednsVersion)
versions() {
  local program version
  for program; do
    if [[ $program == *=* ]] && hash "${program%%=*}" 2>/dev/null; then version=${program#*=}; else ask "${program%%=*}"; fi
    [[ ! $version ]] || echo "${version_keys[${program%%=*}]} $version"
  done
}
# Asking is slow (20 to 80 ms each), so beside the rest.
exec {versions_fd}< <(versions "$@")

# What the image has.
for program in kubelet kube-proxy kube-apiserver kube-controller-manager kube-scheduler kubectl cri-dockerd etcd flanneld \
  coredns haproxy ip ipset iptables mount nft nsenter socat hyperkube pause; do
  if hash "$program" 2>/dev/null; then echo "program $program ${BASH_CMDS[$program]}"; fi
done
for program in hyperkube pause; do
  if [[ -f /$program && -x /$program ]]; then echo "program $program /$program"; fi
done

# What an image lacks, the host may have. Images of before iptables-nft have legacy tables without saying so.
lacking=()
for tool in ip ss {iptables,ip6tables}-{nft,legacy}-save nft ipset ipvsadm; do
  if command -v "$tool" >/dev/null; then continue; fi
  if [[ $tool == *-legacy-* && $(iptables --version 2>/dev/null) == *v1.[0-7]* ]]; then
    eval "$tool() { ${tool/-legacy/} \"\$@\"; }"
  else
    lacking+=("$tool")
  fi
done
if ((${#lacking[@]})); then
  while read -r tool; do eval "$tool() { chroot \$host $tool \"\$@\"; }"; done < <(
    # shellcheck disable=SC2016
    chroot "$host" sh -c 'for tool; do ! command -v "$tool" >/dev/null || echo "$tool"; done' sh "${lacking[@]}"
  )
fi

# nearest PATH sets $nearest to it or its first existing parent, on the host.
nearest() {
  nearest=$host$1
  while [[ ! -e $nearest ]]; do nearest=${nearest%/*}; done
}

# resolve PATH sets $resolved to where it leads on the host: an absolute link would lead into this container otherwise.
# What is missing stays as it is.
resolve() {
  local rest=${1#/} name target links=0
  resolved=''
  while [[ -n $rest ]]; do
    name=${rest%%/*}
    if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=''; fi
    case $name in
      '' | .) continue ;;
      ..) resolved=${resolved%/*} && continue ;;
    esac
    # Links that lead to each other have no end.
    if [[ -L $host$resolved/$name ]] && ((links++ < 40)); then
      target=$(readlink "$host$resolved/$name")
      [[ $target != /* ]] || resolved=''
      rest=$target/$rest
    else
      resolved+=/$name
    fi
  done
  resolved=${resolved:-/}
}

# one_line TEXT: a name can hold a line break, what is printed here cannot.
one_line() { printf '%s\n' "${1//$'\n'/?}"; }

# sources: the addresses and networks in a firewall's rules, comma-separated.
sources() {
  local ipv4='\b([0-9]{1,3}\.){3}[0-9]{1,3}(/[0-9]{1,2})?\b' ipv6='\b[0-9a-fA-F]{1,4}:[0-9a-fA-F:]*:[0-9a-fA-F]*(/[0-9]{1,3})?'
  { grep -oE "$ipv4|$ipv6" || true; } | sort -u | paste -sd,
}

# Iptables, nftables and what kube-proxy has besides.
packet_filters() {
  local family backend save table line legacy=no nft=no closed='' rules name nft_tables='' kind option server
  # Legacy first looks whether the kernel has such tables: listing one by name would load it.
  for family in iptables ip6tables; do
    for backend in nft legacy; do
      save=$family-$backend-save
      command -v "$save" >/dev/null || continue
      if [[ $backend == legacy && -z $(cat "/proc/net/${family/tables/_tables}_names" 2>/dev/null) ]]; then continue; fi
      table=''
      while read -r line; do
        case $line in
          '*'*) table=${line#?} && echo "iptables $family-$backend $table" ;;
          ':DOCKER '*) declare "$backend=yes" ;;
          ':INPUT DROP '*) if [[ $family == iptables && $table == filter ]]; then closed=$save; fi ;;
          ':KUBE-'* | ':CNI-'* | ':TSDEPLOY-'*) line=${line#:} && echo "iptables $family-$backend $table ${line%% *}" ;;
        esac
      done < <("$save" 2>/dev/null || true)
    done
  done

  # Firewalls of the owner's. What iptables drops in FORWARD a chain of ours comes before.
  if [[ $closed ]]; then
    rules=$("$closed" -t filter)
    if [[ $rules == *:ufw-* ]]; then name=ufw; else name=iptables_INPUT; fi
    echo "firewall $name $(grep -E '^-A (INPUT|ufw-user-input) .*-s .*-j ACCEPT' <<<"$rules" | sources)"
  fi
  if command -v nft >/dev/null; then nft_tables=$(nft list tables 2>/dev/null) || nft_tables=''; fi
  if [[ $nft_tables ]]; then
    while read -r _ family name; do
      # Those of iptables, kube-proxy and container engines.
      case $name in filter | nat | mangle | raw | security) [[ $family != ip && $family != ip6 ]] || continue ;; esac
      case $name in kube-proxy | docker-bridges | netavark | f2b-table | libvirt_network) continue ;; esac
      case $family in ip | inet) ;; *) continue ;; esac
      rules=$(nft list table "$family" "$name" 2>/dev/null) || continue
      if [[ $name == firewalld ]]; then
        echo "firewall firewalld $(sources <<<"$rules")"
      elif grep -qE 'hook (input|forward) .*policy drop' <<<"$rules"; then
        echo "firewall nft_${family}_$name $(sources <<<"$rules")"
      fi
    done <<<"$nft_tables"
  fi

  # What kube-proxy has besides, in the form that teardown.sh takes. Not to load a module where it is not.
  while read -r _ family name; do
    [[ $name != kube-proxy ]] || echo "kubeProxy nft $family $name"
  done <<<"$nft_tables"
  if [[ -e /sys/module/ip_set ]] && command -v ipset >/dev/null; then
    while read -r name; do
      [[ $name != KUBE-* ]] || echo "kubeProxy ipset $name"
    done < <(ipset list -name 2>/dev/null || true)
  fi
  if [[ -e /proc/net/ip_vs ]] && command -v ipvsadm >/dev/null; then
    while read -r kind option server _; do
      case $kind$option in
        -A-t) echo "kubeProxy ipvs TCP $server" ;;
        -A-u) echo "kubeProxy ipvs UDP $server" ;;
        -A--sctp-service) echo "kubeProxy ipvs SCTP $server" ;;
      esac
    done < <(ipvsadm -Sn 2>/dev/null || true)
  fi
  # The last line: without it the rest is not whole.
  if [[ $legacy == yes && $nft == no ]]; then echo "iptablesBackend legacy"; else echo "iptablesBackend nft"; fi
}
# They take as long as all the rest.
exec {filters_fd}< <(packet_filters)

read -r hostname </proc/sys/kernel/hostname
echo "hostname $hostname"
echo "cpus $(nproc)"
while read -r key value _; do
  if [[ $key == MemTotal: ]]; then echo "memoryBytes $((value * 1024))" && break; fi
done </proc/meminfo
swap=0
while read -r _ _ size _; do [[ $size == Size ]] || swap=$((swap + size)); done </proc/swaps
echo "swapBytes $((swap * 1024))"
# This container's, so what Docker gives those that ask for nothing.
echo "openFiles $(ulimit -Hn)"
if [[ -e $host/sys/fs/cgroup/cgroup.controllers ]]; then echo "cgroupVersion 2"; else echo "cgroupVersion 1"; fi
# By which cgroup driver pods run: kubelets name their cgroups by it. On cgroup v1 one controller's will do.
for driver in cgroupfs:kubepods systemd:kubepods.slice; do
  if grep -qs . "$host"/sys/fs/cgroup/{,memory/}"${driver#*:}"{,/*}{,/*}{,/*}/cgroup.procs; then
    echo "podCgroups ${driver%:*}"
  fi
done
# An etcd of ours that lost its data, and ends because of that, leaves a folder with an empty database (16 KiB), and no log.
# What cannot be looked at is data.
has_content() {
  local found
  ! found=$(find "$1" -type f \( -name '*.wal' -o -size +32k \) -print -quit) || [[ $found ]]
}
member=$host/var/lib/etcd/member
if [[ -e $member ]] && { [[ ! -e $host/etc/kubernetes/tsdeploy.yaml ]] || has_content "$member/"; }; then
  echo "etcdData true"
else
  echo "etcdData false"
fi

# Of IPv6 those addresses that last; what was set by hand comes first. A kernel without IPv6 has none.
dynamic=()
addresses=$(ip -o addr show scope global)
while read -r _ interface family address rest; do
  case "$family $rest " in
    inet' '*) echo "address $interface $address" ;;
    *' temporary '* | *' deprecated '* | *' tentative '* | *' dadfailed '*) ;;
    *' dynamic '*) dynamic+=("address6 $interface $address") ;;
    inet6' '*) echo "address6 $interface $address" ;;
  esac
done <<<"$addresses"
((${#dynamic[@]} == 0)) || printf '%s\n' "${dynamic[@]}"
routes=$(ip -4 route show)
while read -r line; do echo "route $line"; done <<<"$routes"
while read -r line; do echo "route6 $line"; done < <(ip -6 route show 2>/dev/null || true)
for link in /sys/class/net/*; do
  echo "link ${link##*/}"
  # What is a file there is no interface: `bonding_masters`.
  if [[ -r $link/mtu ]] && read -r mtu <"$link/mtu"; then echo "mtu ${link##*/} $mtu"; fi
done

read -r release </proc/sys/kernel/osrelease
modules=$host/lib/modules/$release

# makes LINK_TYPE: whether the kernel makes such an interface, tried in a network namespace that is gone at once. It loads
# the module, as flannel would.
makes() {
  command -v ip >/dev/null && unshare --net ip link add probe type "$@" 2>/dev/null
}

# has_driver MODULE [COMMAND...]: loaded, built in or there to be loaded; where nothing says so, by trying.
has_driver() {
  local name=$1
  shift
  [[ ! -e /sys/module/$name ]] || return 0
  if grep -qs "/$name\.ko" "$modules/modules.dep" "$modules/modules.builtin"; then return 0; fi
  # A kernel that says what modules it has has no others.
  [[ ! -e $modules/modules.dep ]] || return 1
  (($#)) && "$@"
}

if [[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]] || has_driver br_netfilter; then echo "networkDriver br_netfilter"; fi
if has_driver vxlan makes vxlan id 1 dstport 4789 dev lo; then echo "networkDriver vxlan"; fi
if has_driver wireguard makes wireguard; then echo "networkDriver wireguard"; fi
if [[ -e $host/dev/net/tun || -e /dev/net/tun ]] || has_driver tun; then echo "networkDriver tun"; fi

# A folder behind a link: whoever removes or overwrites by its name changes something elsewhere.
for path in /var/lib/kubelet /etc/kubernetes /etc/kubernetes/pki /etc/kubernetes/manifests-multi /etc/kubernetes/addons \
  /var/lib/etcd /etc/cni /etc/cni/net.d /var/lib/cni; do
  resolve "$path"
  [[ $resolved == "$path" ]] || one_line "symlink $path $resolved"
done

for path in /var/lib/kubelet{,/pods,/plugins,/plugins_registry,/device-plugins,/pod-resources,/pki,/checkpoints} \
  /var/lib/etcd /var/lib/cni/networks; do
  resolve "$path"
  for entry in "$host$resolved"/{*,.[!.]*,..?*}; do
    # A pattern without a match stands for itself.
    [[ ! -e $entry && ! -L $entry ]] || one_line "entry $path/${entry##*/}"
  done
done

# As the host's first process sees it. Through a pipe: of a file Bash goes back to the end of each line that it has read,
# and the kernel then lists all mounts again.
resolve /var/lib/kubelet
kubelet_root=$resolved
# Those that the kubelet's container sees, where users keep what their pods get (kubeletContainer.ts).
user_folders=(/home /media /mnt /opt /srv /tmp)
declare -A place=([/var/lib/kubelet]=/var/lib/kubelet) longest=() propagation=()
for path in "${user_folders[@]}"; do
  resolve "$path"
  place[$path]=$resolved
done
while read -r _ _ _ _ mount_point _ optional; do
  printf -v mount_point %b "$mount_point"
  if [[ $mount_point == /var/lib/kubelet/* || $mount_point == "$kubelet_root"/* ]]; then
    one_line "mountBelow $mount_point"
  fi
  case ${optional%% - *} in
    shared:* | *' shared:'*) kind=shared ;;
    master:* | *' master:'*) kind=slave ;;
    *) kind=private ;;
  esac
  prefix=${mount_point%/}/
  for path in "${!place[@]}"; do
    known=${longest[$path]:-}
    [[ ${place[$path]%/}/ == "$prefix"* && ${#prefix} -ge ${#known} ]] || continue
    longest[$path]=$prefix propagation[$path]=$kind
  done
done < <(cat /proc/1/mountinfo)
echo "propagation ${propagation[/var/lib/kubelet]:-private}"
for path in "${user_folders[@]}"; do
  [[ ${propagation[$path]:-private} != private ]] || echo "privateFolder $path"
done

# listeners LINES prints what `ss` says; fails if a process that matters started or ended while it was read.
kubernetes_port=':(6443|8080|2379|2380|10248|10249|1025[0-2]|10256|10257|10259)[[:space:]]'
listeners() {
  local address users cgroup pid process container status=0
  while read -r _ _ _ address _ users; do
    [[ -n $address ]] || continue
    pid='' container='' process=''
    if [[ $users =~ \"([^\"]*)\",pid=([0-9]+) ]]; then
      process=${BASH_REMATCH[1]// /_} pid=${BASH_REMATCH[2]}
      while read -r cgroup; do
        if [[ $cgroup =~ .*([0-9a-f]{64}) ]]; then container=${BASH_REMATCH[1]} && break; fi
      done 2>/dev/null <"/proc/$pid/cgroup" || true
    fi
    if [[ "$address " =~ $kubernetes_port && (-z $pid || ! -e /proc/$pid) ]]; then status=1; fi
    echo "listening $address ${pid:--} ${process:--} ${container:--}"
  done <<<"$1"
  return $status
}

# Naming the processes means reading all of /proc, so only if it is about one of Kubernetes' ports. A pod's container may
# be replaced while that is read; its process would pass for somebody else's. A kernel's own listener never has one.
listening=$(ss -ltn | sed 1d)
if [[ $listening =~ $kubernetes_port ]]; then
  for _ in {1..5}; do
    if listening=$(listeners "$(ss -ltnp | sed 1d)"); then break; fi
  done
  echo "$listening"
else
  listeners "$listening"
fi

# Ports of UDP, those of the kernel's own sockets among them, such as WireGuard's. A socket with a peer is a client's, whose
# port is any. The first line has no address.
for family in udp udp6; do
  while read -r _ address peer _; do
    [[ $address != *:* || $peer != *:0000 ]] || echo "udpPort $((16#${address##*:}))"
  done 2>/dev/null <"/proc/net/$family" || true
done

# servers FILE: the nameservers that it names. FILE may be an absolute link.
servers() {
  local key value
  resolve "$1"
  { while read -r key value _ || [[ $key ]]; do [[ $key != nameserver ]] || echo "$value"; done <"$host$resolved"; } 2>/dev/null
}

# A stub on loopback, such as systemd-resolved's and NetworkManager's, is of no use in a pod: they say what is behind it.
resolv_conf=/etc/resolv.conf
for file in /etc/resolv.conf /run/systemd/resolve/resolv.conf /run/NetworkManager/no-stub-resolv.conf; do
  named=$(servers "$file") || continue
  if [[ $named && ! $'\n'$named =~ $'\n'(127\.|::1|0\.0\.0\.0) ]]; then resolv_conf=$file && break; fi
done
resolve "$resolv_conf"
{
  while read -r key value || [[ $key ]]; do
    case $key in nameserver | search | domain | options) echo "resolver $key $value" ;; esac
  done <"$host$resolved"
} 2>/dev/null || true
echo "resolvConf $resolv_conf"

# Where images are, by this container's own files: containerd's image store is not below Docker's root.
image_root=''
while read -r _ _ _ _ _ _ rest; do
  if [[ $rest == *upperdir=* ]]; then
    image_root=${rest##*upperdir=}
    printf -v image_root %b "${image_root%%,*}"
    image_root=${image_root%%/io.containerd.snapshotter.*} image_root=${image_root/%\/overlay2\/*//overlay2}
  fi
done < <(grep -E '^([^ ]+ ){4}/ ' /proc/self/mountinfo)
if [[ $image_root && -d $host$image_root && $(stat -c %d "$host$image_root" "$host$docker_root" | uniq) == *$'\n'* ]]; then
  one_line "imageRoot $image_root"
else
  image_root=''
fi

paths=("$docker_root" ${image_root:+"$image_root"} /var/lib/kubelet /var/lib/etcd /etc) existing=()
for path in "${paths[@]}"; do
  nearest "$path"
  [[ -w $nearest ]] || echo "readOnly $path"
  existing+=("$nearest")
done
free=$(stat -f -c '%a %S' "${existing[@]}")
for path in "${paths[@]}"; do read -r blocks && echo "free $blocks $path"; done <<<"$free"

# The same value goes back: only a network namespace that is not the first refuses.
max=/proc/sys/net/netfilter/nf_conntrack_max
if [[ -e $max ]] && read -r value <$max && { echo "$value" >$max; } 2>/dev/null; then
  echo "conntrackMaxWritable true"
else
  echo "conntrackMaxWritable false"
fi

# There already, or a module that kube-proxy can load.
if [[ -e /proc/net/ip_vs ]] || grep -qs '/ip_vs\.ko' "$modules/modules.dep"; then
  echo "ipvs true"
else
  echo "ipvs false"
fi

for file in "$host"/etc/cni/net.d/*; do
  case $file in
    */10-tsdeploy.conf | */10-tsdeploy.conflist) ;;
    *.conf | *.conflist | *.json) echo "cni ${file##*/}" ;;
  esac
done

# kubelet (setupKernelTunables), kube-proxy (iptables and ipvs), CNI's bridge and portmap.
for name in vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys \
  kernel.keys.root_maxbytes net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.all.route_localnet \
  net.ipv4.conf.all.arp_ignore net.ipv4.conf.all.arp_announce net.bridge.bridge-nf-call-iptables \
  net.bridge.bridge-nf-call-ip6tables net.netfilter.nf_conntrack_max \
  net.netfilter.nf_conntrack_tcp_timeout_established net.netfilter.nf_conntrack_tcp_timeout_close_wait \
  net.ipv4.vs.conntrack net.ipv4.vs.conn_reuse_mode net.ipv4.vs.expire_nodest_conn \
  net.ipv4.vs.expire_quiescent_template; do
  file=/proc/sys/${name//./\/}
  if [[ -r $file ]] && read -r value <"$file"; then echo "sysctl $name $value"; fi
done
# Of interfaces that listen to routers: start.sh changes it where forwarding would end that. A point in a name is a slash
# here, as sysctl writes it.
for file in /proc/sys/net/ipv6/conf/*/accept_ra; do
  name=${file#/proc/sys/net/ipv6/conf/} name=${name%/accept_ra}
  case $name in all | default | lo | veth* | cni0 | docker* | br-* | flannel* | kube-*) continue ;; esac
  if [[ -r $file ]] && read -r value <"$file"; then echo "sysctl net.ipv6.conf.${name//./\/}.accept_ra $value"; fi
done

# By which a host says what it is. Docker would make a folder of one that is missing.
for path in /etc/machine-id /etc/os-release; do
  resolve "$path"
  if [[ -f $host$resolved && -s $host$resolved ]]; then echo "identity $path"; fi
done

# All that a teardown or an undo may remove when it is empty: what was there stays.
# Docker makes folders that are to be bound; kubelet, CNI and the old iptables make theirs.
for path in /etc/kubernetes{,/addons,/manifests-multi,/masters,/pki,/pki/etcd,/scripts} /etc/cni /etc/cni/net.d /lib/modules \
  /opt /opt/cni /opt/cni/bin /usr/libexec/kubernetes{,/kubelet-plugins{,/volume{,/exec}}} \
  /run/xtables.lock /run/cri-dockerd.sock /run/flannel /var/lib/kubelet /var/lib/etcd \
  /var/lib/cni{,/networks,/results,/cache,/cache/results} /var/lib/dockershim /var/lib/cri-dockerd /var/log/containers /var/log/pods /home /media /mnt /srv /tmp; do
  [[ ! -e $host$path ]] || echo "path $path"
done

for dir in "$cni_dir" /opt/cni/bin /usr/lib/cni /usr/libexec/cni; do
  if [[ -n $dir && -x $dir/loopback ]]; then echo "imageCniDir $dir" && break; fi
done

cat <&"$versions_fd"
filters=$(cat <&"$filters_fd")
[[ $filters == *iptablesBackend* ]] || { echo 'facts.sh: the packet filters could not be read' >&2 && exit 1; }
echo "$filters"
echo "clock ${EPOCHREALTIME:-$(date +%s.%N)}"
