import { stringify } from "yaml";
import { isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import { writtenFilesRecord } from "../host/writtenFiles.js";
import { addressAt, firstNodeCidrs, namedAddress, publicApiserver } from "../kubernetes/networks.js";
import { programCommands } from "../kubernetes/programCommands.js";
import { isEdited, manifestText, renderManifests } from "../kubernetes/renderManifests.js";
import { schedulerConfiguration } from "../kubernetes/schedulerConfiguration.js";
import { startupSeconds } from "../kubernetes/startupProbes.js";
import { featuresOf, type VersionFeatures } from "../kubernetes/versions.js";
import { isIpv6 } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { filledNetwork, type HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { MasterOptions } from "../model/options.js";
import type { Plan, PlanWarning, Step } from "../model/plan.js";
import { hasSecurityOption } from "../model/securityOptions.js";
import { specDigest } from "../model/specDigest.js";
import { serverNames } from "../pki/wantedCertificates.js";
import type { PodsOfNode } from "../network/podNetwork.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { type AddonPart, addonPart, type PullSecret } from "./addonSteps.js";
import { etcdContainer } from "./etcdContainer.js";
import { etcdSteps } from "./etcdSteps.js";
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
import { manifestsWithStartupTime } from "./startupTime.js";
import { step, when } from "./step.js";

export interface MasterPlanInput {
  readonly options: MasterOptions;
  readonly config: ClusterConfig;
  readonly observed: ObservedHost;
  readonly bundled: BundledFiles;
  /** PKI and kubeconfigs, made or kept. */
  readonly pkiFiles: readonly HostFile[];
  /** Accepted options, what the host was like before, … */
  readonly otherFiles?: readonly HostFile[];
  /** In order; the join token's Secret among them. */
  readonly bootstrapObjects: readonly KubernetesObject[];
  /** What the cluster's own ConfigMaps say, in one that is there already. */
  readonly base?: BaseConfiguration;
  /** Without one pods' images are pulled by anybody. */
  readonly pullSecret?: PullSecret;
  /** Of the add-on folder, if the run takes something out of it: one that it has never had. */
  readonly addonRevision?: string;
  /** The API server of an earlier run says that it is well. */
  readonly isUp?: boolean;
  /** And that it has nodes besides this one. */
  readonly hasOtherNodes?: boolean;
  /** Where its nodes' pods are. */
  readonly podsOfNodes?: readonly PodsOfNode[];
  /** This host becomes, or goes on becoming, a further master: the address of another one that lives. */
  readonly joins?: string | undefined;
}

const masterManifest = `${paths.manifests}/master-multi.json`;

/** Labels of a control-plane node; a kubelet may not give them to itself. */
const masterLabels = { "node-role.kubernetes.io/master": "", "node-role.kubernetes.io/control-plane": "" };

/**
 * All that makes a host the master of a cluster.
 *
 * @throws TsdeployError of kind usage for patches and extra arguments that cannot be applied
 */
export function planMaster(input: MasterPlanInput): Plan {
  const { options, config, observed, bundled } = input;
  const features = featuresOf(config.version);
  const node = nodeIdentity(options, observed.host, features, config);
  const common = nodePlan({
    role: "master",
    options,
    config,
    features,
    observed,
    bundled,
    node,
    proxyKubeconfig: paths.proxyConf,
    ...(input.base && { base: input.base }),
  });
  const keeps = keepsAddons(config, node);
  const addons = !keeps ? noAddons : addonPart({
    config,
    features,
    observed,
    options,
    nodeName: node.nodeName,
    hasOtherNodes: input.hasOtherNodes ?? false,
    bundled: addonFiles(bundled),
    ...defined({ pullSecret: input.pullSecret, revision: input.addonRevision }),
  });
  const parts: MasterParts = { input, features, node, common, addons, keeps };
  const { images, extraArgs } = common;
  const etcdInput = { config, features, observed, options, image: images.etcd, extraArgs, node };
  const etcd = etcdContainer(etcdInput);
  const pauseStep = imageStep("pause-image", images.pause, config);
  const etcdStep = imageStep("etcd-image", images.etcd, config);
  const needs = [...etcdStep, ...pauseStep].map(({ id }) => id);
  const members = config.severalMasters === true && {
    ...{ node, joins: input.joins },
    founder: etcdContainer({ ...etcdInput, founds: true }),
  };
  const etcdPart = etcdSteps({ etcd, features, observed, needs, ...(members && { members }) });
  const files = masterFiles(parts);
  return {
    role: "master",
    clusterName: config.clusterName,
    version: config.version,
    nodeName: node.nodeName,
    steps: [
      ...pauseStep,
      ...etcdStep,
      step("files", "files", etcdPart.beforeFiles, { kind: "write-files", files: files.early }),
      ...etcdPart.steps,
      ...kubeletSteps(common, observed, {
        phase: "control plane",
        needs: ["files", ...pauseStep.map(({ id }) => id), ...etcdPart.beforeApi],
      }),
      step("api-serves", "control plane", ["etcd", "kubelet"], { kind: "wait", probe: { kind: "api-serves", version: config.version } }),
      step("api", "control plane", ["api-serves"], { kind: "wait", probe: { kind: "api-answers" } }),
      ...when(files.late.length > 0, step("more-pods", "more pods", ["api"], { kind: "write-files", files: files.late })),
      ...when(files.stale.length > 0, step("stale-files", "files", ["files"], { kind: "remove-files", paths: files.stale })),
      ...masterNodeSteps(parts),
      step("objects", "bootstrap objects", ["api"], {
        kind: "apply-objects",
        objects: [...input.bootstrapObjects, ...podNetworkOf(config).objects(config, features)],
      }),
      // Its program may not see the other nodes before the objects are there.
      ...networkSteps(common, config, node.nodeName, [
        "node-registered",
        ...when(isNewCluster(input), "pod-cidr"),
        "objects",
      ]),
      ...addons.steps("api", when(podNetworkOf(config).makesNodesReady, "node-ready")),
    ],
    warnings: [
      ...moveWarnings(input, node),
      ...endpointWarnings(input),
      ...common.warnings,
      ...networkChangeWarnings(common, observed, input.hasOtherNodes === true ? node.nodeIp : undefined),
      ...warningsOf(config, features.tried, knownPods(input, node)),
      ...addons.warnings,
    ],
  };
}

/**
 * Whether this master's folder of add-ons is the one that the cluster is kept to: of several that whose address the
 * cluster shows. When it is gone for good, the next run on another one takes over both.
 */
function keepsAddons(config: ClusterConfig, { nodeIp }: NodeIdentity): boolean {
  return config.severalMasters !== true || new URL(config.apiserver).hostname === nodeIp;
}

const noAddons: AddonPart = { files: [], lateFiles: [], stale: [], warnings: [], steps: () => [] };

/** Whether there was no cluster before: nobody has a pod CIDR then. */
function isNewCluster({ observed, joins }: MasterPlanInput): boolean {
  return !observed.host.etcdData && joins === undefined;
}

/** What the parts of a master's plan are made of. */
interface MasterParts {
  readonly input: MasterPlanInput;
  readonly features: VersionFeatures;
  readonly node: NodeIdentity;
  readonly common: NodePlan;
  readonly addons: AddonPart;
  /** Whether the add-on manager runs here. */
  readonly keeps: boolean;
}

/** A master's files by when they are written, and those of an earlier run that are removed. */
interface MasterFiles {
  readonly early: readonly HostFile[];
  /** Pods that can do nothing without the API server: they would only keep it from starting. */
  readonly late: readonly HostFile[];
  /** Paths. */
  readonly stale: readonly string[];
}

function masterFiles(parts: MasterParts): MasterFiles {
  const { input, common, addons } = parts;
  const { observed, bundled, config, options } = input;
  const { podNetworkFile } = common;
  const scheduler = schedulerFiles(parts);
  const pods = masterPods(parts, scheduler);
  const late = pods.filter(({ path }) => path !== masterManifest && !observed.files.has(path));
  // A kubelet that reads it once has to find one when it starts: until the API has it, that of an earlier run, else the
  // one that a first node gets.
  const firstNetwork =
    podNetworkFile &&
    !observed.files.has(podNetworkFile.path) &&
    filledNetwork(podNetworkFile, firstNodeCidrs(config));
  const early: HostFile[] = [
    ...(input.otherFiles ?? []),
    ...input.pkiFiles,
    ...common.files,
    ...scheduler,
    ...(firstNetwork ? [firstNetwork] : []),
    ...addons.files,
    ...pods.filter((pod) => !late.includes(pod)),
  ];
  const written = [...early, ...late, ...addons.lateFiles, ...(podNetworkFile ? [podNetworkFile] : [])];
  // An earlier run with other options rendered them; one that a person has edited stays unless he says --overwrite.
  const stalePods = Object.keys(bundled.manifests)
    .map((file) => `${paths.manifests}/${file}`)
    .filter((path) => {
      const existing = observed.files.get(path);
      return existing && !pods.some((pod) => pod.path === path) && (options.overwrite || !isEdited(existing.content));
    });
  return {
    early: [writtenFilesRecord(written, observed.files), ...early],
    late,
    stale: [...addons.stale, ...stalePods, ...staleNodeFiles(common, observed)],
  };
}

function schedulerFiles({ features, common }: MasterParts): HostFile[] {
  const scheduler = schedulerConfiguration(features, common.extraArgs.scheduler ?? {});
  if (!scheduler) return [];
  return [{ path: paths.schedulerConfig, mode: 0o644, content: stringify(scheduler, { lineWidth: 0 }), secret: false }];
}

/** The manifests of the static pods. */
function masterPods({ input, features, node, common, keeps }: MasterParts, scheduler: readonly HostFile[]): HostFile[] {
  const { options, config, observed, bundled, pkiFiles } = input;
  // What a program reads only when it starts. Certificates are public, their digest is, too; that of random tokens
  // tells nobody anything.
  const digestOf = (of: readonly HostFile[]): string => specDigest(of.map(({ path, content }) => [path, content]));
  const certificates = digestOf(pkiFiles.filter(({ path }) => path.endsWith(".crt")));
  const rendering = {
    manifests: keeps ? bundled.manifests : withoutManager(bundled.manifests),
    config,
    features,
    nodeName: node.nodeName,
    nodeIp: node.nodeIp,
    certificateNames: serverNames({
      ...node,
      serviceIp: addressAt(config.serviceCidr[0], 1),
      clusterDomain: config.clusterDomain,
      extraSans: options.apiserverSans,
      ...defined({ controlPlaneEndpoint: config.controlPlaneEndpoint }),
    }),
    iptablesBackend: observed.host.iptablesBackend,
    selinux: hasSecurityOption(observed.engine.info, "selinux"),
    extraArgs: { ...common.extraArgs, proxy: common.proxyFlags },
    programs: programCommands(features, observed.host),
    patches: options.patches,
    inputs: {
      "k8s-master": digestOf([...pkiFiles.filter(({ path }) => /\.(crt|csv|jsonl)$/.test(path)), ...scheduler]),
      "k8s-node-ipam": certificates,
      "k8s-proxy": specDigest([certificates, common.proxyConfiguration ?? ""]),
      "kube-addon-manager": specDigest([certificates, bundled.scripts["kube-addons.sh"], bundled.scripts["copy-addons.sh"]]),
    },
  };
  return manifestsWithStartupTime({
    render: (seconds) => renderManifests({ ...rendering, startupSeconds: seconds }),
    wanted: startupSeconds(options.timeoutMs),
    existing: (file) => observed.files.get(`${paths.manifests}/${file}`)?.content,
    isUp: input.isUp === true,
  }).map(({ file, pod }) => ({
    path: `${paths.manifests}/${file}`,
    mode: 0o600,
    content: manifestText(pod),
    secret: false,
    editable: true,
  }));
}

function withoutManager(manifests: BundledFiles["manifests"]): BundledFiles["manifests"] {
  return Object.fromEntries(Object.entries(manifests).filter(([file]) => `${paths.manifests}/${file}` !== paths.addonManager));
}

/** From the kubelet's registering its node, as soon as the API server serves, to Ready. */
function masterNodeSteps({ input, node, common }: MasterParts): Step[] {
  const { config } = input;
  const { podNetworkFile, annotations } = common;
  const { nodeName } = node;
  const phase = "node";
  // A cluster with data has its pod CIDRs, and perhaps given the first one to another node.
  const cidr = isNewCluster(input) ? ["pod-cidr"] : [];
  const network = podNetworkFile ? ["pod-network"] : [];
  return [
    nodeRegistered(nodeName, ["api-serves"]),
    ...when(
      cidr.length > 0,
      step("pod-cidr", phase, ["node-registered"], {
        kind: "set-pod-cidr",
        node: nodeName,
        podCidrs: firstNodeCidrs(config),
      }),
    ),
    ...(podNetworkFile
      ? [
          step("pod-network", phase, ["node-registered", ...cidr], {
            kind: "write-pod-network",
            node: nodeName,
            file: podNetworkFile,
            restartsKubelet: common.podCidrDelivery === "file-before-kubelet",
          }),
        ]
      : []),
    step("node-labels", phase, ["node-registered"], {
      kind: "mark-node",
      node: nodeName,
      labels: masterLabels,
      ...(annotations && { annotations }),
    }),
    // Without a pod network a node is not Ready before the person has brought one.
    ...when(
      podNetworkOf(config).makesNodesReady,
      step("node-ready", phase, ["node-registered", ...cidr, ...network], {
        kind: "wait",
        probe: { kind: "node-ready", node: nodeName },
      }),
    ),
  ];
}

/** What the cluster says; in a new one, the place that its first node gets. */
function knownPods(input: MasterPlanInput, { nodeName, nodeIp, nodeIpv6 }: NodeIdentity): readonly PodsOfNode[] {
  const { podsOfNodes = [], config } = input;
  const addressFor = (podCidr: string): string => (isIpv6(podCidr) ? nodeIpv6 : undefined) ?? nodeIp;
  if (podsOfNodes.length > 0 || !isNewCluster(input)) {
    // Its Node object may still have the address that it had before this run.
    return podsOfNodes.map((pods) => (pods.node === nodeName ? { ...pods, address: addressFor(pods.podCidr) } : pods));
  }
  return firstNodeCidrs(config).map((podCidr) => ({ node: nodeName, podCidr, address: addressFor(podCidr) }));
}

/** Workers know their API server by the master's address. */
function moveWarnings({ observed, isUp, hasOtherNodes }: MasterPlanInput, node: NodeIdentity): PlanWarning[] {
  const move = moveOf(observed, node);
  if (!move) return [];
  const hasWorkers = isUp !== true || hasOtherNodes === true;
  return [
    {
      message:
        `The address of this master was ${move.was} and is ${move.is} now.` +
        (hasWorkers ? ` When this has worked, run \`tsdeploy worker --master ${move.is}\` on each worker.` : ""),
    },
  ];
}

/** Nodes know where the API server was when they were last worked on. */
function endpointWarnings({ config, observed, hasOtherNodes }: MasterPlanInput): PlanWarning[] {
  const text = observed.files.get(paths.options)?.content;
  if (hasOtherNodes !== true || text === undefined || !isMasterOptions(text)) return [];
  const { controlPlaneEndpoint: was } = parseAcceptedOptions(text);
  const server = publicApiserver(config);
  if (config.controlPlaneEndpoint === undefined || (was !== undefined && namedAddress(`https://${was}`) === namedAddress(server))) return [];
  const message = `Nodes find the API server at ${namedAddress(server)} from now on: run \`tsdeploy master\` with it on each other`;
  return [{ message: `${message} master, then \`tsdeploy worker --master ${namedAddress(server)}\` on each worker.` }];
}

/** For whoever runs the command. @param known nodes whose pods have their place already */
export function warningsOf(config: ClusterConfig, tried: boolean, known: readonly PodsOfNode[] = []): PlanWarning[] {
  return [
    ...(config.insecureApi
      ? [
          {
            message:
              "The insecure port is open: anybody who reaches port 8080 of the master is administrator of this cluster, " +
              "without any credential.",
            danger: true,
          } as const,
        ]
      : []),
    ...(tried ? [] : [{ message: `Kubernetes ${config.version} was not tried with tsdeploy: its neighbours were.` }]),
    ...podNetworkOf(config).notes(config, known).map((message) => ({ message })),
  ];
}

function addonFiles(bundled: BundledFiles): HostFile[] {
  return Object.entries(bundled.addons).map(([name, content]) => ({
    path: `${paths.addons}/${name}`,
    mode: 0o644,
    content,
    secret: false,
  }));
}
