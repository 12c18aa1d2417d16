import type { Problem } from "../model/errors.js";
import type { HostFacts } from "../model/hostFacts.js";

/** A host's address of IPv6 on the interface that has this one of IPv4, else on that of IPv6's default route. */
export function ipv6AddressBeside({ addresses, ipv6 }: HostFacts, nodeIp: string): string | undefined {
  const { interface: name } = addresses.find(({ address }) => address === nodeIp) ?? {};
  return ipv6.addresses.find((candidate) => candidate.interface === name)?.address ?? ipv6.defaultAddress;
}

/** What to say where there is none. */
export function noIpv6Address({ addresses, ipv6 }: HostFacts, nodeIp: string): Problem {
  const name = addresses.find(({ address }) => address === nodeIp)?.interface ?? "the interface of its IPv4 address";
  const known = ipv6.addresses.map((candidate) => `${candidate.address} (${candidate.interface})`).join(", ") || "none";
  return {
    code: "NO_IPV6_ADDRESS",
    message: `Pods and Services have addresses of IPv6, too, and the host has none on ${name} that lasts; it has: ${known}`,
    hint:
      `Give the host one (temporary and link-local ones do not count; \`sysctl net.ipv6.conf.all.disable_ipv6\` has to ` +
      `say 0), or choose one with --ip ${nodeIp},ADDRESS.`,
  };
}
