import { nodeCidrMaskSizes } from "../kubernetes/networks.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { AddressRanges } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { HostFile } from "../model/hostFile.js";
import { bridgeName, paths, podNetworkName } from "../model/hostLayout.js";
import { bridgeFindings } from "./bridgeFindings.js";
import { interfaceMtu } from "./interfaceMtu.js";
import { podCidrDeliveryOf } from "./podCidrDelivery.js";
import type { PodNetwork, PodsOfNode } from "./podNetwork.js";

/** Pods on each node's own bridge; the routes between nodes are the owner's network's. */
export const bridgeNetwork: PodNetwork = {
  name: "bridge",
  forwardsPods: true,
  makesNodesReady: true,
  cniFile: (node, podCidrs) =>
    bridgeNetworkFile(node.features, { podCidrs, mtu: interfaceMtu(node.observed.host, node) }),
  files: () => [],
  agent: () => undefined,
  objects: () => [],
  notes: bridgeNotes,
  routes,
  findings: bridgeFindings,
  traces: { links: [], paths: [] },
  routedNetworks: () => [],
};

function routes(known: readonly PodsOfNode[]): string[] {
  return known.map(({ podCidr, address }) => `${podCidr} via ${address}`);
}

function bridgeNotes(config: ClusterConfig, known: readonly PodsOfNode[]): string[] {
  const sizes = nodeCidrMaskSizes(config);
  const parts = config.podCidr.map((range, place) => `a free /${sizes[place] ?? ""} of ${range}`).join(" and ");
  const each = known.length === 0 ? "Each node" : "A node that joins";
  return [
    [
      "With --network bridge your own network has to have a route to each node's pods",
      ...(known.length === 0 ? [] : [`: ${routes(known).map((route) => `\`ip route add ${route}\``).join(", ")}`]),
      `. ${each} gets ${parts} when it registers; `,
      "`tsdeploy status` on the master shows all routes.",
    ].join(""),
  ];
}

/** What differs between nodes in their bridges' configuration. */
export interface BridgeSettings {
  /** The node's own, unless the runtime fills them in. */
  readonly podCidrs?: AddressRanges;
  /** Bytes of a pod's largest packet; undefined: the kernel's default of 1500. */
  readonly mtu?: number | undefined;
}

/**
 * CNI configuration of pods on a bridge. Where the runtime fills in the node's pod CIDR (capability `ipRanges`) no
 * subnet is named. Masquerading is a matter of our own chain, which leaves traffic between pods alone.
 */
export function bridgeNetworkFile(features: VersionFeatures, { podCidrs, mtu }: BridgeSettings): HostFile {
  const { cniVersion, cniList } = features;
  const isFilledIn = podCidrDeliveryOf({ podCidr: podCidrs ?? [""] }, features) === "runtime";
  if (!isFilledIn && podCidrs === undefined) throw new Error(`the pod network of ${features.version} needs a pod CIDR`);
  const [podCidr, secondPodCidr] = podCidrs ?? [];
  const whole = [{ dst: "0.0.0.0/0" }, ...(secondPodCidr === undefined ? [] : [{ dst: "::/0" }])];
  const both = [[{ subnet: podCidr }], [{ subnet: secondPodCidr }]];
  const subnets = secondPodCidr === undefined ? { subnet: podCidr } : { ranges: both };
  const bridge = {
    type: "bridge",
    bridge: bridgeName,
    isGateway: true,
    ipMasq: false,
    hairpinMode: true,
    // A node that was removed and has come back has other addresses for its pods than its bridge still has.
    forceAddress: true,
    // Leaves it out where it is not known.
    mtu,
    ...(isFilledIn && { capabilities: { ipRanges: true } }),
    ipam: { type: "host-local", ...(!isFilledIn && subnets), routes: whole },
  };
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  const configuration = cniList
    ? { cniVersion, name: podNetworkName, plugins: [bridge, portmap] }
    : { cniVersion, name: podNetworkName, ...bridge };
  const content = `${JSON.stringify(configuration, undefined, 2)}\n`;
  return { path: cniList ? paths.cniConfigFile : paths.cniPluginFile, mode: 0o644, content, secret: false };
}
