import type { NamedContainer, Step } from "./plan.js";

/** What a teardown will do on one host. Pure data. */
export interface TeardownPlan {
  readonly role?: "master" | "worker";
  readonly clusterName?: string;
  /** In order; none if there is nothing to do. */
  readonly steps: readonly Step[];
  /** All containers that are removed, each with its anonymous volumes. */
  readonly containers: readonly NamedContainer[];
  /** One line for each thing on the host, besides containers, that is removed or changed back. */
  readonly leftovers: readonly string[];
  /** What stays for a later `master`. */
  readonly keeps: readonly string[];
  /** Files among ours that nothing shows to be ours: they stay. */
  readonly foreign: readonly string[];
  /** IPVS's virtual servers that nothing shows to be kube-proxy's: they stay. `TCP 192.0.2.1:80` */
  readonly foreignVirtualServers: readonly string[];
}
