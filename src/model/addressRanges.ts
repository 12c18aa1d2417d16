/** Networks for one purpose, such as pods: one, or one of each address family, the cluster's primary family first. */
export type AddressRanges = readonly [string, ...string[]];

/** As options, files and Kubernetes' flags have them: `10.244.0.0/16`, or two with a comma between. */
export function rangesText(ranges: AddressRanges): string {
  return ranges.join(",");
}

/** The reverse of `rangesText`. */
export function rangesOf(text: string): AddressRanges {
  return text.split(",") as [string, ...string[]];
}

/** Whether an address or a network is one of IPv6. */
export function isIpv6(text: string): boolean {
  return text.includes(":");
}
