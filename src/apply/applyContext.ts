import type { EtcdClient } from "../api/etcdClient.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { Helper } from "../host/helperSession.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import type { ExistingFile } from "../model/hostFacts.js";
import type { Report } from "../report/events.js";

/** By whom etcd's members are reached from this host's network. */
export interface EtcdAccess {
  /** The one on the node with this address; a client that is kept. */
  at(host: string): EtcdClient;
}

/** All that applying a plan needs from outside. */
export interface ApplyContext {
  readonly engine: ContainerEngine;
  readonly helper: Helper;
  /** The API server as this host reaches it; undefined where the plan has no step that needs it. */
  readonly api?: KubernetesClient | undefined;
  /** etcd's members, for plans with steps about them. */
  readonly etcd?: EtcdAccess | undefined;
  /** Containers of this cluster that were here when the plan was made. */
  readonly containers: readonly ContainerSummary[];
  /** Files below /etc/kubernetes as they were when the plan was made. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  /** Which folders were there when the plan was made: these stay. Undefined: not known, so all do. */
  readonly folders?: ReadonlySet<string> | undefined;
  /** Edited files that stay as they are. */
  readonly kept: ReadonlySet<string>;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly pullTimeoutMs: number;
  /** Leave everything where it is when a step fails, for a look. */
  readonly keepOnFailure: boolean;
  /** What comes before the steps are undone, such as a teardown of all that a first run has begun. */
  readonly beforeUndo?: (() => Promise<void>) | undefined;
  readonly newId: () => string;
}
