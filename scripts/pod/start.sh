#!/usr/bin/env bash
# Not -u: before version 4.4 Bash takes an empty array for unset, and old images have such.
set -eo pipefail

usage() {
  cat <<END
usage: start.sh [OPTION...] -- PROGRAM [ARGUMENT...]

Waits for what PROGRAM needs and becomes it, so that nothing has to crash and be started again after a back-off. PROGRAM
may open as many files as its container may.

  --iptables nft|legacy  use this backend of iptables: the one that Docker uses on the host
  --forward CIDR         let traffic of this pod network through, of IPv4 or IPv6, and masquerade what leaves it
  --close-kubelet MASTER close port 10250, here and beyond, to all but MASTER's address and loopback
  --close-loopback CIDR  drop what comes from elsewhere for loopback's network CIDR
  --plugins DIR          have the CNI plugins of DIR in /opt/cni/bin
  --module NAME          load this module of the kernel, if there is such a module
  --mtu LINK=BYTES       give the network interface LINK this MTU, if it is there
  --certificate FOLDER=NAME
                         have kubelet.crt and kubelet.key in FOLDER, for the host NAME
  --file PATH            wait until PATH is there and not empty
  --tcp ADDRESS:PORT     wait until PORT accepts
  --api URL              wait until the API server there says that it is healthy
  --socket PATH          wait until the socket PATH accepts, and kill PROGRAM when another one takes its place
END
}

# Docker 29 gives containers a soft limit of 1024 open files, which Go programs raise by themselves only since Go 1.19.
# systemd's own hard limit is plenty; above the hard limit here nobody gets.
raise_open_files() {
  local wanted=524288 hard soft
  hard=$(ulimit -Hn) soft=$(ulimit -Sn)
  if [[ $hard != unlimited && $hard -lt $wanted ]]; then wanted=$hard; fi
  if [[ $soft != unlimited && $soft -lt $wanted ]]; then ulimit -Sn "$wanted"; fi
}

# A shell that is process 1 gets no signal that it does not handle.
trap 'exit 143' TERM INT

# In hundredths of a second, without a program: sets $now.
clock() {
  read -r now _ </proc/uptime
  now=${now/./}
}

# poll TIMES COMMAND ARGUMENT... until it succeeds: ten times a second, and at first more often, but for TIMES as long as a
# try takes it is quiet. On a slow machine five programs that ask for the API server ten times a second would keep that
# from starting.
poll() {
  local times=$1 now began pause=0 least=2 text
  shift
  clock
  began=$now
  until "$@"; do
    clock
    # With all that is around the try: that it waited longer than it wanted to.
    pause=$((times * (10#$now - 10#$began - pause)))
    began=$now
    ((pause >= least)) || pause=$least
    ((least >= 10)) || least=$((least + 1))
    ((pause <= 300)) || pause=300
    printf -v text '%d.%02d' $((pause / 100)) $((pause % 100))
    sleep "$text"
  done
}

has_content() { [[ -s $1 ]]; }

accepts() { # ADDRESS:PORT
  (exec 3<>"/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# Nothing secret is sent, and the program checks the certificate itself. That check is a second late. A slow API server
# is given a minute for its answer: each try costs it as much as the one before.
is_healthy() { # URL
  accepts "${1#*://}" || return
  command -v curl >/dev/null || return 0
  local late=poststarthook/scheduling/bootstrap-system-priority-classes answer
  answer=$(curl --insecure --silent --max-time 60 --write-out ' %{http_code}' "$1/healthz?exclude=$late")
  # Before v1.6 it answers nobody whom it does not know: that it says so has to do.
  [[ $answer == 'ok 200' || $answer == *' 401' ]]
}

answers() { # SOCKET; the file of a program that has ended does not
  socat -u OPEN:/dev/null "UNIX-CONNECT:$1" 2>/dev/null
}

identity() { stat -c '%i %w' "$1" 2>/dev/null; }

# A kubelet gives its runtime the node's pod CIDR once: a runtime that starts anew needs a kubelet that does.
kill_without() { # SOCKET IDENTITY
  while kill -0 $$ 2>/dev/null; do
    if [[ $(identity "$1") != "$2" ]]; then
      echo "start.sh: $1 is not the one that was here before: starting anew" >&2
      # Not TERM: what ends well is not started again by the restart policy on-failure.
      kill -KILL $$
      return
    fi
    sleep 1
  done
}

use_iptables() { # BACKEND
  local name real
  if [[ $(iptables --version) != *"(${1/nft/nf_tables})" ]]; then
    for name in iptables ip6tables; do
      update-alternatives --quiet --set "$name" "/usr/sbin/$name-$1" ||
        echo "start.sh: $name stays as it is: no $name-$1 in this image" >&2
    done
  fi
  # kube-proxy v1.9 says -w5, which the restore of some iptables-nft takes for -w -5: both families', or none's.
  if iptables-restore -w5 --test </dev/null 2>/dev/null; then return; fi
  for name in iptables-restore ip6tables-restore; do
    if "$name" -w5 --test </dev/null 2>/dev/null; then continue; fi
    # Where it does not work at all, as without IPv6, there is nothing to stand before; nor before what we have made.
    real=$(command -v "$name") || continue
    [[ $real != "/usr/local/sbin/$name" ]] || continue
    cat >"/usr/local/sbin/$name" <<END
#!/usr/bin/env bash
for word; do
  shift
  if [[ \$word == -w[0-9]* ]]; then set -- "\$@" "--wait=\${word#-w}"; else set -- "\$@" "\$word"; fi
done
exec "$real" "\$@"
END
    chmod +x "/usr/local/sbin/$name"
  done
}

# jump_first prints what has iptables-restore make CHAIN begin with the jump to OUR_CHAIN; other chains of ours may be
# before it.
jump_first() { # IPTABLES TABLE CHAIN OUR_CHAIN
  local rule misplaced='' leads=yes
  while read -r rule; do
    case $rule in
      "-A $3 -j $4")
        [[ $leads == no ]] || return 0
        misplaced+="-D $3 -j $4"$'\n'
        ;;
      "-A $3"*' -j TSDEPLOY-'*) ;;
      "-A $3 "*) leads=no ;;
    esac
  done < <("$1" -w -t "$2" -S "$3")
  echo "$misplaced-I $3 1 -j $4"
}

# jump_after_kubernetes has CHAIN begin with the jumps to chains of Kubernetes, and then that to OUR_CHAIN: kube-proxy says
# there which Services have no endpoints. It puts its jumps first when it makes them, and never moves them again, as when
# a dockerd that starts puts its own before them.
jump_after_kubernetes() { # IPTABLES TABLE CHAIN OUR_CHAIN
  local rule is_there=no others=no is_right=yes removed='' inserted='' place=0
  while read -r rule; do
    case $rule in
      "-A $3 -j $4")
        if [[ $is_there == yes || $others == yes ]]; then is_right=no; fi
        is_there=yes
        removed+="-D ${rule#-A }"$'\n'
        ;;
      "-A $3 "*'-j KUBE-'*)
        if [[ $is_there == yes || $others == yes ]]; then is_right=no; fi
        removed+="-D ${rule#-A }"$'\n'
        place=$((place + 1))
        inserted+="-I $3 $place ${rule#"-A $3 "}"$'\n'
        ;;
      "-A $3 -j TSDEPLOY-"*) ;;
      "-A $3 "*) others=yes ;;
    esac
  done < <("$1" -w -t "$2" -S "$3")
  [[ $is_there == no || $is_right == no ]] || return 0
  echo "$removed$inserted-I $3 $((place + 1)) -j $4"
}

# keep_rules writes our rules again when they are gone: a firewall of the owner's that is loaded anew begins with
# `flush ruleset`. kube-proxy looks after its own in the same way. It ends with the program.
keep_rules() { # WRITER...
  local writer jump
  until timeout 5 tail --pid=$$ -f /dev/null; do
    for jump in "${!jumps[@]}"; do
      # shellcheck disable=SC2086
      if has_jump $jump; then continue; fi
      echo "start.sh: $jump is gone: writing our rules again" >&2
      # shellcheck disable=SC2086
      for writer; do $writer || true; done
      break
    done
  done
}

# guard_rules writes what may come late, and keeps all rules. It ends a program whose rules cannot be written: its pods
# would be without a network, and nobody would see why.
guard_rules() {
  local writer
  trap '[[ $? -eq 0 ]] || kill -KILL $$' EXIT
  # shellcheck disable=SC2086
  for writer in "${late_writers[@]}"; do $writer; done
  keep_rules "${writers[@]}" "${late_writers[@]}"
}

# Nobody knows while iptables cannot tell.
has_jump() { # IPTABLES TABLE CHAIN OUR_CHAIN
  local listed
  listed=$("$1" -w -t "$2" -S "$3" 2>/dev/null) || return 0
  [[ $'\n'$listed$'\n' == *$'\n'"-A $3 -j $4"$'\n'* ]]
}

restore() { # IPTABLES RULES; before 1.6.2 iptables-restore knew no -w
  "$1-restore" -w --noflush <<<"$2" 2>/dev/null || "$1-restore" --noflush <<<"$2"
}

forward() { # CIDR
  local tool=iptables multicast=224.0.0.0/4 family=4 random=''
  if [[ $1 == *:* ]]; then tool=ip6tables multicast=ff00::/8 family=6; fi
  # Else two connections to the same place that begin at once may be given the same port, and one loses its first packet.
  # Since 1.6.2.
  if [[ $("$tool" -j MASQUERADE --help 2>/dev/null) == *--random-fully* ]]; then random=' --random-fully'; fi
  # Docker's FORWARD policy is DROP where it has turned forwarding on itself.
  restore $tool "*filter
:TSDEPLOY-FORWARD - [0:0]
-A TSDEPLOY-FORWARD -s $1 -j ACCEPT
-A TSDEPLOY-FORWARD -d $1 -j ACCEPT
$(jump_after_kubernetes $tool filter FORWARD TSDEPLOY-FORWARD)
COMMIT
*nat
:TSDEPLOY-POSTROUTING - [0:0]
-A TSDEPLOY-POSTROUTING -s $1 -d $1 -j RETURN
-A TSDEPLOY-POSTROUTING -s $1 ! -d $multicast -j MASQUERADE$random
$(jump_after_kubernetes $tool nat POSTROUTING TSDEPLOY-POSTROUTING)
COMMIT"
  jumps[$tool filter FORWARD TSDEPLOY-FORWARD]=1 jumps[$tool nat POSTROUTING TSDEPLOY-POSTROUTING]=1
  # A Service that answers from the client's own node is translated back only if bridged packets pass iptables.
  modprobe -q br_netfilter || true
  if [[ $family == 4 ]]; then
    turn_on /proc/sys/net/ipv4/ip_forward /proc/sys/net/bridge/bridge-nf-call-iptables
  else
    keep_listening
    turn_on /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/bridge/bridge-nf-call-ip6tables
  fi
}

turn_on() { # SWITCH...
  local switch
  for switch; do
    if [[ -e $switch && $(<"$switch") != 1 ]]; then echo 1 >"$switch"; fi
  done
}

# A kernel that forwards no longer listens to routers' advertisements, and drops the routes that it has from them, unless
# accept_ra says 2. Interfaces that listen now go on, whether a router has spoken yet or not: after a start of the host
# it may be late.
keep_listening() {
  local folder
  for folder in /proc/sys/net/ipv6/conf/*; do
    case ${folder##*/} in all | default | lo | veth* | cni0 | docker* | br-* | flannel* | kube-*) continue ;; esac
    if [[ $(<"$folder/forwarding") == 0 && $(<"$folder/accept_ra") == 1 ]]; then echo 2 >"$folder/accept_ra"; fi
  done
}

# Kubelets that do not authenticate. Pods of the master's own node leave it by the master's address: not to there.
# The master reaches kubelets by IPv4.
close_kubelet() { # MASTER
  close_port iptables "-A TSDEPLOY-KUBELET -s $1 -j RETURN"
  # A kernel without IPv6 has nothing to close.
  if ! ip6tables -w -S INPUT >/dev/null 2>&1; then
    [[ -z $(cat /proc/net/if_inet6 2>/dev/null) ]] || echo "start.sh: port 10250 stays open for IPv6: ip6tables does not work here" >&2
    return
  fi
  close_port ip6tables
}

close_port() { # IPTABLES [EXCEPTION]
  restore "$1" "*filter
:TSDEPLOY-KUBELET - [0:0]
-A TSDEPLOY-KUBELET -i lo -j RETURN
${2:+$2
}-A TSDEPLOY-KUBELET -p tcp -m tcp --dport 10250 -j DROP
$(jump_first "$1" filter INPUT TSDEPLOY-KUBELET)
$(jump_first "$1" filter FORWARD TSDEPLOY-KUBELET)
COMMIT"
  jumps[$1 filter INPUT TSDEPLOY-KUBELET]=1 jumps[$1 filter FORWARD TSDEPLOY-KUBELET]=1
}

# kube-proxy's route_localnet lets neighbours and pods reach what listens on 127.0.0.1 alone (CVE-2020-8558). Later kubelets
# have the same rule in KUBE-FIREWALL. What kube-proxy itself has translated to loopback goes on.
close_loopback() { # CIDR
  restore iptables "*filter
:TSDEPLOY-LOOPBACK - [0:0]
-A TSDEPLOY-LOOPBACK ! -s $1 -d $1 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
$(jump_first iptables filter INPUT TSDEPLOY-LOOPBACK)
COMMIT"
  jumps[iptables filter INPUT TSDEPLOY-LOOPBACK]=1
}

# flanneld takes an interface that is there with the MTU that it has.
set_mtu() { # LINK BYTES
  [[ ! -e /sys/class/net/$1 ]] || ip link set "$1" mtu "$2"
}

# A kubelet whose server has no certificate makes one, and two keys of RSA for it, for which a small board takes seconds.
# Nobody looks at who has signed it: the API server knows a kubelet by its address. A kubelet that finds a certificate
# without its key, or a key alone, ends: both are then made anew.
certificate() { # FOLDER NAME
  local file=$1/kubelet name=$2 kind=DNS
  if [[ $name =~ ^[0-9]+(\.[0-9]+){3}$ ]]; then kind=IP; fi
  if [[ -s $file.crt && -s $file.key ]] || ! command -v openssl >/dev/null; then return; fi
  mkdir -p "$1"
  # By ecparam, for the curve's name: Go reads no other form. By a file: -addext came with OpenSSL 1.1.1.
  if ! (
    umask 077
    openssl ecparam -name prime256v1 -genkey -noout -out "$file.key.new" &&
      openssl req -x509 -new -sha256 -days 3650 -key "$file.key.new" -out "$file.crt.new" -config <(
        printf '%s\n' '[req]' distinguished_name=name prompt=no x509_extensions=server '[name]' "CN=$name" \
          '[server]' keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth "subjectAltName=$kind:$name"
      ) && chmod 644 "$file.crt.new" && mv "$file.key.new" "$file.key" && mv "$file.crt.new" "$file.crt"
  ); then
    rm -f "$file".{crt,key}.new
    echo "start.sh: no certificate for $name: the kubelet makes one by itself" >&2
  fi
}

plugins() { # DIR
  mkdir -p /opt/cni
  ln -sfnT "$1" /opt/cni/bin
}

# What has to be closed is closed before the program starts. What is let through is for its pods, which come later.
files=() tcp=() api=() sockets=() writers=() late_writers=()
# Those that our rules consist of once they are written: "IPTABLES TABLE CHAIN OUR_CHAIN".
declare -A jumps=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --iptables) use_iptables "$2" ;;
    --forward) late_writers+=("forward $2") ;;
    --close-kubelet) writers+=("close_kubelet $2") ;;
    --close-loopback) writers+=("close_loopback $2") ;;
    --plugins) plugins "$2" ;;
    --certificate) certificate "${2%%=*}" "${2#*=}" ;;
    --mtu) set_mtu "${2%=*}" "${2##*=}" ;;
    --module) modprobe -q "$2" || true ;;
    --file) files+=("$2") ;;
    --tcp) tcp+=("$2") ;;
    --api) api+=("$2") ;;
    --socket) sockets+=("$2") ;;
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

# shellcheck disable=SC2086
for writer in "${writers[@]}"; do $writer; done
if ((${#writers[@]} + ${#late_writers[@]})); then guard_rules & fi

for file in "${files[@]}"; do poll 4 has_content "$file"; done
for address in "${tcp[@]}"; do poll 4 accepts "$address"; done
for url in "${api[@]}"; do poll 10 is_healthy "$url"; done
for socket in "${sockets[@]}"; do
  poll 4 answers "$socket"
  first=$(identity "$socket")
  kill_without "$socket" "$first" &
done
raise_open_files
trap - TERM INT
exec "$@"
