import type { AddonName } from "./addonNames.js";
import type { AddressRanges } from "./addressRanges.js";
import type { ExtraArgs } from "./options.js";
import type { NetworkBackend, NetworkName } from "./podNetwork.js";

/** What every node of a cluster has to know: the ConfigMap `kube-system/tsdeploy`. */
export interface ClusterConfig {
  readonly clusterName: string;
  /** Such as `v1.20.2`. */
  readonly version: string;
  readonly image: string;
  readonly registry?: string;
  /** `https://10.0.0.5:6443` */
  readonly apiserver: string;
  /** `host:port` that the owner has pointed at the masters: who is elsewhere finds an API server there. */
  readonly controlPlaneEndpoint?: string;
  readonly podCidr: AddressRanges;
  /** Prefix lengths of nodes' parts of `podCidr`, in its order, where the owner has chosen them. */
  readonly nodeCidrMaskSize?: readonly number[];
  readonly serviceCidr: AddressRanges;
  readonly clusterDomain: string;
  /** Service address of DNS, computed from the Service CIDR. */
  readonly clusterDns: string;
  readonly network: NetworkName;
  /** Of the network `flannel`. */
  readonly networkBackend: NetworkBackend;
  /** Bytes of a pod's largest packet, where the owner has chosen it; else it comes from each node's interface. */
  readonly networkMtu?: number;
  /** Whether its backend `vxlan` is to take routes where these do. */
  readonly networkDirectRouting?: boolean;
  /** Whether anybody may do anything through port 8080, as with docker-multinode. */
  readonly insecureApi: boolean;
  readonly proxyMode: "iptables" | "ipvs" | "nftables";
  /** Those that come with tsdeploy and are on, in the order of their names. */
  readonly addons: readonly AddonName[];
  /** CoreDNS's pods run from `image`: each node that they may run on has to have it. */
  readonly dnsFromImage?: boolean;
  /** Those of the node components, `kubelet` and `proxy`. */
  readonly extraArgs: ExtraArgs;
  /** Whether it may have several masters; undefined: no. */
  readonly severalMasters?: boolean;
}
