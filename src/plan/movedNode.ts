import { acceptedNode } from "../config/acceptedOptions.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { OnePerFamily } from "../model/addressRanges.js";
import type { HostFacts, ObservedHost } from "../model/hostFacts.js";
import type { NodeOptions } from "../model/options.js";
import type { NodeIdentity } from "./nodeIdentity.js";

/** What an earlier run accepted, as far as it is about where the node is. */
type AcceptedNode = NonNullable<ReturnType<typeof acceptedNode>>;

interface GivenOptions extends Pick<NodeOptions, "ip" | "nodeName"> {
  readonly given: ReadonlySet<string>;
}

/** A node that has another address than in an earlier run. */
export interface Move {
  readonly was: string;
  readonly is: string;
}

/**
 * Options of a later run on a host that may have another address by now, which DHCP has given it for example. One that
 * the person has not chosen in this run, and that the host has no more, gives way to the one that its interface has.
 * Where a node is called as its address is, the name goes with it.
 */
export function followMove<Options extends GivenOptions>(
  options: Options,
  { host, files }: Pick<ObservedHost, "host" | "files">,
  features: Pick<VersionFeatures, "usesNodeAddresses">,
): Options {
  const accepted = acceptedNode(files);
  if (!accepted) return options;
  const ip = options.given.has("ip") ? options.ip : addressesNow(accepted, host);
  if (ip === undefined) return options;
  const isNameless = !features.usesNodeAddresses && !options.given.has("nodeName") && accepted.nodeName === accepted.ip[0];
  return { ...options, ip, ...(isNameless && { nodeName: ip[0] }) };
}

/** That of IPv6, if the node had one and the host has it no more, is found anew, as on a new node. */
function addressesNow(accepted: AcceptedNode, host: HostFacts): OnePerFamily | undefined {
  const first = addressNow(accepted, host);
  if (first === undefined) return undefined;
  const others = accepted.ip.slice(1).filter((ip) => host.ipv6.addresses.some(({ address }) => address === ip));
  return [first, ...others];
}

/** Undefined if there is none in its place: which of the others it is now is for the person to say. */
function addressNow(
  { ip: [ip], ipInterface }: AcceptedNode,
  { addresses, defaultAddress }: HostFacts,
): string | undefined {
  if (addresses.some(({ address }) => address === ip)) return ip;
  if (ipInterface === undefined) return defaultAddress;
  const [first, ...others] = addresses.filter((candidate) => candidate.interface === ipInterface);
  return others.length === 0 ? first?.address : undefined;
}

/** Undefined for a node that is where it was, or new. */
export function moveOf({ files }: Pick<ObservedHost, "files">, { nodeIp }: Pick<NodeIdentity, "nodeIp">): Move | undefined {
  const was = acceptedNode(files)?.ip[0];
  return was === undefined || was === nodeIp ? undefined : { was, is: nodeIp };
}
