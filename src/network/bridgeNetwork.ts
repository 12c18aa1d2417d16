import type { VersionFeatures } from "../kubernetes/versions.js";
import type { HostFile } from "../model/hostFile.js";
import { bridgeName, paths, podNetworkName } from "../model/hostLayout.js";

/**
 * CNI configuration of the pod network `bridge`. Where the runtime fills in the node's pod CIDR (capability `ipRanges`)
 * it is the same on every node, else it names that subnet. Masquerading is a matter of our own chain, which leaves
 * traffic between pods alone.
 *
 * @param podCidr the node's own, unless `features.podCidrDelivery` is `runtime`
 */
export function bridgeNetworkFile(features: VersionFeatures, podCidr?: string): HostFile {
  const { cniVersion, cniList } = features;
  const isFilledIn = features.podCidrDelivery === "runtime";
  if (!isFilledIn && podCidr === undefined) throw new Error(`the pod network of ${features.version} needs a pod CIDR`);
  const bridge = {
    type: "bridge",
    bridge: bridgeName,
    isGateway: true,
    ipMasq: false,
    hairpinMode: true,
    ...(isFilledIn && { capabilities: { ipRanges: true } }),
    ipam: { type: "host-local", ...(!isFilledIn && { subnet: podCidr }), routes: [{ dst: "0.0.0.0/0" }] },
  };
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  const configuration = cniList
    ? { cniVersion, name: podNetworkName, plugins: [bridge, portmap] }
    : { cniVersion, name: podNetworkName, ...bridge };
  const content = `${JSON.stringify(configuration, undefined, 2)}\n`;
  return { path: cniList ? paths.cniConfigFile : paths.cniPluginFile, mode: 0o644, content, secret: false };
}
