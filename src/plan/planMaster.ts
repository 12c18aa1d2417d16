import { stringify } from "yaml";
import { writtenFilesRecord } from "../host/writtenFiles.js";
import { addressAt, firstNodeCidr } from "../kubernetes/networks.js";
import { programCommands } from "../kubernetes/programCommands.js";
import { isEdited, manifestText, renderManifests } from "../kubernetes/renderManifests.js";
import { schedulerConfiguration } from "../kubernetes/schedulerConfiguration.js";
import { startupSeconds } from "../kubernetes/startupProbes.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { filledNetwork, type HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { MasterOptions } from "../model/options.js";
import type { Plan, PlanWarning, Step } from "../model/plan.js";
import { specDigest } from "../model/specDigest.js";
import { serverNames } from "../pki/wantedCertificates.js";
import { etcdContainer } from "./etcdContainer.js";
import { etcdSteps } from "./etcdSteps.js";
import { nodeIdentity } from "./nodeIdentity.js";
import {
  type BaseConfiguration,
  type BundledFiles,
  imageStep,
  kubeletSteps,
  nodePlan,
  staleNodeFiles,
} from "./nodePlan.js";
import { manifestsWithStartupTime } from "./startupTime.js";

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
  /** The API server of an earlier run says that it is well. */
  readonly isUp?: boolean;
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
  const { options, config, observed, bundled, pkiFiles } = input;
  const features = featuresOf(config.version);
  const node = nodeIdentity(options, observed.host, features);
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
  const { extraArgs, images, podNetworkFile } = common;

  // What a program reads only when it starts. Certificates are public, their digest is, too; that of random tokens
  // tells nobody anything.
  const digestOf = (of: readonly HostFile[]): string => specDigest(of.map(({ path, content }) => [path, content]));
  const certificates = digestOf(pkiFiles.filter(({ path }) => path.endsWith(".crt")));
  const scheduler = schedulerConfiguration(features, extraArgs.scheduler ?? {});
  const schedulerFiles: HostFile[] = scheduler
    ? [{ path: paths.schedulerConfig, mode: 0o644, content: stringify(scheduler, { lineWidth: 0 }), secret: false }]
    : [];
  const inputs = {
    "k8s-master": digestOf([...pkiFiles.filter(({ path }) => /\.(crt|csv|jsonl)$/.test(path)), ...schedulerFiles]),
    "k8s-node-ipam": certificates,
    "k8s-proxy": specDigest([certificates, common.proxyConfiguration ?? ""]),
    "kube-addon-manager": certificates,
  };
  const rendering = {
    manifests: bundled.manifests,
    config,
    features,
    nodeIp: node.nodeIp,
    certificateNames: serverNames({
      ...node,
      serviceIp: addressAt(config.serviceCidr, 1),
      clusterDomain: config.clusterDomain,
      extraSans: options.apiserverSans,
    }),
    iptablesBackend: observed.host.iptablesBackend,
    extraArgs: { ...extraArgs, proxy: common.proxyFlags },
    programs: programCommands(features, observed.host),
    patches: options.patches,
    inputs,
  };
  const manifests = manifestsWithStartupTime({
    render: (seconds) => renderManifests({ ...rendering, startupSeconds: seconds }),
    wanted: startupSeconds(options.timeoutMs),
    existing: (file) => observed.files.get(`${paths.manifests}/${file}`)?.content,
    isUp: input.isUp === true,
  });
  const etcd = etcdContainer({
    config,
    features,
    observed,
    options,
    image: images.etcd,
    extraArgs,
  });
  const pods = manifests.map(
    ({ file, pod }): HostFile => ({
      path: `${paths.manifests}/${file}`,
      mode: 0o600,
      content: manifestText(pod),
      secret: false,
      editable: true,
    }),
  );
  // Pods that can do nothing without the API server would only keep it from starting.
  const latePods = pods.filter(({ path }) => path !== masterManifest && !observed.files.has(path));
  const firstCidr = firstNodeCidr(config.podCidr);
  // A kubelet that reads it once has to find one when it starts: until the API tells, that of an earlier run, else the
  // one that a first node gets.
  const firstNetwork =
    podNetworkFile && !observed.files.has(podNetworkFile.path) && filledNetwork(podNetworkFile, firstCidr);
  const files: HostFile[] = [
    ...(input.otherFiles ?? []),
    ...pkiFiles,
    ...common.files,
    ...schedulerFiles,
    ...(firstNetwork ? [firstNetwork] : []),
    ...addonFiles(bundled),
    ...pods.filter((pod) => !latePods.includes(pod)),
  ];

  const network = podNetworkFile ? [podNetworkFile] : [];
  const record = writtenFilesRecord([...files, ...latePods, ...network], observed.files);

  // An earlier run with other options rendered them, and nobody has made them his own.
  const stalePods = Object.keys(bundled.manifests)
    .map((file) => `${paths.manifests}/${file}`)
    .filter((path) => {
      const existing = observed.files.get(path);
      return existing && !pods.some((pod) => pod.path === path) && !isEdited(existing.content);
    });

  const { nodeName } = node;
  const stale = [...stalePods, ...staleNodeFiles(common, observed)];
  const pauseStep = imageStep("pause-image", images.pause, config);
  const etcdStep = imageStep("etcd-image", images.etcd, config);
  // A cluster with data has its pod CIDRs, and perhaps given the first one to another node.
  const cidrStep = observed.host.etcdData ? [] : ["pod-cidr"];
  const idsOf = (others: readonly Step[]): string[] => others.map(({ id }) => id);
  const etcdPart = etcdSteps(etcd, features, observed, idsOf([...etcdStep, ...pauseStep]));
  const steps: Step[] = [
    ...pauseStep,
    ...etcdStep,
    {
      id: "files",
      phase: "files",
      needs: etcdPart.beforeFiles,
      action: { kind: "write-files", files: [record, ...files] },
    },
    ...etcdPart.steps,
    ...kubeletSteps(common, observed, { phase: "control plane", needs: ["files", ...idsOf(pauseStep)] }),
    {
      id: "api-serves",
      phase: "control plane",
      needs: ["etcd", "kubelet"],
      action: { kind: "wait", probe: { kind: "api-serves" } },
    },
    {
      id: "api",
      phase: "control plane",
      needs: ["api-serves"],
      action: { kind: "wait", probe: { kind: "api-answers" } },
    },
    ...(latePods.length === 0
      ? []
      : [
          {
            id: "more-pods",
            phase: "more pods",
            needs: ["api"],
            action: { kind: "write-files", files: latePods },
          } satisfies Step,
        ]),
    ...(stale.length === 0
      ? []
      : [
          {
            id: "stale-files",
            phase: "files",
            needs: ["files"],
            action: { kind: "remove-files", paths: stale },
          } satisfies Step,
        ]),
    // The kubelet registers its node as soon as the API server serves; that one says that it is well a second later.
    {
      id: "node-registered",
      phase: "node",
      needs: ["api-serves"],
      action: { kind: "wait", probe: { kind: "node-registered", node: nodeName } },
    },
    ...(cidrStep.length === 0
      ? []
      : [
          {
            id: "pod-cidr",
            phase: "node",
            needs: ["node-registered"],
            action: { kind: "set-pod-cidr", node: nodeName, podCidr: firstCidr },
          } satisfies Step,
        ]),
    ...(podNetworkFile
      ? [
          {
            id: "pod-network",
            phase: "node",
            needs: ["node-registered", ...cidrStep],
            action: {
              kind: "write-pod-network",
              node: nodeName,
              file: podNetworkFile,
              restartsKubelet: features.podCidrDelivery === "file-before-kubelet",
            },
          } satisfies Step,
        ]
      : []),
    {
      id: "node-labels",
      phase: "node",
      needs: ["node-registered"],
      action: {
        kind: "mark-node",
        node: nodeName,
        labels: masterLabels,
        ...(common.annotations && { annotations: common.annotations }),
      },
    },
    // Without a pod network a node is not Ready before the person has brought one.
    ...(config.network === "none"
      ? []
      : [
          {
            id: "node-ready",
            phase: "node",
            needs: ["node-registered", ...cidrStep, ...(podNetworkFile ? ["pod-network"] : [])],
            action: { kind: "wait", probe: { kind: "node-ready", node: nodeName } },
          } satisfies Step,
        ]),
    {
      id: "objects",
      phase: "bootstrap objects",
      needs: ["api"],
      action: { kind: "apply-objects", objects: input.bootstrapObjects },
    },
  ];
  return {
    role: "master",
    clusterName: config.clusterName,
    version: config.version,
    nodeName,
    steps,
    warnings: warningsOf(config, features.tried),
  };
}

/** For whoever runs the command. */
export function warningsOf(config: ClusterConfig, tried: boolean): PlanWarning[] {
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
    ...(config.network === "none"
      ? [{ message: "With --network none nodes are not Ready before you bring a pod network of your own." }]
      : []),
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
