import type { VersionFeatures } from "../kubernetes/versions.js";
import type { AddressRanges } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { Bind } from "../model/containerSpec.js";
import type { Finding } from "../model/finding.js";
import type { ExistingFile, ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { NetworkBackend, NetworkName } from "../model/podNetwork.js";

/** The node that a network is set up on. */
export interface NetworkNode {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** With dual stack. */
  readonly nodeIpv6?: string;
  /** `--network-interface`; undefined: the one with the node's address. */
  readonly networkInterface?: string | undefined;
}

/** A program that Docker runs on every node, beside the kubelet, in the host's network. */
export interface NetworkAgent {
  /** Name of its container, and of its logs. */
  readonly component: "flannel";
  /** Its image; that of Kubernetes where it has the program. */
  readonly image: string;
  /** The program's path and arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly binds: readonly Bind[];
  /** Files that it needs, besides those that are written before anything is started. */
  readonly files: readonly string[];
  /** When a run has written one of these files, it starts anew: what is bound by itself is the old one until then. */
  readonly restartsWith: readonly string[];
  /** Modules of the kernel that it needs, where the kernel has them as modules. */
  readonly modules: readonly string[];
  /** Network interfaces of its own that it takes as they are, if they are there: which MTU those are to have. */
  readonly links: readonly { readonly name: string; readonly mtu: number }[];
  /** The API server, which it ends without. */
  readonly api: string;
  /** Of the host's loopback: accepts when the program runs. */
  readonly healthPort: number;
  /** Annotations that the Node has when its pods are reached from other nodes. */
  readonly readyAnnotations: Readonly<Record<string, string>>;
}

/** What may be left of a network on a host when its program has ended. */
export interface NetworkTraces {
  /** Network interfaces. */
  readonly links: readonly string[];
  /** Files and folders. */
  readonly paths: readonly string[];
}

/** What checks know of a run; a worker has read the rest of it from its master by then. */
export interface NetworkWish {
  readonly podCidr: AddressRanges;
  readonly networkBackend: NetworkBackend;
  /** The node's own address, if it was given. */
  readonly nodeIp?: string | undefined;
  /** The API server's address, for a worker. */
  readonly masterIp?: string | undefined;
  readonly networkInterface?: string | undefined;
}

/** Where a node's pods are. */
export interface PodsOfNode {
  /** Name of the node. */
  readonly node: string;
  readonly podCidr: string;
  /** The node's own. */
  readonly address: string;
}

/** All that a pod network is: a further one is one more file of this folder and a line of `podNetworks.ts`. */
export interface PodNetwork {
  readonly name: NetworkName;
  /** Whether nodes let pods' traffic through, and give what leaves the pods' network the node's address. */
  readonly forwardsPods: boolean;
  /** Whether a node is Ready by this network alone, without anything that a person brings. */
  readonly makesNodesReady: boolean;
  /**
   * CNI's configuration for the container runtime.
   *
   * @param podCidrs the node's own; only looked at where the runtime does not fill them in
   */
  cniFile(node: NetworkNode, podCidrs: AddressRanges): HostFile | undefined;
  /** Further files, which are there before anything is started. */
  files(node: NetworkNode): HostFile[];
  agent(node: NetworkNode, image: string): NetworkAgent | undefined;
  /** What the cluster has to have for it, in the order in which it is to be made. */
  objects(config: ClusterConfig, features: VersionFeatures): KubernetesObject[];
  /** What whoever runs the command has to know of it. @param known nodes whose pods have their place already */
  notes(config: ClusterConfig, known: readonly PodsOfNode[]): string[];
  /** Routes to these nodes' pods that the owner's own network has to have, each as `ip route add` takes it. */
  routes(known: readonly PodsOfNode[]): string[];
  /** What stands against it on this host. */
  findings(observed: ObservedHost, wish: NetworkWish): Finding[];
  readonly traces: NetworkTraces;
  /**
   * Networks to whose parts it writes routes, which stay when its program ends, on a host with these files; none if it
   * writes none there.
   */
  routedNetworks(files: ReadonlyMap<string, ExistingFile>): readonly string[];
}
