import { stringify } from "yaml";
import { type SideImages, sideImages } from "../image/sideImages.js";
import type { Flags } from "../kubernetes/commandFlags.js";
import { kubeletConfiguration, kubeletHealthPort } from "../kubernetes/kubeletConfiguration.js";
import { kubeletFlags, registersTaints } from "../kubernetes/kubeletFlags.js";
import { hasBalancers } from "../kubernetes/networks.js";
import { podResolver } from "../kubernetes/podResolver.js";
import { proxyConfiguration, proxyFlags } from "../kubernetes/proxyConfiguration.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { PodCidrDelivery } from "../kubernetes/versionTable.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { type HostFile, placeholdersFor } from "../model/hostFile.js";
import { cniConfigFiles, criSocket, labels, paths } from "../model/hostLayout.js";
import type { ExtraArgs, NodeOptions, PatchableComponent, Taint } from "../model/options.js";
import type { PlanWarning, Step } from "../model/plan.js";
import { podCidrDeliveryOf } from "../network/podCidrDelivery.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { criContainer } from "./criContainer.js";
import { kubeletContainer } from "./kubeletContainer.js";
import { networkContainer } from "./networkContainer.js";
import type { NodeIdentity } from "./nodeIdentity.js";
import { step } from "./step.js";

const balancerScript = "balance.sh";

/** What ships with tsdeploy and is written to hosts: name -> text. */
export interface BundledFiles {
  readonly manifests: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly addons: Readonly<Record<string, string>>;
}

/** The cluster's configuration of kubelet and kube-proxy as its ConfigMaps have it; undefined: as a new cluster's. */
export interface BaseConfiguration {
  readonly kubelet?: Readonly<Record<string, unknown>>;
  readonly proxy?: Readonly<Record<string, unknown>>;
}

export interface NodePlanInput {
  readonly role: "master" | "worker";
  readonly options: NodeOptions;
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly bundled: BundledFiles;
  readonly node: NodeIdentity;
  /** The kubeconfig of this node's kube-proxy. */
  readonly proxyKubeconfig: string;
  readonly base?: BaseConfiguration;
}

/** What every node has, master or worker. */
export interface NodePlan {
  readonly files: readonly HostFile[];
  readonly podCidrDelivery: PodCidrDelivery;
  /** CNI configuration that is written when the node's pod CIDR is known. */
  readonly podNetworkFile: HostFile | undefined;
  /** The pod network's own program, if it has one. */
  readonly network: NetworkRun | undefined;
  /** cri-dockerd, for versions without dockershim. */
  readonly cri: ContainerSpec | undefined;
  readonly kubelet: ContainerSpec;
  readonly images: SideImages;
  readonly proxyFlags: Flags;
  /** Content of kube-proxy's configuration file, if it has one. */
  readonly proxyConfiguration: string | undefined;
  readonly extraArgs: ExtraArgs;
  readonly warnings: readonly PlanWarning[];
  /** Of the Node object, where the kubelet has no way to say its taints. */
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** A pod network's program as a container, and how the Node shows that it works. */
interface NetworkRun {
  readonly container: ContainerSpec;
  readonly restartsWith: readonly string[];
  readonly healthPort: number;
  readonly readyAnnotations: Readonly<Record<string, string>>;
}

/** @throws TsdeployError of kind usage for patches and extra arguments that cannot be applied */
export function nodePlan(input: NodePlanInput): NodePlan {
  const { role, options, config, features, observed, node, base = {} } = input;
  const extraArgs = mergedExtraArgs(config, options);
  const common = { config, features, observed, ...node, options, patches: options.patches };
  const document = kubeletConfiguration({ ...common, role, ...(base.kubelet && { base: base.kubelet }) });
  const configuration = features.kubeletConfigured === "file" ? yamlOf(document) : undefined;
  const proxyDocument = proxyConfiguration({
    ...common,
    kubeconfig: input.proxyKubeconfig,
    extraArgs: extraArgs.proxy ?? {},
    ...(base.proxy && { base: base.proxy }),
  });
  const proxy = features.proxyConfigured === "file" ? yamlOf(proxyDocument) : undefined;
  const images = sideImages(config, features, observed, options.registryMirrors);
  const flags = kubeletFlags({ ...common, role, pauseImage: images.pause, document, extraArgs });
  const file = (path: string, content: string | undefined): HostFile[] =>
    content === undefined ? [] : [{ path, mode: 0o644, content, secret: false }];
  const resolver = podResolver(observed.host, config, node.nodeIp);
  const podCidrDelivery = podCidrDeliveryOf(config, features);
  const hasOwnFile = podCidrDelivery !== "runtime";
  const network = podNetworkOf(config);
  const networkNode = { role, config, features, observed, ...node, networkInterface: options.networkInterface };
  const cniFile = network.cniFile(networkNode, placeholdersFor(config.podCidr));
  const networkFiles = network.files(networkNode);
  const agent = network.agent(networkNode, images.flannel);
  return {
    files: [
      ...file(paths.kubeletConfig, configuration),
      ...file(paths.proxyConfig, proxy),
      ...(cniFile && !hasOwnFile ? [cniFile] : []),
      ...networkFiles,
      ...(resolver.file ? [resolver.file] : []),
      ...scriptFiles(input.bundled, role, hasBalancers(config)),
    ],
    podCidrDelivery,
    podNetworkFile: hasOwnFile ? cniFile : undefined,
    network: agent && {
      container: networkContainer({ role, config, options, agent, files: networkFiles }),
      restartsWith: agent.restartsWith,
      healthPort: agent.healthPort,
      readyAnnotations: agent.readyAnnotations,
    },
    cri:
      features.runtime === "cri-dockerd"
        ? criContainer({ role, config, observed, options, pauseImage: images.pause })
        : undefined,
    kubelet: kubeletContainer({ role, config, features, observed, options, flags, configuration }),
    images,
    proxyFlags: proxyFlags({ role, config, features, document: proxyDocument, extraArgs: extraArgs.proxy ?? {} }),
    proxyConfiguration: proxy,
    extraArgs,
    // Who names a file for pods himself knows what is in it.
    warnings:
      resolver.warning === undefined || extraArgs.kubelet?.["resolv-conf"] !== undefined
        ? []
        : [{ message: resolver.warning }],
    annotations:
      registersTaints(features) || options.nodeTaints.length === 0 ? undefined : taintAnnotation(options.nodeTaints),
  };
}

/** The step that has an image here which is not the hyperkube image; none if it is. */
export function imageStep(id: string, reference: string, config: ClusterConfig): Step[] {
  return reference === config.image ? [] : [{ id, phase: "image", needs: [], action: { kind: "pull-image", reference } }];
}

/** The steps that run cri-dockerd, if there is one, and the kubelet; ids `cri` and `kubelet`. */
export function kubeletSteps(
  { cri, kubelet }: NodePlan,
  observed: ObservedHost,
  more: { readonly phase: string; readonly needs: readonly string[]; readonly restartsWith?: readonly string[] },
): Step[] {
  const { phase, needs, restartsWith } = more;
  // A kubelet waits for its cri-dockerd by itself; but one that runs has to go through its restart in order.
  const waits = cri && observed.engine.containers.some((container) => container.labels[labels.component] === "cri");
  return [
    ...(cri
      ? [
          {
            id: "cri",
            phase,
            needs,
            action: { kind: "run-container", container: cri, health: { socket: criSocket } },
          } satisfies Step,
        ]
      : []),
    {
      id: "kubelet",
      phase,
      needs: [...needs, ...(waits ? ["cri"] : [])],
      action: {
        kind: "run-container",
        container: kubelet,
        health: { port: kubeletHealthPort },
        ...defined({ restartsWith }),
        ...(cri && { restartsAfter: "cri" }),
      },
    },
  ];
}

/** A kubelet registers its node once, when it starts; and tells cri-dockerd of the node's pod CIDR once. */
export function nodeRegistered(node: string, needs: readonly string[]): Step {
  const probe = { kind: "node-registered", node } as const;
  return step("node-registered", "node", needs, { kind: "wait", probe, madeBy: ["cri", "kubelet"] });
}

/**
 * The steps that run the pod network's program, if it has one. It ends where its node has no pod CIDR.
 *
 * @param needs what has to be there besides; `node-registered` and all that gives the node its pod CIDR among it
 */
export function networkSteps(
  { network, images }: NodePlan,
  config: ClusterConfig,
  node: string,
  needs: readonly string[],
): Step[] {
  if (!network) return [];
  const phase = "pod network";
  const { container, restartsWith, healthPort, readyAnnotations: annotations } = network;
  const { component } = container;
  const image = imageStep(`${component}-image`, images.flannel, config);
  return [
    ...image,
    step("node-has-cidr", phase, needs, { kind: "wait", probe: { kind: "node-has-cidr", node } }),
    step(component, phase, ["files", "node-has-cidr", ...image.map(({ id }) => id)], {
      kind: "run-container",
      container,
      health: { port: healthPort },
      restartsWith,
    }),
    step(`${component}-ready`, phase, [component], {
      kind: "wait",
      probe: { kind: "node-annotated", node, annotations },
      madeBy: [component],
    }),
  ];
}

/** Files of an earlier version or of other options, that would now be read in place of ours, or by nobody. */
export function staleNodeFiles({ files, podNetworkFile }: NodePlan, observed: ObservedHost): string[] {
  const written = [...files, ...(podNetworkFile ? [podNetworkFile] : [])].map(({ path }) => path);
  return [paths.kubeletConfig, paths.proxyConfig, paths.flannelConfig, paths.resolvConf, ...cniConfigFiles].filter(
    (path) => observed.files.has(path) && !written.includes(path),
  );
}

/** Until v1.5 taints were an annotation. */
function taintAnnotation(taints: readonly Taint[]): Readonly<Record<string, string>> {
  return { "scheduler.alpha.kubernetes.io/taints": JSON.stringify(taints.map((taint) => ({ value: "", ...taint }))) };
}

function yamlOf(document: unknown): string {
  return stringify(document, { lineWidth: 0 });
}

/** The cluster's for node components, then this node's own, which win. */
function mergedExtraArgs(config: ClusterConfig, options: NodeOptions): ExtraArgs {
  const components = new Set([...Object.keys(config.extraArgs), ...Object.keys(options.extraArgs)]);
  return Object.fromEntries(
    ([...components] as PatchableComponent[]).map((component) => [
      component,
      { ...config.extraArgs[component], ...options.extraArgs[component] },
    ]),
  );
}

function scriptFiles(bundled: BundledFiles, role: "master" | "worker", balances: boolean): HostFile[] {
  const ofWorkers = ["start.sh", ...(balances ? [balancerScript] : [])];
  return Object.entries(bundled.scripts)
    .filter(([name]) => (role === "master" ? name !== balancerScript : ofWorkers.includes(name)))
    .map(([name, content]) => ({ path: `${paths.scripts}/${name}`, mode: 0o755, content, secret: false }));
}
