import ipaddr from "ipaddr.js";
import type { AddressRanges } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { apiserverPort } from "../model/hostLayout.js";

/** The address at a place in an IPv4 network: 1 is the API server's in a Service CIDR, 10 that of DNS. */
export function addressAt(cidr: string, index: number): string {
  const bytes = ipaddr.IPv4.networkAddressFromCIDR(cidr).toByteArray();
  const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0) + index;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}

/** `--node-cidr-mask-size`: 24 (254 pods a node) where the pod CIDR has room for several such, else 16 nodes. */
export function nodeCidrMaskSize(podCidr: string): number {
  const [, prefix] = ipaddr.IPv4.parseCIDR(podCidr);
  // The controller-manager refuses a difference of more than 16.
  if (prefix < 8) return prefix + 16;
  return prefix <= 22 ? 24 : Math.min(prefix + 4, 30);
}

/** The pod CIDRs that the controller-manager gives to a cluster's first node. */
export function firstNodeCidrs([first, ...others]: AddressRanges): AddressRanges {
  const firstPart = (podCidr: string): string => `${addressAt(podCidr, 0)}/${nodeCidrMaskSize(podCidr)}`;
  return [firstPart(first), ...others.map(firstPart)];
}

/** Where a node finds the API server, by the master's loopback or from elsewhere; without TLS with `--insecure-api`. */
export function apiserverOf(role: "master" | "worker", config: ClusterConfig): string {
  const host = role === "master" ? "127.0.0.1" : new URL(config.apiserver).hostname;
  return config.insecureApi ? `http://${host}:${insecurePort}` : `https://${host}:${apiserverPort}`;
}

/** The API server's port without TLS. */
export const insecurePort = 8080;
