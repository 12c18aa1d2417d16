import { writtenFilesRecord } from "../host/writtenFiles.js";
import { checkPatchTargets } from "../kubernetes/renderManifests.js";
import { hasBalancers } from "../kubernetes/networks.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { isOurs } from "../model/ownership.js";
import { apiserverPort, labels, paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { WorkerOptions } from "../model/options.js";
import type { Plan, PlanWarning, Step } from "../model/plan.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { balancerContainer, mastersFile } from "./balancerContainer.js";
import { moveOf } from "./movedNode.js";
import { networkChangeWarnings } from "./networkChange.js";
import { nodeIdentity, type NodeIdentity } from "./nodeIdentity.js";
import {
  type BaseConfiguration,
  type BundledFiles,
  imageStep,
  kubeletSteps,
  networkSteps,
  nodePlan,
  type NodePlan,
  nodeRegistered,
  staleNodeFiles,
} from "./nodePlan.js";
import { warningsOf } from "./planMaster.js";
import { proxyContainer } from "./proxyContainer.js";
import { step, when } from "./step.js";

export interface WorkerPlanInput {
  readonly options: WorkerOptions;
  /** As the master publishes it. */
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
  /** Addresses of the masters, where there may be several. */
  readonly masters?: readonly string[];
}

function isFormerBalancer(container: ContainerSummary): boolean {
  return isOurs(container) && container.labels[labels.component] === "haproxy";
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
  const node = nodeIdentity(options, observed.host, features, config);
  const nodeConfig = configOf(input, features.version);
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
  const { proxyFlags: flags, proxyConfiguration: configuration } = common;
  const proxy = proxyContainer({ config: nodeConfig, features, observed, options, flags, configuration });
  const masters = hasBalancers(config) ? mastersFile(input.masters ?? []) : undefined;
  const files = workerFiles(input, common, masters);
  const balancer: Step[] = masters
    ? [
        step("haproxy", "containers", ["files"], {
          kind: "run-container",
          container: balancerContainer({ config: nodeConfig, features, options }),
          health: { port: apiserverPort },
          restartsWith: [masters.path],
        }),
      ]
    : [];
  const former = masters ? [] : observed.engine.containers.filter(isFormerBalancer);
  const bootstraps = input.credentials.some(({ path }) => path === paths.bootstrapKubeletConf);

  const { podNetworkFile } = common;
  // A kubelet that reads its network's file once may start when that is there, which needs a node with a pod CIDR.
  const isNodeFirst = podNetworkFile !== undefined && common.podCidrDelivery === "file-before-kubelet";
  const network = podNetworkFile ? [networkStep(podNetworkFile, node, isNodeFirst ? "node-object" : "node-registered")] : [];
  const nodeFirst = isNodeFirst
    ? [
        step("node-object", "node", [], {
          kind: "create-node",
          object: nodeObject(node, options, observed, common.annotations),
        }),
        ...network,
      ]
    : [];
  const { nodeName } = node;
  const pauseStep = imageStep("pause-image", common.images.pause, nodeConfig);
  const stale = staleNodeFiles(common, observed);
  const steps: Step[] = [
    ...pauseStep,
    step("files", "files", [], { kind: "write-files", files }),
    ...when(stale.length > 0, step("stale-files", "files", ["files"], { kind: "remove-files", paths: stale })),
    ...nodeFirst,
    ...balancer,
    ...kubeletSteps(common, observed, {
      phase: "containers",
      needs: ["files", ...[...pauseStep, ...nodeFirst, ...balancer].map(({ id }) => id)],
      // Which API server theirs is, programs read when they start.
      restartsWith: [...when(bootstraps, paths.bootstrapKubeletConf), paths.kubeletConf],
    }),
    nodeRegistered(nodeName, ["kubelet"]),
    // It asks for its node, and for the kubelet's certificate: before, it would only take the kubelet's time.
    step("proxy", "node", ["node-registered"], {
      kind: "run-container",
      container: proxy,
      health: { port: 10256 },
      restartsWith: [paths.kubeletConf],
    }),
    ...(isNodeFirst ? [] : network),
    ...when(
      podNetworkOf(config).makesNodesReady,
      step("node-ready", "node", ["node-registered", ...network.map(({ id }) => id)], {
        kind: "wait",
        probe: { kind: "node-ready", node: nodeName },
      }),
    ),
    ...networkSteps(common, nodeConfig, nodeName, ["node-registered", ...network.map(({ id }) => id)]),
    // Last: by it the node's programs have reached the masters until now.
    ...when(
      former.length > 0,
      step("haproxy-gone", "containers", ["proxy", ...when(podNetworkOf(config).makesNodesReady, "node-ready")], {
        kind: "remove-containers",
        containers: former,
        andPods: false,
      }),
    ),
    // The kubelet has its own certificate now: nothing needs the token any more, nor one that a broken run has left.
    ...when(
      bootstraps || observed.files.has(paths.bootstrapKubeletConf),
      step("forget-token", "node", ["node-registered", ...when(podNetworkOf(config).makesNodesReady, "node-ready")], {
        kind: "remove-files",
        paths: [paths.bootstrapKubeletConf],
      }),
    ),
  ];
  return {
    role: "worker",
    clusterName: config.clusterName,
    version: features.version,
    nodeName,
    steps,
    warnings: [
      ...moveWarnings(observed, node),
      ...common.warnings,
      ...networkChangeWarnings(common, observed),
      ...warningsOf(nodeConfig, features.tried),
    ],
  };
}

function moveWarnings(observed: ObservedHost, node: NodeIdentity): PlanWarning[] {
  const move = moveOf(observed, node);
  return move ? [{ message: `The address of this node was ${move.was} and is ${move.is} now.` }] : [];
}

/** The cluster's configuration, with this node's own version and images. */
function configOf({ config, options }: WorkerPlanInput, version: string): ClusterConfig {
  const { image = config.image, registry } = options;
  return { ...config, version, image, ...defined({ registry }) };
}

function workerFiles(
  { otherFiles = [], credentials, observed }: WorkerPlanInput,
  common: NodePlan,
  masters: HostFile | undefined,
): HostFile[] {
  const written = [...otherFiles, ...credentials, ...(masters ? [masters] : []), ...common.files];
  const later = common.podNetworkFile ? [common.podNetworkFile] : [];
  return [writtenFilesRecord([...written, ...later], observed.files), ...written];
}

/** When the node has its pod CIDR. */
function networkStep(file: HostFile, { nodeName }: NodeIdentity, afterNode: string): Step {
  // Where the node comes before the kubelet, nothing else has waited for the folder's other files.
  const needs = afterNode === "node-object" ? [afterNode, "files"] : [afterNode];
  return step("pod-network", "node", needs, { kind: "write-pod-network", node: nodeName, file, restartsKubelet: false });
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
  // Besides, flannel (0.13) ends where a Node has no annotation at all.
  const ownAnnotations = { "volumes.kubernetes.io/controller-managed-attach-detach": "true" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName, labels: { ...own, ...nodeLabels }, annotations: { ...ownAnnotations, ...annotations } },
    spec: { externalID: nodeName },
  };
}
