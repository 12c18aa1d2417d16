/** A certificate and its private key, PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

/** What makes a cluster this cluster, in kubeadm's layout and common names. */
export interface ClusterIdentity {
  /** pki/ca.{crt,key} */
  readonly ca: KeyPair;
  /** pki/front-proxy-ca.{crt,key} */
  readonly frontProxyCa: KeyPair;
  /** pki/etcd/ca.{crt,key} */
  readonly etcdCa: KeyPair;
  /** pki/sa.{pub,key}, PEM: one of P-256 (SEC 1) or of RSA (PKCS #1) if we have made it, see `serviceAccountKeys`. */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string };
  /** pki/apiserver.* */
  readonly apiserver: KeyPair;
  /** pki/apiserver-kubelet-client.* (O=system:masters) */
  readonly apiserverKubeletClient: KeyPair;
  /** pki/apiserver-etcd-client.* */
  readonly apiserverEtcdClient: KeyPair;
  /** pki/front-proxy-client.* */
  readonly frontProxyClient: KeyPair;
  /** pki/etcd/server.*, also etcd's peer certificate */
  readonly etcdServer: KeyPair;
  /** Client certificates inside kubeconfigs. */
  readonly admin: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
  readonly proxy: KeyPair;
  readonly addonManager: KeyPair;
  /** CN=system:node:<name>, O=system:nodes */
  readonly kubelet: KeyPair;
}

/** A join token in its parts: `<id>.<secret>.<CA hash>`. */
export interface JoinToken {
  /** Six characters of [a-z0-9]. */
  readonly id: string;
  /** Sixteen characters of [a-z0-9]. */
  readonly secret: string;
  /** SHA-256 of the CA's public key (SPKI), 64 hex digits, as kubeadm's `--discovery-token-ca-cert-hash`. */
  readonly caHash: string;
}
