import type { MasterOptions, WorkerOptions } from "./options.js";

interface Host {
  /** By which a person knows it: the node's name if the file says it, else the endpoint's host. No two have one. */
  readonly name: string;
  /** In the file: `cluster.yaml:12:5`. */
  readonly place: string;
  /** Of `tcp://`: folder with ca.pem, cert.pem and key.pem. */
  readonly tlsFolder?: string;
}

export interface MasterHost extends Host {
  readonly role: "master";
  readonly options: MasterOptions;
}

export interface WorkerHost extends Host {
  readonly role: "worker";
  /** Where the master is, and the token, the run itself finds out. */
  readonly options: Omit<WorkerOptions, "master" | "token">;
}

export type ClusterHost = MasterHost | WorkerHost;

/** All machines of a cluster, as its file names them. */
export interface ClusterHosts {
  /** In the order of the file; the first one makes the cluster. */
  readonly masters: readonly [MasterHost, ...MasterHost[]];
  /** In the order of the file. */
  readonly workers: readonly WorkerHost[];
}

/** What a person should know of an even number of masters; undefined for an odd one. */
export function evenMasters({ masters }: ClusterHosts): string | undefined {
  const count = masters.length;
  const last = masters.at(-1);
  if (count % 2 === 1 || !last) return undefined;
  const borne = count / 2 - 1;
  return (
    `${last.place}: ${count} masters can lose ${borne === 0 ? "none" : borne}, no more than ${count - 1} can: etcd needs ` +
    "more than half of them. Have an odd number"
  );
}
