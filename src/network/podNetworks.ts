import type { NetworkName } from "../model/podNetwork.js";
import { bridgeNetwork } from "./bridgeNetwork.js";
import { flannelNetwork } from "./flannelNetwork.js";
import { noNetwork } from "./noNetwork.js";
import type { PodNetwork } from "./podNetwork.js";

/** Every pod network that there is. */
export const podNetworks: { readonly [Name in NetworkName]: PodNetwork } = {
  flannel: flannelNetwork,
  bridge: bridgeNetwork,
  none: noNetwork,
};

/** The pod network of a cluster. */
export function podNetworkOf({ network }: { readonly network: NetworkName }): PodNetwork {
  return podNetworks[network];
}
