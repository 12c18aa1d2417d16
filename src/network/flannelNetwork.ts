import { apiserverOf } from "../kubernetes/networks.js";
import { rbacObjects } from "../kubernetes/rbacObjects.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { isDualStack } from "../model/addressRanges.js";
import type { ExistingFile } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { NetworkBackend } from "../model/podNetwork.js";
import * as z from "../model/zod.js";
import { backendDriver } from "./backendDriver.js";
import { bridgeNetworkFile } from "./bridgeNetwork.js";
import { flannelFindings } from "./flannelFindings.js";
import { interfaceMtu, nodeInterface } from "./interfaceMtu.js";
import type { NetworkAgent, NetworkNode, PodNetwork } from "./podNetwork.js";

/** Bytes that each backend puts before a pod's packet: flannel's own sums (`Documentation/backends.md`). */
const overheads: { readonly [Backend in NetworkBackend]: number } = {
  vxlan: 50,
  "host-gw": 0,
  wireguard: 80,
  udp: 28,
};
/** Of IPv6's header over IPv4's. flannel forgets it with vxlan; with wireguard it is in the sum. */
const ipv6Overheads: Partial<typeof overheads> = { vxlan: 20 };

/** Where flanneld keeps what it has found out. */
const runFolder = "/run/flannel";

/** The interfaces of the backend vxlan, by its VNI: of IPv4, and of IPv6. */
const vxlanLinks = ["flannel.1", "flannel-v6.1"];

/** Where flanneld answers whether it runs, on loopback. */
export const flannelHealthPort = 10247;

/**
 * Pods on each node's own bridge; flannel brings their packets to other nodes. flanneld runs in a container beside the
 * kubelet, with the kubelet's own credentials, and takes the node's pod CIDR from its Node.
 */
export const flannelNetwork: PodNetwork = {
  name: "flannel",
  forwardsPods: true,
  makesNodesReady: true,
  cniFile: (node, podCidrs) => bridgeNetworkFile(node.features, { podCidrs, mtu: podMtu(node) }),
  files: (node) => [flannelConfiguration(node)],
  agent: flannelAgent,
  objects: (_, features) => flannelObjects(features),
  notes: () => [],
  routes: () => [],
  findings: flannelFindings,
  traces: { links: [...vxlanLinks, "flannel0", "flannel-wg", "flannel-wg-v6"], paths: [runFolder] },
  routedNetworks,
};

/** What is left of the interface's; less if the cluster's owner has said so. */
function podMtu({ config, observed, nodeIp, networkInterface }: NetworkNode): number | undefined {
  const outer = interfaceMtu(observed.host, { nodeIp, networkInterface });
  const { networkBackend } = config;
  const overhead = overheads[networkBackend] + (isDualStack(config) ? (ipv6Overheads[networkBackend] ?? 0) : 0);
  const inner = outer === undefined ? undefined : outer - overhead;
  const known = [inner, config.networkMtu].filter((mtu) => mtu !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** flanneld's configuration. The type is always written: without one its documents and its code differ. */
function flannelConfiguration(node: NetworkNode): HostFile {
  const { podCidr, networkBackend, networkDirectRouting = false } = node.config;
  const direct = networkDirectRouting ? { DirectRouting: true } : {};
  const port = networkBackend === "vxlan" ? { VNI: 1, Port: 8472, ...direct } : {};
  const [inner, outer] = [podMtu(node), interfaceMtu(node.observed.host, node)];
  // flannel's own is of the packets that it sends, from which it takes its overhead, that of IPv4, for what pods send.
  const sent = inner === undefined ? undefined : inner + overheads[networkBackend];
  const mtu = sent === undefined || sent === outer ? {} : { MTU: sent };
  const [Network, IPv6Network] = podCidr;
  const ipv6 = IPv6Network === undefined ? {} : { EnableIPv6: true, IPv6Network };
  const document = { Network, ...ipv6, Backend: { Type: networkBackend, ...port, ...mtu } };
  const content = `${JSON.stringify(document, undefined, 2)}\n`;
  return { path: paths.flannelConfig, mode: 0o644, content, secret: false };
}

/** The backend that flannel runs with on a host; undefined if it does not. */
export function flannelBackend(files: ReadonlyMap<string, ExistingFile>): string | undefined {
  return readConfiguration(files)?.Backend.Type;
}

function routedNetworks(files: ReadonlyMap<string, ExistingFile>): string[] {
  const { Network, IPv6Network } = readConfiguration(files) ?? {};
  return [Network, IPv6Network].filter((network) => network !== undefined);
}

const configurationSchema = z.object({
  Network: z.cidrv4(),
  IPv6Network: z.cidrv6().optional(),
  Backend: z.object({ Type: z.string() }),
});

/** What lies on a host; undefined for what is not there, or not as we write it. */
function readConfiguration(files: ReadonlyMap<string, ExistingFile>): z.infer<typeof configurationSchema> | undefined {
  try {
    return configurationSchema.parse(JSON.parse(files.get(paths.flannelConfig)?.content ?? ""));
  } catch {
    return undefined;
  }
}

function flannelAgent(node: NetworkNode, image: string): NetworkAgent {
  const { role, config, features, observed, nodeName, nodeIp, nodeIpv6, networkInterface } = node;
  const { host } = observed;
  const isOwnImage = image === config.image;
  const bootstraps = role === "worker" && features.nodeCredentials === "bootstrap-token";
  const interfaceName = nodeInterface(host, { nodeIp, networkInterface }) ?? nodeIp;
  const publicIp =
    networkInterface === undefined
      ? nodeIp
      : (host.addresses.find((candidate) => candidate.interface === networkInterface)?.address ?? nodeIp);
  const publicIpv6 =
    networkInterface === undefined
      ? nodeIpv6
      : (host.ipv6.addresses.find((candidate) => candidate.interface === networkInterface)?.address ?? nodeIpv6);
  const mtu = podMtu(node);
  return {
    component: "flannel",
    image,
    command: [
      (isOwnImage ? host.imagePrograms.flanneld : undefined) ?? "/opt/bin/flanneld",
      "--kube-subnet-mgr",
      `--kubeconfig-file=${paths.kubeletConf}`,
      `--net-config-path=${paths.flannelConfig}`,
      `--iface=${interfaceName}`,
      `--public-ip=${publicIp}`,
      ...(publicIpv6 === undefined ? [] : [`--public-ipv6=${publicIpv6}`]),
      // Both are a matter of our own chains, which leave traffic between pods alone.
      "--ip-masq=false",
      "--iptables-forward-rules=false",
      "--healthz-ip=127.0.0.1",
      `--healthz-port=${flannelHealthPort}`,
    ],
    env: {
      NODE_NAME: nodeName,
      // An API server before v1.19 does not know lists that are streamed, and a client would wait for the end of one.
      KUBE_FEATURE_WatchListClient: "false",
    },
    // Not their folder: a master's has the cluster's keys, and the image may be somebody else's.
    binds: [
      { source: paths.kubeletConf, target: paths.kubeletConf, readOnly: true },
      { source: paths.flannelConfig, target: paths.flannelConfig, readOnly: true },
      ...(isOwnImage ? [{ source: paths.scripts, target: paths.scripts, readOnly: true }] : []),
      // A kubelet renews its certificate there, by a rename.
      ...(bootstraps ? [{ source: paths.kubeletPki, target: paths.kubeletPki, readOnly: true }] : []),
      { source: "/lib/modules", target: "/lib/modules", readOnly: true },
      { source: runFolder, target: runFolder },
    ],
    files: [paths.kubeletConf, ...(bootstraps ? [`${paths.kubeletPki}/${features.kubeletClientCertificate}`] : [])],
    // A kubelet writes its kubeconfig when it is given a token, and else never.
    restartsWith: [...(bootstraps ? [paths.bootstrapKubeletConf] : []), paths.kubeletConf],
    modules: ["br_netfilter", ...[backendDriver(config.networkBackend)].filter((driver) => driver !== undefined)],
    links:
      config.networkBackend === "vxlan" && mtu !== undefined
        ? vxlanLinks.slice(0, config.podCidr.length).map((name) => ({ name, mtu }))
        : [],
    api: apiserverOf(role, config),
    healthPort: flannelHealthPort,
    readyAnnotations: {
      "flannel.alpha.coreos.com/public-ip": publicIp,
      ...(publicIpv6 !== undefined && { "flannel.alpha.coreos.com/public-ipv6": publicIpv6 }),
      // The backend udp leaves the type empty.
      "flannel.alpha.coreos.com/backend-type": config.networkBackend === "udp" ? "" : config.networkBackend,
    },
  };
}

/** Kubelets may patch the status of their own nodes by themselves, but from v1.32 on not see the others. */
function flannelObjects({ apis }: VersionFeatures): KubernetesObject[] {
  if (apis.rbac === undefined) return [];
  const rbac = rbacObjects(apis.rbac);
  return [
    rbac.clusterRole("tsdeploy:flannel", [{ apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] }]),
    rbac.clusterBind("tsdeploy:flannel", "tsdeploy:flannel", [{ kind: "Group", name: "system:nodes" }]),
  ];
}
