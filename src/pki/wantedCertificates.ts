import { paths } from "../model/hostLayout.js";
import { normalName } from "./readCertificate.js";

/** What certificates are made of, besides keys and time. */
export interface IdentityNames {
  readonly nodeName: string;
  readonly nodeIp: string;
  /** With dual stack. */
  readonly nodeIpv6?: string;
  /** The first address of the Service CIDR: the API server's Service. */
  readonly serviceIp: string;
  readonly clusterDomain: string;
  readonly extraSans: readonly string[];
  /** `host:port` by which the masters are found. */
  readonly controlPlaneEndpoint?: string;
  /**
   * Of versions whose nodes have tokens of `known_tokens.csv`: the API server shows its CA as well, by which who joins
   * knows it, and reads tokens and policies from files.
   */
  readonly tokenFile: boolean;
  /** Whether it also takes the passwords of `basic_auth.csv`. */
  readonly basicAuth: boolean;
  /** Of what type the key is made that signs service accounts' tokens. */
  readonly serviceAccountKey: "rsa" | "ecdsa";
}

/** What no certificate has. */
type NotNames = "basicAuth" | "serviceAccountKey";

export type CaName = "ca" | "frontProxyCa" | "etcdCa";

/** Files without `.crt` and `.key`; common names as in Kubernetes' docs, "PKI certificates and requirements". */
export const authorities: Readonly<Record<CaName, { readonly path: string; readonly commonName: string }>> = {
  ca: { path: `${paths.pki}/ca`, commonName: "kubernetes-ca" },
  frontProxyCa: { path: `${paths.pki}/front-proxy-ca`, commonName: "front-proxy-ca" },
  etcdCa: { path: `${paths.pki}/etcd/ca`, commonName: "etcd-ca" },
};

/** A certificate signed by one of the CAs. */
export interface WantedCertificate {
  readonly path: string;
  readonly ca: CaName;
  readonly commonName: string;
  readonly organization?: string;
  readonly usages: readonly ("server" | "client")[];
  readonly names: readonly string[];
  /** Whether its file goes on with the CA's certificate. */
  readonly withCa?: boolean;
}

/** Certificates in files of their own. */
export type PairName =
  | "apiserver"
  | "apiserverKubeletClient"
  | "apiserverEtcdClient"
  | "frontProxyClient"
  | "etcdServer";

/** Certificates inside kubeconfigs. */
export type KubeconfigName = "admin" | "controllerManager" | "scheduler" | "proxy" | "addonManager" | "kubelet";

/** `path` is without `.crt` and `.key`. */
export function wantedPairs(request: Omit<IdentityNames, NotNames>): Readonly<Record<PairName, WantedCertificate>> {
  const { nodeName, nodeIp, nodeIpv6, serviceIp, clusterDomain, extraSans, controlPlaneEndpoint } = request;
  const services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  return {
    apiserver: {
      path: `${paths.pki}/apiserver`,
      ca: "ca",
      commonName: "kube-apiserver",
      usages: ["server"],
      names: unique([
        ...services,
        `kubernetes.default.svc.${clusterDomain}`,
        "localhost",
        nodeName,
        nodeIp,
        ...(nodeIpv6 === undefined ? [] : [nodeIpv6]),
        serviceIp,
        "127.0.0.1",
        ...(controlPlaneEndpoint === undefined ? [] : [new URL(`https://${controlPlaneEndpoint}`).hostname]),
        ...extraSans,
      ]),
      withCa: request.tokenFile,
    },
    apiserverKubeletClient: {
      path: `${paths.pki}/apiserver-kubelet-client`,
      ca: "ca",
      commonName: "kube-apiserver-kubelet-client",
      organization: "system:masters",
      usages: ["client"],
      names: [],
    },
    apiserverEtcdClient: {
      path: `${paths.pki}/apiserver-etcd-client`,
      ca: "etcdCa",
      commonName: "kube-apiserver-etcd-client",
      usages: ["client"],
      names: [],
    },
    frontProxyClient: {
      path: `${paths.pki}/front-proxy-client`,
      ca: "frontProxyCa",
      commonName: "front-proxy-client",
      usages: ["client"],
      names: [],
    },
    etcdServer: {
      path: `${paths.pki}/etcd/server`,
      ca: "etcdCa",
      commonName: nodeName,
      // etcd presents it to itself, as a client too.
      usages: ["server", "client"],
      names: unique([nodeName, "localhost", nodeIp, "127.0.0.1", "::1"]),
    },
  };
}

/** Subject alternative names of certificates that servers show. */
export function serverNames(
  names: Omit<IdentityNames, "tokenFile" | NotNames>,
): { apiserver: readonly string[]; etcdServer: readonly string[] } {
  const { apiserver, etcdServer } = wantedPairs({ ...names, tokenFile: false });
  return { apiserver: apiserver.names, etcdServer: etcdServer.names };
}

/** `path` is the kubeconfig. */
export function wantedKubeconfigs(nodeName: string): Readonly<Record<KubeconfigName, WantedCertificate>> {
  const client = { ca: "ca", usages: ["client"], names: [] } as const;
  const masters = "system:masters";
  return {
    admin: { ...client, path: paths.adminConf, commonName: "kubernetes-admin", organization: masters },
    controllerManager: { ...client, path: paths.controllerManagerConf, commonName: "system:kube-controller-manager" },
    scheduler: { ...client, path: paths.schedulerConf, commonName: "system:kube-scheduler" },
    proxy: { ...client, path: paths.proxyConf, commonName: "system:kube-proxy" },
    addonManager: {
      ...client,
      path: paths.addonManagerConf,
      commonName: "tsdeploy:addon-manager",
      organization: masters,
    },
    kubelet: {
      ...client,
      path: paths.kubeletConf,
      commonName: `system:node:${nodeName}`,
      organization: "system:nodes",
    },
  };
}

/** What differs in a certificate's subject alternative names: `+ wanted`, `- unwanted`; empty if nothing does. */
export function nameDifference(wanted: readonly string[], present: readonly string[]): string[] {
  return [
    ...wanted.filter((name) => !present.includes(name)).map((name) => `+ ${name}`),
    ...present.filter((name) => !wanted.includes(name)).map((name) => `- ${name}`),
  ];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names.map(normalName))];
}
