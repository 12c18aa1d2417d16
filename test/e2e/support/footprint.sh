#!/usr/bin/env bash
# Prints all that a person could find changed on a machine, one "section: line" each. Run in the machine.
set -euo pipefail
export LC_ALL=C

# A pair of interfaces gets random names; eth0's peer is another one after each boot.
names() { sed -E 's/veth[0-9a-f]+/veth*/g; s/@[a-z0-9*]+//g'; }
section() { sort -u | sed "s|^|$1: |"; }

docker ps -a --format '{{.Names}} {{.Image}}' | section container
docker volume ls -q | section volume
docker network ls --format '{{.Name}} {{.Driver}}' | section network
docker images -a --format '{{.Repository}}:{{.Tag}} {{.ID}}' | section image

# Mount point, propagation, type; without those that Docker makes for its containers.
awk '{ shared = ""; for (i = 7; $i != "-"; i++) if ($i ~ /^shared/) shared = "shared"; print $5, shared, $(i + 1) }' \
  /proc/1/mountinfo | { grep -vE '^/(var/lib/docker|run/docker|var/run/docker|run/containerd)/' || true; } | section mount

# Docker's own link goes up and down with its containers.
ip -o link | awk '{ print $2, $5, /master/ ? $0 : "" }' | sed -E 's/^([^ ]+ [0-9]+).*(master [^ ]+).*/\1 \2/' |
  names | section link
ip -o -4 addr | awk '{ print $2, $4 }' | names | section address
{ ip -4 route show table all; ip -6 route show table all; } |
  { grep -vE 'table local|fe80::|^(multicast|anycast|local) ' || true; } | sed -E 's/ (linkdown|metric.*$)//g; s/ +$//' |
  names | section route
{ ip -4 rule; ip -6 rule; } | section rule

# A table that holds no rule, no chain and no policy does nothing.
for save in iptables-nft-save iptables-legacy-save ip6tables-nft-save ip6tables-legacy-save; do
  $save 2>/dev/null | sed -E 's/ \[[0-9]+:[0-9]+\]$//' | awk '
    /^\*/ { table = substr($0, 2) }
    /^:/ && $2 != "ACCEPT" { print table, $0 }
    /^-/ { print table, $0 }' | section "$save"
done

# What kube-proxy's IPVS mode serves.
{ grep -E '^(TCP|UDP|SCTP|FWM) ' /proc/net/ip_vs 2>/dev/null || true; } | section ipvs

# These change by themselves, or with the interfaces of the moment.
volatile='_count =|tcp_fastopen_key|\.(veth|cni|docker|br-)[^ ]*|stable_secret|\.neigh\.|ipv[46]\.route\.'
{
  # procps 4.0.7 exits with 1 for a key that cannot be read.
  { sysctl -a 2>/dev/null || true; } | grep -E '^net\.(ipv4|ipv6|netfilter|bridge)\.' | grep -vE "$volatile"
  sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys \
    kernel.keys.root_maxbytes
} | section sysctl

# Without ourselves and sshd's sessions, and on a machine with its own kernel without that kernel's threads.
kernel=0
[[ $(cat /proc/2/comm 2>/dev/null) != kthreadd ]] || kernel=2
ps -e -o ppid=,pid=,comm= | awk -v kernel=$kernel '!kernel || ($1 != kernel && $2 != kernel) { $1 = $2 = ""; print substr($0, 3) }' | { grep -vE '^(bash|sh|ps|sort|sed|grep|sleep|docker|runc|awk|tail)$' || true; } | section process

# With cgroup v1 there is a tree for each controller.
controller='^/[a-z_,]+'
[[ ! -e /sys/fs/cgroup/cgroup.controllers ]] || controller='^$'
find /sys/fs/cgroup -type d -printf '/%P\n' | sed -E "s|$controller||" |
  { grep -vE '^(/docker(/.*)?|)$' || true; } | section cgroup

if [[ -d /run/systemd/system ]]; then
  systemctl list-units --all --full --plain --no-legend | awk '$3 != "inactive" { print $1, $2, $3 }' | section unit
fi

# A disk of its own may be mounted here.
disks=()
for folder in /etc/kubernetes /var/lib/etcd; do [[ ! -d $folder ]] || disks+=("$folder"); done

# PAM writes the message of the day at each SSH login.
find /etc /opt /srv /home /root /usr/local /usr/libexec /var /run /tmp "${disks[@]}" -xdev \
  \( -path /var/lib/docker -o -path /var/lib/containerd -o -path /run/docker -o -path /run/containerd \) -prune -o \
  ! -path /run/motd.dynamic -printf '%y %m %U:%G %p %l\n' | sed -E 's/ +$//' | section file
find /etc /opt "${disks[@]}" -xdev -type f -exec sha256sum {} + | section content
