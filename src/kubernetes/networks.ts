import ipaddr from "ipaddr.js";
import { type AddressRanges, isIpv6 } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import { apiserverPort } from "../model/hostLayout.js";

/** The address at a place in a network: 1 is the API server's in a Service CIDR, 10 that of DNS. */
export function addressAt(cidr: string, index: number): string {
  const family = isIpv6(cidr) ? ipaddr.IPv6 : ipaddr.IPv4;
  const bytes = family.networkAddressFromCIDR(cidr).toByteArray();
  const number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) + BigInt(index);
  const places = bytes.map((_, place) => 8n * BigInt(bytes.length - 1 - place));
  return ipaddr.fromByteArray(places.map((shift) => Number((number >> shift) & 255n))).toString();
}

/** The pods' addresses, and how long the prefixes of nodes' parts are where the owner has chosen that. */
export type PodRanges = Pick<ClusterConfig, "podCidr" | "nodeCidrMaskSize">;

/**
 * The usual length of nodes' parts of a pod CIDR: 24 (254 pods a node) where it has room for several such, 64 with
 * IPv6, else 16 nodes.
 */
export function usualMaskSize(podCidr: string): number {
  const [, prefix] = ipaddr.parseCIDR(podCidr);
  const [usual, longest] = isIpv6(podCidr) ? [64, longestMask.ipv6] : [24, longestMask.ipv4];
  if (prefix < usual - mostPartBits) return prefix + mostPartBits;
  return prefix <= usual - 2 ? usual : Math.min(prefix + 4, longest);
}

/** Leaves a node at least one pod beside the bridge. */
const longestMask = { ipv4: 30, ipv6: 126 };

/** The controller-manager refuses a greater difference between a range and its parts. */
const mostPartBits = 16;

/** The same for each of a cluster's ranges, as the owner wants it. */
export function nodeCidrMaskSizes({ podCidr, nodeCidrMaskSize = [] }: PodRanges): readonly number[] {
  return podCidr.map((range, place) => nodeCidrMaskSize[place] ?? usualMaskSize(range));
}

/** The controller-manager's flags for that: with both families the usual one is refused. */
export function nodeCidrMaskFlags(ranges: PodRanges): readonly string[] {
  const [first = 0, second] = nodeCidrMaskSizes(ranges);
  if (second === undefined) return [`--node-cidr-mask-size=${first}`];
  return [`--node-cidr-mask-size-ipv4=${first}`, `--node-cidr-mask-size-ipv6=${second}`];
}

/** All that stands against parts of this size. */
export function maskSizeProblems({ podCidr, nodeCidrMaskSize = [] }: PodRanges): Problem[] {
  const code = "NODE_CIDR_MASK_SIZE";
  if (nodeCidrMaskSize.length > podCidr.length) {
    const hint = `Write ${nodeCidrMaskSize[0] ?? 24} alone.`;
    return [{ code, message: "has two sizes where --pod-cidr has one range", hint }];
  }
  return nodeCidrMaskSize.flatMap((size, place) => {
    const range = podCidr[place] ?? "";
    const [, prefix] = ipaddr.parseCIDR(range);
    const longest = isIpv6(range) ? longestMask.ipv6 : longestMask.ipv4;
    const most = Math.min(prefix + mostPartBits, longest);
    if (size >= prefix && size <= most) return [];
    const message =
      size < prefix
        ? `a /${size} is larger than the pods' range ${range}`
        : size > longest
          ? `a /${size} has no address for a pod`
          : `${range} has more than 65536 parts of /${size}, which Kubernetes refuses`;
    return [{ code, message, hint: `Write a number from ${prefix} to ${most}.` }];
  });
}

/** @throws TsdeployError of kind usage with all of `maskSizeProblems` */
export function checkMaskSizes(ranges: PodRanges): void {
  const problems = maskSizeProblems(ranges);
  if (problems.length === 0) return;
  throw new TsdeployError(
    "usage",
    problems.map((problem) => ({ ...problem, message: `--node-cidr-mask-size: ${problem.message}` })),
  );
}

/** The pod CIDRs that the controller-manager gives to a cluster's first node. */
export function firstNodeCidrs(ranges: PodRanges): AddressRanges {
  const sizes = nodeCidrMaskSizes(ranges);
  const [first, ...others] = ranges.podCidr;
  const firstPart = (podCidr: string, place: number): string => `${addressAt(podCidr, 0)}/${sizes[place] ?? 0}`;
  return [firstPart(first, 0), ...others.map((range, place) => firstPart(range, place + 1))];
}

/** Where each node of a cluster of several masters finds an API server: a master's own, or what a worker has there. */
export const loopbackApiserver = `127.0.0.1:${apiserverPort}`;

/** Whether workers reach the masters by a program of their own. */
export function hasBalancers(
  { severalMasters, controlPlaneEndpoint }: Pick<ClusterConfig, "severalMasters" | "controlPlaneEndpoint">,
): boolean {
  return severalMasters === true && controlPlaneEndpoint === undefined;
}

/** Where the cluster is for whoever is not on one of its nodes. */
export function publicApiserver(
  { apiserver, controlPlaneEndpoint }: Pick<ClusterConfig, "apiserver" | "controlPlaneEndpoint">,
): string {
  return controlPlaneEndpoint === undefined ? apiserver : `https://${controlPlaneEndpoint}`;
}

/** An API server as a person names it: its port only where that is not the usual one. @param server `https://…` */
export function namedAddress(server: string): string {
  const { hostname, port } = new URL(server);
  if (port === String(apiserverPort)) return hostname;
  return `${hostname}:${port === "" ? "443" : port}`;
}

/** The server in a worker's kubeconfigs. */
export function workerApiserver(
  config: Pick<ClusterConfig, "apiserver" | "severalMasters" | "controlPlaneEndpoint">,
): string {
  return hasBalancers(config) ? `https://${loopbackApiserver}` : publicApiserver(config);
}

/** Where a node finds the API server, by loopback or from elsewhere; without TLS with `--insecure-api`. */
export function apiserverOf(role: "master" | "worker", config: ClusterConfig): string {
  if (role === "worker" && hasBalancers(config)) return `https://${loopbackApiserver}`;
  if (role === "worker" && !config.insecureApi) return publicApiserver(config);
  const host = role === "master" ? "127.0.0.1" : new URL(config.apiserver).hostname;
  return config.insecureApi ? `http://${host}:${insecurePort}` : `https://${host}:${apiserverPort}`;
}

/** The API server's port without TLS. */
export const insecurePort = 8080;

/** @throws TsdeployError of kind usage, `OPTION_CONFLICT`, for networks that have no choice between routes and vxlan */
export function checkDirectRouting({
  network,
  networkBackend,
  networkDirectRouting,
}: Pick<ClusterConfig, "network" | "networkBackend" | "networkDirectRouting">): void {
  if (networkDirectRouting !== true || (network === "flannel" && networkBackend === "vxlan")) return;
  throw new TsdeployError("usage", {
    code: "OPTION_CONFLICT",
    message: `direct routing is for flannel's vxlan, not for ${network === "flannel" ? networkBackend : network}`,
    hint: "Leave out --network-direct-routing; if an earlier run had it, write --no-network-direct-routing.",
  });
}
