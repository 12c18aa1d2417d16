import { writtenFilesRecord } from "../host/writtenFiles.js";
import { checkPatchTargets } from "../kubernetes/renderManifests.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { WorkerOptions } from "../model/options.js";
import type { Action, Plan, Step } from "../model/plan.js";
import { nodeIdentity, type NodeIdentity } from "./nodeIdentity.js";
import {
  type BaseConfiguration,
  type BundledFiles,
  imageStep,
  kubeletSteps,
  nodePlan,
  staleNodeFiles,
} from "./nodePlan.js";
import { warningsOf } from "./planMaster.js";
import { proxyContainer } from "./proxyContainer.js";

export interface WorkerPlanInput {
  readonly options: WorkerOptions;
  /** As the master tells it. */
  readonly config: ClusterConfig;
  readonly observed: ObservedHost;
  readonly bundled: BundledFiles;
  /**
   * The cluster's CA certificate, and the bootstrap kubeconfig unless the node has joined before; for versions without
   * bootstrap tokens the kubelet's kubeconfig itself.
   */
  readonly credentials: readonly HostFile[];
  /** What the host was like before, … */
  readonly otherFiles?: readonly HostFile[];
  /** What the cluster's ConfigMaps say. */
  readonly base?: BaseConfiguration;
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
  const node = nodeIdentity(options, observed.host, features);
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
    ...(input.base && { base: input.base }),
  });
  const proxy = proxyContainer({
    config: nodeConfig,
    features,
    observed,
    options,
    flags: common.proxyFlags,
    configuration: common.proxyConfiguration,
  });
  const written = [...(input.otherFiles ?? []), ...input.credentials, ...common.files];
  const network = common.podNetworkFile ? [common.podNetworkFile] : [];
  const files = [writtenFilesRecord([...written, ...network], observed.files), ...written];
  const bootstraps = input.credentials.some(({ path }) => path === paths.bootstrapKubeletConf);

  const { nodeName } = node;
  const { podNetworkFile } = common;
  const isReadOnce = features.podCidrDelivery === "file-before-kubelet";
  const podNetwork = (needs: readonly string[]): Step[] =>
    podNetworkFile
      ? [
          {
            id: "pod-network",
            phase: "node",
            needs,
            action: { kind: "write-pod-network", node: nodeName, file: podNetworkFile, restartsKubelet: false },
          },
        ]
      : [];
  // The kubelet may start when its network's file is there, and that needs a node with a pod CIDR.
  const nodeFirst: Step[] =
    isReadOnce && podNetworkFile
      ? [
          {
            id: "node-object",
            phase: "node",
            needs: [],
            action: { kind: "create-node", object: nodeObject(node, options, observed, common.annotations) },
          },
          ...podNetwork(["node-object", "files"]),
        ]
      : [];
  const pauseStep = imageStep("pause-image", common.images.pause, nodeConfig);
  const started = ["files", ...[...pauseStep, ...nodeFirst].map(({ id }) => id)];
  const stale = staleNodeFiles(common, observed);
  const steps: Step[] = [
    ...pauseStep,
    { id: "files", phase: "files", needs: [], action: { kind: "write-files", files } },
    ...(stale.length === 0 ? [] : [staleStep(stale)]),
    ...nodeFirst,
    ...kubeletSteps(common, observed, {
      phase: "containers",
      needs: started,
      ...(bootstraps && { restartsWith: paths.bootstrapKubeletConf }),
    }),
    {
      id: "proxy",
      phase: "containers",
      needs: ["files"],
      action: { kind: "run-container", container: proxy, health: { port: 10256 } },
    },
    {
      id: "node-registered",
      phase: "node",
      needs: ["kubelet"],
      action: { kind: "wait", probe: { kind: "node-registered", node: nodeName } },
    },
    ...(isReadOnce ? [] : podNetwork(["node-registered"])),
    ...(config.network === "none"
      ? []
      : [
          {
            id: "node-ready",
            phase: "node",
            needs: ["node-registered", "proxy", ...(podNetworkFile ? ["pod-network"] : [])],
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

function staleStep(stale: readonly string[]): Step {
  const action: Action = { kind: "remove-files", paths: stale };
  return { id: "stale-files", phase: "files", needs: ["files"], action };
}

/**
 * The Node object as a v1.3 kubelet would make it. That one takes a node that it finds for its own if the external id
 * is its name, and else deletes it (`registerWithApiserver` in pkg/kubelet/kubelet.go).
 */
function nodeObject(
  { nodeName }: NodeIdentity,
  { nodeLabels }: Pick<WorkerOptions, "nodeLabels">,
  { engine }: ObservedHost,
  annotations: Readonly<Record<string, string>> | undefined,
): KubernetesObject {
  const own = {
    "kubernetes.io/hostname": nodeName,
    "beta.kubernetes.io/os": engine.version.os,
    "beta.kubernetes.io/arch": engine.version.architecture,
  };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName, labels: { ...own, ...nodeLabels }, ...(annotations && { annotations }) },
    spec: { externalID: nodeName },
  };
}
