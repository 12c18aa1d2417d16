import type { AddressRanges, OnePerFamily } from "../model/addressRanges.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import type { Finding } from "../model/finding.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import type { NetworkBackend, NetworkName } from "../model/podNetwork.js";

/** What a run wants of a host, as far as checks look at it. What is not known yet is left out, and not checked. */
export interface Wanted {
  readonly role: "master" | "worker";
  /** A worker learns it from its master. */
  readonly clusterName?: string;
  /** Such as `v1.20.2`. */
  readonly version?: string;
  /** Given by `--node-name`; else it is the host's name in lower case. */
  readonly nodeName?: string;
  /** Given by `--ip`. */
  readonly ip?: OnePerFamily;
  readonly podCidr?: AddressRanges;
  readonly nodeCidrMaskSize?: readonly number[];
  readonly serviceCidr?: AddressRanges;
  readonly clusterDomain?: string;
  readonly network?: NetworkName;
  readonly networkBackend?: NetworkBackend;
  /** Given by `--network-interface`. */
  readonly networkInterface?: string;
  /** Of the API server, for a worker. */
  readonly masterIp?: string;
  /** A worker reaches the masters by a program of its own. */
  readonly balances?: boolean;
  readonly insecureApi?: boolean;
  readonly proxyMode?: "iptables" | "ipvs" | "nftables";
  /** Registries that a person has named, such as `lab:5000`, by which this run, or nodes later on, may pull. */
  readonly pullsFrom?: readonly string[];
  /** The kubelet runs with `fail-swap-on=false`. */
  readonly allowSwap?: boolean;
  /** What the cluster whose data is on this host was made with. */
  readonly accepted?: {
    readonly version: string;
    readonly serviceCidr: AddressRanges;
    readonly podCidr: AddressRanges;
    readonly nodeCidrMaskSize?: readonly number[];
    readonly clusterDomain: string;
    readonly severalMasters?: boolean | undefined;
    /** The master by which this one became a further one. */
    readonly join?: string | undefined;
    /** The etcd that the run started. */
    readonly etcdVersion?: string | undefined;
  };
  /** In which time the certificates that this run uses are valid, and the clock they were made by. Since 1970. */
  readonly validity?: { readonly notBeforeMs: number; readonly notAfterMs: number };
}

/** Facts of the second tier: the image is here, nothing of it has run. */
export interface ImageFacts {
  readonly engine: EngineFacts;
  readonly image: ImageDetails;
}

/** One thing to look at; pure. Finds nothing, one or several things. */
export interface Check<Facts> {
  /** What is checked, for lists and tests: `mount-propagation`. */
  readonly name: string;
  check(facts: Facts, wanted: Wanted): Finding | readonly Finding[] | undefined;
}

/** What each tier's checks look at: before any pull, before the image runs, with the helper container's facts. */
export interface TierFacts {
  readonly engine: EngineFacts;
  readonly image: ImageFacts;
  readonly host: ObservedHost;
}

export type Tier = keyof TierFacts;
