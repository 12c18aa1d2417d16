import type { HostFacts } from "../model/hostFacts.js";

/** By what a node's interface to other nodes is known. */
export interface ChosenInterface {
  readonly nodeIp?: string | undefined;
  /** Its name; undefined: the one with the node's address. */
  readonly networkInterface?: string | undefined;
}

/** Name of the interface by which the node reaches others; undefined on a host that nothing is known of. */
export function nodeInterface(host: HostFacts, { nodeIp, networkInterface }: ChosenInterface): string | undefined {
  const address = nodeIp ?? host.defaultAddress;
  return networkInterface ?? host.addresses.find((candidate) => candidate.address === address)?.interface;
}

/** Bytes of the largest packet that interface takes; undefined if that is not known. */
export function interfaceMtu(host: HostFacts, chosen: ChosenInterface): number | undefined {
  const name = nodeInterface(host, chosen);
  return name === undefined ? undefined : host.mtus[name];
}
