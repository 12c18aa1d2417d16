#!/usr/bin/env bash
set -euo pipefail

pki=/etc/kubernetes/pki
data=/data
etcd=/var/lib/etcd
tokens=
passwords=
rsa=
etcd_names=
once=

# src/pki makes certificates by the same rules: kinds of keys, usages, lifetimes, subjects. Who made one must not decide
# whether the next `tsdeploy master` makes it again; test/pki/setupFiles.test.ts compares both.
ca_days=3650
leaf_days=365
# The clocks of the cluster's machines may be this far behind.
backdate_seconds=300

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
  --rsa        a new service-account key is one of RSA, for versions that may know no other
  --etcd-names=NAMES
               names of a new certificate of etcd's server, if others; the first is also its common name
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
  case $1 in *.crt | *.pub) chmod 644 "$1.new" ;; esac
  ln -T "$1.new" "$1" 2>/dev/null || [[ -e $1 ]] || die "cannot write $1"
  rm -f "$1.new"
}

folder() { (umask 022 && mkdir -p "$1"); }

key() { # NAME
  if [[ -e $pki/$1.key ]]; then return; fi
  folder "$(dirname "$pki/$1")"
  openssl ecparam -name prime256v1 -genkey -noout -out "$pki/$1.key.new"
  keep "$pki/$1.key"
}

openssl_time() { # SECONDS; a year from 2050 on has four digits
  if (($1 < 2524608000)); then date -u -d "@$1" +%y%m%d%H%M%SZ; else date -u -d "@$1" +%Y%m%d%H%M%SZ; fi
}

# issue FILE SUBJECT DAYS EXTENSIONS [OPTION...] makes FILE.crt for FILE.key. By `openssl ca`, because nothing else in old
# versions knows times of day; by configurations of its own, because -addext came with 1.1.1, and Debian's jessie has 1.0.1.
issue() {
  local file=$1 subject=$2 now end ca_end serial
  now=$(date +%s)
  end=$((now + $3 * 86400))
  if [[ -n ${ca_crt:-} ]]; then
    # What outlives its CA is believed no longer.
    ca_end=$(openssl x509 -in "$ca_crt" -noout -enddate)
    ca_end=$(date -d "${ca_end#*=}" +%s)
    if ((ca_end < end)); then end=$ca_end; fi
  fi
  # PrintableString where it will do, else UTF8String: Go compares the bytes of names.
  printf '[req]\ndistinguished_name=name\nstring_mask=MASK:0x2002\n[name]\n' >"$work/req"
  cat >"$work/ca" <<END
[ca]
default_ca=rules
[rules]
database=$work/index
serial=$work/serial
new_certs_dir=$work
default_md=sha256
policy=policy
unique_subject=no
x509_extensions=extensions
[policy]
organizationName=optional
commonName=supplied
[extensions]
$4
END
  : >"$work/index"
  serial=$(openssl rand -hex 16)
  [[ ${#serial} == 32 ]] || die 'openssl gives no random bytes'
  echo "$serial" >"$work/serial"
  shift 4
  {
    openssl req -new -sha256 -key "$file.key" -subj "$subject" -config "$work/req" -out "$work/csr" &&
      openssl ca -batch -notext -config "$work/ca" -in "$work/csr" -out "$file.crt.new" \
        -startdate "$(openssl_time $((now - backdate_seconds)))" -enddate "$(openssl_time "$end")" "$@"
  } >"$work/log" 2>&1 || die "cannot make $file.crt: $(tail -n 3 "$work/log")"
}

authority() { # NAME COMMON_NAME
  local file=$pki/$1
  if [[ -e $file.crt ]]; then return; fi
  key "$1"
  issue "$file" "/CN=$2" $ca_days 'basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier=hash' -selfsign -keyfile "$file.key"
  keep "$file.crt"
}

certificate() { # NAME CA SUBJECT EXTENDED_USAGE [SUBJECT_ALT_NAMES]
  local file=$pki/$1 ca_crt=$pki/$2.crt ca_key=$pki/$2.key usage=digitalSignature
  if [[ -e $file.crt && -e $file.key ]]; then return; fi
  [[ ! -e $file.crt ]] || die "$file.crt is there, but not its key"
  [[ -e $ca_key ]] || die "$file.crt is missing, and without $ca_key it cannot be made"
  key "$1"
  # Elliptic curves encipher no keys (RFC 8813); an RSA key is one that somebody brought.
  if openssl rsa -in "$file.key" -noout 2>/dev/null; then usage+=,keyEncipherment; fi
  issue "$file" "$3" $leaf_days "basicConstraints=critical,CA:FALSE
keyUsage=critical,$usage
extendedKeyUsage=$4
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
${5:+subjectAltName=$5}" -cert "$ca_crt" -keyfile "$ca_key"
  # Whoever joins by one of the tokens knows the CA's hash, and finds the CA in the server's chain.
  if [[ -n $tokens && $1 == apiserver ]]; then cat "$ca_crt" >>"$file.crt.new"; fi
  keep "$file.crt"
}

service_account_key() {
  local file=$pki/sa
  if [[ -e $file.key && -e $file.pub ]]; then return; fi
  if [[ ! -e $file.key ]]; then
    [[ ! -e $file.pub ]] || die "$file.pub is there, but not its key"
    if [[ $rsa ]]; then
      openssl genrsa -out "$file.key.new" 2048 2>/dev/null
      # v1.3 reads PKCS #1 alone, and OpenSSL 3 writes another form by itself.
      if ! grep -q 'BEGIN RSA' "$file.key.new"; then
        openssl rsa -traditional -in "$file.key.new" -out "$work/key" 2>/dev/null
        mv "$work/key" "$file.key.new"
      fi
      keep "$file.key"
    else
      key sa
    fi
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
    --rsa) rsa=yes && shift ;;
    --etcd-names=*) etcd_names=${1#*=} && shift ;;
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
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder "$pki"
if [[ -d $etcd/member ]]; then
  # Another one would shut out every node, every pod's token and every person of that cluster.
  for file in {ca,etcd/ca,front-proxy-ca}.crt sa.key; do
    [[ -e $pki/$file ]] || die "$etcd holds the data of a cluster, but its $pki/$file is missing: put it back"
  done
fi
etcd_names=${etcd_names:-$1}
first_name=${etcd_names%%,*}

authority ca kubernetes-ca
authority etcd/ca etcd-ca
authority front-proxy-ca front-proxy-ca
certificate apiserver ca /CN=kube-apiserver serverAuth "$1"
certificate apiserver-kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
certificate apiserver-etcd-client etcd/ca /CN=kube-apiserver-etcd-client clientAuth
certificate etcd/server etcd/ca "/CN=${first_name#*:}" serverAuth,clientAuth "$etcd_names"
certificate front-proxy-client front-proxy-ca /CN=front-proxy-client clientAuth
service_account_key
if [[ -n $tokens ]]; then known_tokens; fi
if [[ -n $passwords ]]; then basic_auth; fi
copy

if [[ -n $once ]]; then exit; fi
sleep infinity &
wait
