import { toArguments, versionFlags } from "../kubernetes/commandFlags.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdPeerPort, etcdPort, paths } from "../model/hostLayout.js";
import type { ExtraArgs, NodeOptions } from "../model/options.js";
import { hasSecurityOption } from "../model/securityOptions.js";
import { withSpecLabel } from "../model/specDigest.js";
import { containerLabels } from "./containerLabels.js";
import type { NodeIdentity } from "./nodeIdentity.js";

export interface EtcdInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly image: string;
  readonly extraArgs: ExtraArgs;
  /** Of this node. */
  readonly node: Pick<NodeIdentity, "nodeName" | "nodeIp">;
  /** It is the first of several masters, and makes the cluster. Told so again without data, it would make another. */
  readonly founds?: boolean;
}

/** systemd's own hard limit for programs. */
const openFiles = 524_288;

/** Where etcd is found. */
interface EtcdPlace {
  readonly name: string;
  readonly clients: readonly string[];
  readonly peer: string;
  readonly cluster: Readonly<Record<string, string>>;
}

/** What only the run knows: who else is a member when this one becomes one. */
const etcdValues = { etcdMembers: "{{etcdMembers}}" } as const;

const onLoopback = "127.0.0.1";

/**
 * On loopback alone where it has no peers. Of several masters each has its member, which other masters' runs and
 * members reach by the node's address: nobody without a certificate of etcd's own CA.
 */
function placeOf({ config, node, founds }: EtcdInput): EtcdPlace {
  const client = (host: string): string => `https://${host}:${etcdPort}`;
  if (config.severalMasters !== true) {
    const peer = peerUrl(onLoopback);
    return { name: "default", clients: [client(onLoopback)], peer, cluster: { "initial-cluster": `default=${peer}` } };
  }
  return {
    name: node.nodeName,
    clients: [client(onLoopback), client(node.nodeIp)],
    peer: peerUrl(node.nodeIp),
    cluster:
      founds === true
        ? { "initial-cluster": `${node.nodeName}=${peerUrl(node.nodeIp)}`, "initial-cluster-state": "new" }
        : { "initial-cluster": etcdValues.etcdMembers, "initial-cluster-state": "existing" },
  };
}

/** By which peers reach the member of a node with this address. */
export function peerUrl(host: string): string {
  return `https://${host}:${etcdPeerPort}`;
}

/** etcd, for client certificates only, even on loopback: any pod on the host's network reaches it. */
export function etcdContainer(input: EtcdInput): ContainerSpec {
  const pki = `${paths.pki}/etcd`;
  const { name, clients, peer, cluster } = placeOf(input);
  const { architecture } = input.observed.engine.version;
  const flags = {
    name,
    "data-dir": paths.etcd,
    // The last one is the farthest reaching.
    "advertise-client-urls": clients.at(-1) ?? "",
    "listen-client-urls": clients.join(","),
    "initial-advertise-peer-urls": peer,
    ...cluster,
    "listen-peer-urls": peer,
    "cert-file": `${pki}/server.crt`,
    "key-file": `${pki}/server.key`,
    "client-cert-auth": "true",
    "trusted-ca-file": `${pki}/ca.crt`,
    "peer-cert-file": `${pki}/server.crt`,
    "peer-key-file": `${pki}/server.key`,
    "peer-client-cert-auth": "true",
    "peer-trusted-ca-file": `${pki}/ca.crt`,
  };
  return withSpecLabel({
    component: "etcd",
    image: input.image,
    command: ["etcd", ...toArguments(versionFlags("etcd", flags, input.features, input.extraArgs.etcd, { values: etcdValues }))],
    // Before 3.5 etcd ran elsewhere only with this variable; later ones do not look.
    ...(architecture !== "amd64" && { env: { ETCD_UNSUPPORTED_ARCH: architecture } }),
    binds: [
      { source: paths.etcd, target: paths.etcd },
      { source: pki, target: pki, readOnly: true },
    ],
    labels: containerLabels("master", "etcd", input.config),
    hostPid: false,
    privileged: false,
    // Its folders are the host's, and to label them anew would be to change the owner's files.
    ...(hasSecurityOption(input.observed.engine.info, "selinux") && { unlabelled: true }),
    hostCgroupNamespace: false,
    // start.sh does the same for what it starts. Not more than Docker gives: it may lack the right to.
    openFiles: Math.min(openFiles, input.observed.host.openFiles ?? openFiles),
    restartPolicy: input.options.restartPolicy,
    stopGraceSeconds: 10,
  });
}
