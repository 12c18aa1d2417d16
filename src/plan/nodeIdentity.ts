import type { VersionFeatures } from "../kubernetes/versions.js";
import { isDualStack, type OnePerFamily } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import type { HostFacts } from "../model/hostFacts.js";
import type { NodeOptions } from "../model/options.js";
import { ipv6AddressBeside, noIpv6Address } from "../network/ipv6Address.js";

/** What a node is called and where it is reached. */
export interface NodeIdentity {
  readonly nodeName: string;
  readonly nodeIp: string;
  /** With dual stack. */
  readonly nodeIpv6?: string;
}

/**
 * From the options, else from the host: its name in lower case, the address of its default route. Where the API server
 * dials nodes by their names, the address is the name, too.
 *
 * @param config of the cluster: with dual stack a node has an address of IPv6, too
 * @throws TsdeployError `environment`, `NO_ADDRESS`, on a host without a default route if `--ip` is not given;
 *   `NO_IPV6_ADDRESS` on one without such an address
 */
export function nodeIdentity(
  options: Pick<NodeOptions, "nodeName" | "ip">,
  host: HostFacts,
  features: Pick<VersionFeatures, "usesNodeAddresses">,
  config: Pick<ClusterConfig, "podCidr">,
): NodeIdentity {
  const { nodeName, nodeIp } = ipv4Identity(options, host, features);
  if (!isDualStack(config)) return { nodeName, nodeIp };
  const nodeIpv6 = options.ip?.[1] ?? ipv6AddressBeside(host, nodeIp);
  if (nodeIpv6 === undefined) throw new TsdeployError("environment", noIpv6Address(host, nodeIp));
  return { nodeName, nodeIp, nodeIpv6 };
}

/**
 * The same, before anybody knows the cluster.
 *
 * @throws TsdeployError `environment`, `NO_ADDRESS`
 */
export function ipv4Identity(
  options: Pick<NodeOptions, "nodeName" | "ip">,
  host: HostFacts,
  features: Pick<VersionFeatures, "usesNodeAddresses">,
): NodeIdentity {
  const nodeIp = options.ip?.[0] ?? host.defaultAddress;
  if (nodeIp === undefined) {
    throw new TsdeployError("environment", {
      code: "NO_ADDRESS",
      message: "the host has no default route that would show its address",
      hint: "Give the node's address with --ip.",
    });
  }
  const hostName = features.usesNodeAddresses ? host.hostname.toLowerCase() : nodeIp;
  return { nodeName: options.nodeName ?? hostName, nodeIp };
}

/** All of a node's addresses. */
export function addressesOf({ nodeIp, nodeIpv6 }: NodeIdentity): OnePerFamily {
  return nodeIpv6 === undefined ? [nodeIp] : [nodeIp, nodeIpv6];
}
