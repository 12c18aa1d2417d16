import { isIPv4 } from "node:net";

/** One, or one of each address family, the cluster's primary family first. */
export type OnePerFamily = readonly [string, ...string[]];

/** Networks for one purpose, such as pods. */
export type AddressRanges = OnePerFamily;

/** As options, files and Kubernetes' flags have them: `10.244.0.0/16`, or two with a comma between. */
export function familiesText(values: OnePerFamily): string {
  return values.join(",");
}

/** The reverse of `familiesText`. */
export function familiesOf(text: string): OnePerFamily {
  return text.split(",") as [string, ...string[]];
}

/** Whether an address or a network is one of IPv6. */
export function isIpv6(text: string): boolean {
  return text.includes(":");
}

/** Whether it is an IP address and not a name. `isIP` of node:net compiles a long pattern for IPv6 first. */
export function isAddress(text: string): boolean {
  return isIpv6(text) || isIPv4(text);
}

/** Whether pods and Services of a cluster have addresses of both families. */
export function isDualStack({ podCidr }: { readonly podCidr: AddressRanges }): boolean {
  return podCidr.length > 1;
}
