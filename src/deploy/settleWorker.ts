import { acceptedWorkerFile, followAccepted, parseAcceptedWorkerOptions } from "../config/acceptedOptions.js";
import { namedRegistries } from "../config/imageReference.js";
import { hostBeforeFile } from "../host/hostBefore.js";
import { checkFamilies } from "../kubernetes/dualStack.js";
import { hasBalancers } from "../kubernetes/networks.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { WorkerOptions } from "../model/options.js";
import type { Plan } from "../model/plan.js";
import { nodeInterface } from "../network/interfaceMtu.js";
import { addressesOf, nodeIdentity } from "../plan/nodeIdentity.js";
import { planWorker, type WorkerPlanInput } from "../plan/planWorker.js";
import type { Wanted } from "../preflight/check.js";
import { readBundled } from "./readBundled.js";

/** Options of this run, filled up with those of an earlier one on this host. */
export function followWorker(requested: WorkerOptions, { files }: Pick<ObservedHost, "files">): WorkerOptions {
  const accepted = files.get(paths.options);
  // Beside a CA's key it is a master's, which the checks refuse.
  if (!accepted || files.has(`${paths.pki}/ca.key`)) return requested;
  return followAccepted(requested, parseAcceptedWorkerOptions(accepted.content));
}

/** What a run comes to when its options and what the cluster says are put together. */
export interface SettledWorker extends Pick<WorkerPlanInput, "config" | "base" | "credentials" | "masters"> {
  readonly options: WorkerOptions;
  /** The node's own, such as `v1.20.2`. */
  readonly version: string;
  /** Reference of the image that the node runs from. */
  readonly image: string;
}

/** The plan of what has been settled. */
export async function planWorkerHost(settled: SettledWorker, observed: ObservedHost): Promise<Plan> {
  const { options, version, image, config, base, credentials, masters } = settled;
  const hostBefore = hostBeforeFile(observed.host, observed.files);
  checkFamilies({ ip: options.given.has("ip") ? options.ip : undefined, podCidr: config.podCidr }, featuresOf(version));
  const node = nodeIdentity(options, observed.host, featuresOf(version), config);
  return planWorker({
    options: { ...options, k8sVersion: version, image },
    config,
    observed,
    bundled: await readBundled(),
    credentials,
    ...defined({ base, masters }),
    otherFiles: [
      ...(hostBefore ? [hostBefore] : []),
      acceptedWorkerFile({
        ...options,
        ip: addressesOf(node),
        nodeName: node.nodeName,
        ...defined({ ipInterface: nodeInterface(observed.host, node) }),
      }),
    ],
  });
}

/** What checks have to know of a run: before the cluster has said what it is like, only the run's own options. */
export function wantedOfWorker(
  options: WorkerOptions,
  known: { readonly config?: ClusterConfig; readonly version?: string } = {},
): Wanted {
  const { config, version } = known;
  const { nodeName, ip, networkInterface, extraArgs } = options;
  return {
    role: "worker",
    ...defined({ version, nodeName, ip, networkInterface }),
    ...(config && {
      clusterName: config.clusterName,
      podCidr: config.podCidr,
      serviceCidr: config.serviceCidr,
      clusterDomain: config.clusterDomain,
      network: config.network,
      networkBackend: config.networkBackend,
      masterIp: new URL(config.apiserver).hostname,
      balances: hasBalancers(config),
      proxyMode: config.proxyMode,
    }),
    pullsFrom: namedRegistries({ ...options, registry: options.registry ?? config?.registry }),
    allowSwap: { ...config?.extraArgs.kubelet, ...extraArgs.kubelet }["fail-swap-on"] === "false",
  };
}
