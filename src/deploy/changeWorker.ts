import { drainNode } from "../apply/leaveCluster.js";
import { cordonForWork, endOwnCordon } from "../apply/ownCordon.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterHost, MasterHost, WorkerHost } from "../model/clusterHosts.js";
import type { RunContext } from "../report/runContext.js";
import { bringImage } from "./bringImage.js";
import { deployMaster } from "./deployMaster.js";
import { joinWorker } from "./joinWorker.js";
import { contextOf } from "./manyHosts.js";
import type { RunningCluster } from "./runningCluster.js";

/**
 * What `worker` does, on one host of many.
 *
 * @param context of the whole run
 */
export async function changeWorker(
  host: WorkerHost,
  cluster: RunningCluster,
  context: RunContext,
): Promise<void> {
  await bringClusterImage(cluster, host, context);
  const { pullTimeoutMs, timeoutMs } = host.options;
  const token = await cluster.token(2 * (pullTimeoutMs + timeoutMs));
  const options = { ...host.options, master: cluster.address, token };
  await joinWorker(options, contextOf(host, context));
}

/** What `master --join` does, on one host of many. @param context of the whole run */
export async function joinFurtherMaster(
  host: MasterHost,
  cluster: RunningCluster,
  context: RunContext,
): ReturnType<typeof deployMaster> {
  await bringClusterImage(cluster, host, context);
  const { pullTimeoutMs, timeoutMs, given } = host.options;
  const token = await cluster.masterToken(2 * (pullTimeoutMs + timeoutMs));
  const options = { ...host.options, join: cluster.masterAddress, token, given: new Set([...given, "join", "token"]) };
  return deployMaster(options, contextOf(host, context), { joinToken: false });
}

async function bringClusterImage(cluster: RunningCluster, host: ClusterHost, context: RunContext): Promise<void> {
  const { image, version } = cluster.config;
  const { image: ownImage, k8sVersion } = host.options;
  if ((ownImage ?? image) !== image || (k8sVersion ?? version) !== version) return;
  await bringImage(image, cluster.master, host, context);
}

/** Work on a node whose pods have gone elsewhere; then it takes pods again, changed or as it was. */
export async function whileDrained(node: string, drain: Drain, work: () => Promise<void>): Promise<void> {
  const isOwn = await drainForWork(node, drain);
  try {
    await work();
  } finally {
    if (isOwn) await takePodsAgain(node, drain);
  }
}

export interface Drain {
  readonly cluster: Pick<RunningCluster, "api" | "config">;
  /** Of the node. */
  readonly context: RunContext;
  readonly timeoutMs: number;
}

/**
 * Brings a node's pods elsewhere; it takes pods again if that fails.
 *
 * @returns whether it is ours to let it take pods again: not where its owner had cordoned it
 */
export async function drainForWork(node: string, drain: Drain): Promise<boolean> {
  const { cluster, context, timeoutMs } = drain;
  const { api, config } = cluster;
  const { report, signal } = context;
  const isOwn = await cordonForWork(api, node, signal);
  const evictionApiVersion = featuresOf(config.version).apis.eviction;
  const onSeen = (seen: string): void => {
    report({ kind: "waiting", phase: "drain", seen });
  };
  await drainNode(api, { node, evictionApiVersion, timeoutMs, signal, onSeen }).catch(async (error: unknown) => {
    if (isOwn) await takePodsAgain(node, drain).catch(() => undefined);
    throw error;
  });
  return isOwn;
}

async function takePodsAgain(node: string, { cluster, context, timeoutMs }: Drain): Promise<void> {
  const { signal } = context;
  await endOwnCordon(cluster.api, node, signal.aborted ? AbortSignal.timeout(timeoutMs) : signal);
}
