#!/usr/bin/env bash
set -euo pipefail

pki=/etc/kubernetes/pki
data=/data
etcd=/var/lib/etcd
tokens=
passwords=
once=

usage() {
  cat <<END
usage: setup-files.sh [OPTION...] SUBJECT_ALT_NAMES

Copies the cluster's identity from the host to where the control plane reads it, and sleeps. What is missing on the host
it makes there first; what is there it never overwrites. SUBJECT_ALT_NAMES are those of a new server certificate:
IP:10.96.0.1,DNS:kubernetes,…

  --pki DIR    the host's folder (default $pki)
  --data DIR   the control plane's folder (default $data)
  --etcd DIR   etcd's data (default $etcd): with data there, a missing CA is an error
  --tokens     also known_tokens.csv, for versions that read it; the launcher's abac-policy.jsonl has to be there
  --basic-auth also basic_auth.csv
  --once       end instead of sleeping
END
}

die() {
  echo "setup-files.sh: $*" >&2
  exit 1
}

random() { # N characters of [0-9a-z]
  local text
  text=$(openssl rand -base64 $(($1 * 6)) | tr -dc 0-9a-z)
  # Before bash 4.4 a failure inside $(…) ends nothing.
  [[ ${#text} -ge $1 ]] || die 'openssl gives no random bytes'
  printf %s "${text:0:$1}"
}

# keep FILE moves FILE.new there, unless there is something.
keep() {
  ln -T "$1.new" "$1" 2>/dev/null || [[ -e $1 ]] || die "cannot write $1"
  rm -f "$1.new"
}

key() { # NAME
  if [[ -e $pki/$1.key ]]; then return; fi
  mkdir -p "$(dirname "$pki/$1")"
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$pki/$1.key.new"
  keep "$pki/$1.key"
}

# Extensions by a file of its own: -addext came with OpenSSL 1.1.1, and Debian's jessie has 1.0.1.
authority() { # NAME COMMON_NAME
  local file=$pki/$1
  if [[ -e $file.crt ]]; then return; fi
  key "$1"
  openssl req -x509 -new -sha256 -key "$file.key" -days 3650 -subj "/CN=$2" -out "$file.crt.new" \
    -config <(
      printf '[req]\ndistinguished_name=name\nx509_extensions=ca\n[name]\n[ca]\nbasicConstraints=critical,CA:TRUE\n'
      printf 'keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign\nsubjectKeyIdentifier=hash\n'
    )
  keep "$file.crt"
}

certificate() { # NAME CA SUBJECT EXTENDED_USAGE [SUBJECT_ALT_NAMES]
  local file=$pki/$1 ca=$pki/$2
  if [[ -e $file.crt && -e $file.key ]]; then return; fi
  [[ ! -e $file.crt ]] || die "$file.crt is there, but not its key"
  [[ -e $ca.key ]] || die "$file.crt is missing, and without $ca.key it cannot be made"
  key "$1"
  openssl req -new -key "$file.key" -subj "$3" -config <(printf '[req]\ndistinguished_name=name\n[name]\n') |
    openssl x509 -req -sha256 -CA "$ca.crt" -CAkey "$ca.key" -days 365 -out "$file.crt.new" \
      -set_serial "0x$(openssl rand -hex 8)" \
      -extfile <(
        printf 'keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=%s\n' "$4"
        printf 'basicConstraints=critical,CA:FALSE\n%s' "${5:+subjectAltName=$5}"
      ) 2>/dev/null
  # Whoever joins by one of the tokens knows the CA's hash, and finds the CA in the server's chain.
  if [[ -n $tokens && $1 == apiserver ]]; then cat "$ca.crt" >>"$file.crt.new"; fi
  keep "$file.crt"
}

service_account_key() {
  local file=$pki/sa
  if [[ -e $file.key && -e $file.pub ]]; then return; fi
  if [[ ! -e $file.key ]]; then
    [[ ! -e $file.pub ]] || die "$file.pub is there, but not its key"
    openssl genrsa -out "$file.key.new" 2048 2>/dev/null
    keep "$file.key"
  fi
  openssl pkey -in "$file.key" -pubout -out "$file.pub.new"
  keep "$file.pub"
}

# known_tokens makes them as the launcher does: the kubelet's token is a join token's first two parts.
known_tokens() {
  local file=$pki/known_tokens.csv
  # Without a policy the API server would not start; one that allows too much is nothing to make up here.
  [[ -e $pki/abac-policy.jsonl ]] || die "$pki/abac-policy.jsonl is missing: \`tsdeploy master\` makes it"
  if [[ -e $file ]]; then return; fi
  local admin id secret proxy
  admin=$(random 32)
  id=$(random 6)
  secret=$(random 16)
  proxy=$(random 32)
  printf '%s,%s,%s,"%s"\n' "$admin" admin admin system:masters "$id.$secret" kubelet kubelet system:nodes \
    "$proxy" kube_proxy kube_proxy system:node-proxier >"$file.new"
  keep "$file"
}

basic_auth() {
  local file=$pki/basic_auth.csv
  if [[ -e $file ]]; then return; fi
  local password
  password=$(random 32)
  printf '%s,admin,admin\n' "$password" >"$file.new"
  keep "$file"
}

copy() {
  local file
  mkdir -p "$data/etcd"
  for file in ca.crt ca.key sa.pub sa.key {apiserver,apiserver-kubelet-client,apiserver-etcd-client}.{crt,key} \
    front-proxy-ca.crt front-proxy-client.{crt,key} etcd/ca.crt known_tokens.csv abac-policy.jsonl basic_auth.csv; do
    [[ -e $pki/$file ]] || continue
    cp "$pki/$file" "$data/$file.new"
    mv "$data/$file.new" "$data/$file"
  done
  # Whoever waits for the files waits for this one.
  echo yes >"$data/.complete"
}

while [[ ${1:-} == --* ]]; do
  case $1 in
    --pki) pki=$2 && shift 2 ;;
    --data) data=$2 && shift 2 ;;
    --etcd) etcd=$2 && shift 2 ;;
    --tokens) tokens=yes && shift ;;
    --basic-auth) passwords=yes && shift ;;
    --once) once=yes && shift ;;
    --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
done
[[ $# == 1 ]] || {
  usage >&2
  exit 2
}

trap 'exit 143' TERM INT
umask 077
mkdir -p "$pki"
if [[ -d $etcd/member ]]; then
  # Another one would shut out every node, every pod's token and every person of that cluster.
  for file in ca.crt sa.key; do
    [[ -e $pki/$file ]] || die "$etcd holds the data of a cluster, but its $pki/$file is missing: put it back"
  done
fi

authority ca kubernetes-ca
authority etcd/ca etcd-ca
authority front-proxy-ca front-proxy-ca
certificate apiserver ca /CN=kube-apiserver serverAuth "$1"
certificate apiserver-kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate apiserver-etcd-client etcd/ca /CN=kube-apiserver-etcd-client clientAuth
certificate etcd/server etcd/ca /CN=etcd serverAuth,clientAuth "$1"
certificate front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
service_account_key
if [[ -n $tokens ]]; then known_tokens; fi
if [[ -n $passwords ]]; then basic_auth; fi
copy

if [[ -n $once ]]; then exit; fi
sleep infinity &
wait
