import ipaddr from "ipaddr.js";
import { type AddressRanges, isIpv6 } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { apiserverPort } from "../model/hostLayout.js";

/** The address at a place in a network: 1 is the API server's in a Service CIDR, 10 that of DNS. */
export function addressAt(cidr: string, index: number): string {
  const family = isIpv6(cidr) ? ipaddr.IPv6 : ipaddr.IPv4;
  const bytes = family.networkAddressFromCIDR(cidr).toByteArray();
  const number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) + BigInt(index);
  const places = bytes.map((_, place) => 8n * BigInt(bytes.length - 1 - place));
  return ipaddr.fromByteArray(places.map((shift) => Number((number >> shift) & 255n))).toString();
}

/**
 * The length of nodes' parts of a pod CIDR: 24 (254 pods a node) where it has room for several such, 64 with IPv6, else
 * 16 nodes.
 */
export function nodeCidrMaskSize(podCidr: string): number {
  const [, prefix] = ipaddr.parseCIDR(podCidr);
  const [usual, longest] = isIpv6(podCidr) ? [64, 126] : [24, 30];
  // The controller-manager refuses a difference of more than 16.
  if (prefix < usual - 16) return prefix + 16;
  return prefix <= usual - 2 ? usual : Math.min(prefix + 4, longest);
}

/** The controller-manager's flags for that: with both families the usual one is refused. */
export function nodeCidrMaskFlags([first, second]: AddressRanges): readonly string[] {
  if (second === undefined) return [`--node-cidr-mask-size=${nodeCidrMaskSize(first)}`];
  return [`--node-cidr-mask-size-ipv4=${nodeCidrMaskSize(first)}`, `--node-cidr-mask-size-ipv6=${nodeCidrMaskSize(second)}`];
}

/** The pod CIDRs that the controller-manager gives to a cluster's first node. */
export function firstNodeCidrs([first, ...others]: AddressRanges): AddressRanges {
  const firstPart = (podCidr: string): string => `${addressAt(podCidr, 0)}/${nodeCidrMaskSize(podCidr)}`;
  return [firstPart(first), ...others.map(firstPart)];
}

/** Where each node of a cluster of several masters finds an API server: a master's own, or what a worker has there. */
export const loopbackApiserver = `127.0.0.1:${apiserverPort}`;

/** Whether workers reach the masters by a program of their own. */
export function hasBalancers({ severalMasters }: Pick<ClusterConfig, "severalMasters">): boolean {
  return severalMasters === true;
}

/** The server in a worker's kubeconfigs. */
export function workerApiserver(config: Pick<ClusterConfig, "apiserver" | "severalMasters">): string {
  return hasBalancers(config) ? `https://${loopbackApiserver}` : config.apiserver;
}

/** Where a node finds the API server, by loopback or from elsewhere; without TLS with `--insecure-api`. */
export function apiserverOf(role: "master" | "worker", config: ClusterConfig): string {
  if (role === "worker" && hasBalancers(config)) return `https://${loopbackApiserver}`;
  const host = role === "master" ? "127.0.0.1" : new URL(config.apiserver).hostname;
  return config.insecureApi ? `http://${host}:${insecurePort}` : `https://${host}:${apiserverPort}`;
}

/** The API server's port without TLS. */
export const insecurePort = 8080;
