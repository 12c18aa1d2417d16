import type { WorkerOptions } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import type { ClusterConfig } from "../kubernetes/clusterConfig.js";
import { kubeletHealthPort } from "../kubernetes/kubeletConfiguration.js";
import { proxyCommandArgs } from "../kubernetes/proxyConfiguration.js";
import { checkPatchTargets } from "../kubernetes/renderManifests.js";
import { featuresOf } from "../kubernetes/versions.js";
import { paths } from "./names.js";
import { nodeIdentity } from "./nodeIdentity.js";
import { type BundledFiles, nodePlan } from "./nodePlan.js";
import type { HostFile, Plan, Step } from "./plan.js";
import { warningsOf } from "./planMaster.js";
import { proxyContainer } from "./proxyContainer.js";

export interface WorkerPlanInput {
  readonly options: WorkerOptions;
  /** As the master tells it. */
  readonly config: ClusterConfig;
  readonly observed: ObservedHost;
  readonly bundled: BundledFiles;
  /** The cluster's CA certificate, and the bootstrap kubeconfig unless the node has joined before. */
  readonly credentials: readonly HostFile[];
  /** What the host was like before, … */
  readonly otherFiles?: readonly HostFile[];
}

/**
 * All that makes a host a worker of a cluster.
 *
 * @throws TsdeployError of kind usage for patches and extra arguments that cannot be applied
 */
export function planWorker(input: WorkerPlanInput): Plan {
  const { options, config, observed, bundled } = input;
  checkPatchTargets(options.patches);
  const features = featuresOf(options.k8sVersion ?? config.version);
  const node = nodeIdentity(options, observed.host);
  const nodeConfig: ClusterConfig = {
    ...config,
    version: features.version,
    image: options.image ?? config.image,
    ...(options.registry !== undefined && { registry: options.registry }),
  };
  const common = nodePlan({
    role: "worker",
    options,
    config: nodeConfig,
    features,
    observed,
    bundled,
    node,
    proxyKubeconfig: paths.kubeletConf,
  });
  const proxy = proxyContainer({
    config: nodeConfig,
    features,
    observed,
    options,
    extraFlags: proxyCommandArgs(common.extraArgs.proxy ?? {}),
    configuration: common.proxyConfiguration,
  });
  const files = [...(input.otherFiles ?? []), ...input.credentials, ...common.files];
  const bootstraps = input.credentials.some(({ path }) => path === paths.bootstrapKubeletConf);

  const { nodeName } = node;
  const steps: Step[] = [
    { id: "files", phase: "files", needs: [], action: { kind: "write-files", files } },
    {
      id: "kubelet",
      phase: "containers",
      needs: ["files"],
      action: {
        kind: "run-container",
        container: common.kubelet,
        healthPort: kubeletHealthPort,
        ...(bootstraps && { restartsWith: paths.bootstrapKubeletConf }),
      },
    },
    {
      id: "proxy",
      phase: "containers",
      needs: ["files"],
      action: { kind: "run-container", container: proxy, healthPort: 10256 },
    },
    {
      id: "node-registered",
      phase: "node",
      needs: ["kubelet"],
      action: { kind: "wait", probe: { kind: "node-registered", node: nodeName } },
    },
    ...(config.network === "none"
      ? []
      : [
          {
            id: "node-ready",
            phase: "node",
            needs: ["node-registered", "proxy"],
            action: { kind: "wait", probe: { kind: "node-ready", node: nodeName } },
          } satisfies Step,
        ]),
    // The kubelet has its own certificate now: nothing needs the token any more.
    ...(bootstraps
      ? [
          {
            id: "forget-token",
            phase: "node",
            needs: ["node-registered", ...(config.network === "none" ? [] : ["node-ready"])],
            action: { kind: "remove-files", paths: [paths.bootstrapKubeletConf] },
          } satisfies Step,
        ]
      : []),
  ];
  return {
    role: "worker",
    clusterName: config.clusterName,
    version: features.version,
    nodeName,
    steps,
    warnings: warningsOf(nodeConfig, features.tried),
  };
}
