import { minor } from "semver";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { type Node, probeApi } from "../apply/probes.js";
import { waitFor } from "../apply/waitFor.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { apisRemovedBetween, isAskedByControlPlane, parseRequestedApis, type RemovedApi, removedApis } from "../kubernetes/removedApis.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost } from "../model/clusterHosts.js";
import type { RunContext } from "../report/runContext.js";
import { adminApi } from "./hostApi.js";
import { contextOf } from "./manyHosts.js";
import { withHelper } from "./withHelper.js";

/** An API version that the way to the target takes away. */
export interface LostApi {
  /** `networking.k8s.io/v1beta1 ingresses` */
  readonly api: string;
  /** The minor version without it, such as `1.22`. */
  readonly removedIn: string;
  /** Undefined where nothing takes its place. */
  readonly replacement?: string;
  /** Somebody has asked for it since the API server started. */
  readonly isRequested: boolean;
  /** Kubernetes' own controllers ask for it: that somebody has shows nothing. */
  readonly isAskedByControlPlane: boolean;
  /** Objects that were last applied by it, or that nothing else shows: `default/web`. */
  readonly objects: readonly string[];
}

/** What a cluster says of itself before an upgrade. */
export interface ClusterUse {
  readonly config: ClusterConfig;
  readonly nodes: readonly Node[];
  readonly lostApis: readonly LostApi[];
  /** Disruption budgets that allow no eviction now: `default/web`. */
  readonly tightBudgets: readonly string[];
}

/**
 * Asks a master's API server.
 *
 * @param waits for one that starts anew: it is late, and not gone
 * @throws TsdeployError, ApiError if it does not answer
 */
export async function askCluster(
  host: MasterHost,
  versions: { readonly from: string; readonly to: string },
  waits: boolean,
  context: RunContext,
): Promise<ClusterUse> {
  const own = contextOf(host, context);
  return withHelper(host.options, own, async ({ helper }) => {
    const api = await adminApi(helper, await helper.readFiles(), host.options.timeoutMs);
    const { signal } = context;
    const { timeoutMs } = host.options;
    try {
      if (waits) await waitFor((probing) => probeApi(api, probing), { timeoutMs, signal });
      const [config, nodes, lostApis, tightBudgets] = await Promise.all([
        api.get(clusterConfigPath, { signal }),
        api.list<Node>("/api/v1/nodes", { signal }),
        lostApisOf(api, versions, signal),
        tightBudgetsOf(api, versions.from, signal),
      ]);
      return { config: parseClusterConfig(config), nodes, lostApis, tightBudgets };
    } finally {
      api.close();
    }
  });
}

/** What the way between two versions takes away, as far as somebody has asked for it or objects show it. */
export async function lostApisOf(
  api: KubernetesClient,
  { from, to }: { readonly from: string; readonly to: string },
  signal: AbortSignal,
): Promise<LostApi[]> {
  // Before v1.19 there is no such metric; without it what is stored still tells.
  const metrics = await api.text("/metrics", { signal }).catch(() => {
    signal.throwIfAborted();
    return "";
  });
  const requested = parseRequestedApis(metrics).map((one) => {
    const isIt = (other: RemovedApi): boolean => other.apiVersion === one.apiVersion && other.resource === one.resource;
    const known = removedApis.find(isIt);
    return { ...one, removedIn: one.removedIn ?? known?.removedIn, known };
  });
  const inTable = await Promise.all(
    apisRemovedBetween(from, to).map(async (removed): Promise<LostApi> => {
      const { apiVersion, resource, removedIn, replacement } = removed;
      return {
        api: `${apiVersion} ${resource}`,
        removedIn,
        ...(replacement && { replacement: replacement.apiVersion }),
        isRequested: requested.some((one) => one.apiVersion === apiVersion && one.resource === resource),
        isAskedByControlPlane: isAskedByControlPlane(removed, from),
        objects: await objectsOf(api, removed, from, signal),
      };
    }),
  );
  // The server knows best, and knows such as no table has: those of alpha, those to come.
  const others = requested.flatMap(({ apiVersion, resource, removedIn, known }): LostApi[] => {
    if (known || removedIn === undefined || !isLost(removedIn, from, to)) return [];
    return [{ api: `${apiVersion} ${resource}`, removedIn, isRequested: true, isAskedByControlPlane: false, objects: [] }];
  });
  return [...inTable, ...others].filter(({ isRequested, objects }) => isRequested || objects.length > 0);
}

function isLost(removedIn: string, from: string, to: string): boolean {
  const at = Number(removedIn.split(".")[1]);
  return minor(from) < at && at <= minor(to);
}

interface StoredObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** Those that somebody's file has by the version that goes: it could not be applied again. */
async function objectsOf(
  api: KubernetesClient,
  { apiVersion, resource, replacement }: RemovedApi,
  from: string,
  signal: AbortSignal,
): Promise<string[]> {
  const hasReplacement = replacement !== undefined && minor(`${replacement.since}.0`) <= minor(from);
  const path = `/apis/${hasReplacement ? replacement.apiVersion : apiVersion}/${resource}`;
  const objects = await api.list<StoredObject>(path, { signal }).catch(() => {
    // Some are only asked (reviews), some clusters have them off.
    signal.throwIfAborted();
    return [];
  });
  return objects
    .filter(({ metadata }) => {
      if (!replacement) return true;
      const applied = metadata.annotations?.[lastApplied];
      return applied !== undefined && applied.includes(`"apiVersion":"${apiVersion}"`);
    })
    .map(({ metadata }) => (metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`));
}

interface Budget extends StoredObject {
  readonly status?: { readonly disruptionsAllowed?: number; readonly expectedPods?: number };
}

async function tightBudgetsOf(api: KubernetesClient, version: string, signal: AbortSignal): Promise<string[]> {
  const budgets = await api
    .list<Budget>(`/apis/${featuresOf(version).apis.disruptionBudget}/poddisruptionbudgets`, { signal })
    .catch(() => {
      // v1.3 has none.
      signal.throwIfAborted();
      return [];
    });
  return budgets
    .filter(({ status }) => (status?.disruptionsAllowed ?? 0) === 0 && (status?.expectedPods ?? 0) > 0)
    .map(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name}`);
}
