import type { MasterOptions } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import type { ClusterConfig } from "../kubernetes/clusterConfig.js";
import { kubeletHealthPort } from "../kubernetes/kubeletConfiguration.js";
import type { KubernetesObject } from "../kubernetes/kubernetesObject.js";
import { firstNodeCidr } from "../kubernetes/networks.js";
import { proxyCommandArgs } from "../kubernetes/proxyConfiguration.js";
import { isEdited, manifestText, renderManifests } from "../kubernetes/renderManifests.js";
import { featuresOf } from "../kubernetes/versions.js";
import { etcdContainer } from "./etcdContainer.js";
import { sideImages } from "./images.js";
import { etcdPort, paths } from "./names.js";
import { nodeIdentity } from "./nodeIdentity.js";
import { type BundledFiles, nodePlan } from "./nodePlan.js";
import type { HostFile, Plan, Step } from "./plan.js";
import { specDigest } from "./specDigest.js";

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
  const node = nodeIdentity(options, observed.host);
  const common = nodePlan({
    role: "master",
    options,
    config,
    features,
    observed,
    bundled,
    node,
    proxyKubeconfig: paths.proxyConf,
  });
  const { extraArgs } = common;

  // A renewed certificate is read only by a program that starts anew; certificates are public, their digest is, too.
  const certificates = specDigest(
    pkiFiles.filter(({ path }) => path.endsWith(".crt")).map(({ path, content }) => [path, content]),
  );
  const manifests = renderManifests({
    manifests: bundled.manifests,
    config,
    features,
    ...node,
    apiserverSans: options.apiserverSans,
    iptablesBackend: observed.host.iptablesBackend,
    extraArgs: { ...extraArgs, proxy: proxyCommandArgs(extraArgs.proxy ?? {}) },
    patches: options.patches,
    inputs: {
      "k8s-master": certificates,
      "k8s-node-ipam": certificates,
      "k8s-proxy": specDigest([certificates, common.proxyConfiguration]),
      "kube-addon-manager": certificates,
    },
  });
  const etcd = etcdContainer({
    config,
    features,
    options,
    image: sideImages(config, features, observed).etcd,
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
  const files: HostFile[] = [
    ...(input.otherFiles ?? []),
    ...pkiFiles,
    ...common.files,
    ...addonFiles(bundled),
    ...pods.filter((pod) => !latePods.includes(pod)),
  ];

  // An earlier run with other options rendered them, and nobody has made them his own.
  const stalePods = Object.keys(bundled.manifests)
    .map((file) => `${paths.manifests}/${file}`)
    .filter((path) => {
      const existing = observed.files.get(path);
      return existing && !pods.some((pod) => pod.path === path) && !isEdited(existing.content);
    });

  const { nodeName } = node;
  const steps: Step[] = [
    { id: "files", phase: "files", needs: [], action: { kind: "write-files", files } },
    { id: "etcd-data", phase: "files", needs: [], action: { kind: "make-folder", path: paths.etcd, mode: 0o700 } },
    {
      id: "etcd",
      phase: "control plane",
      needs: ["files", "etcd-data"],
      action: { kind: "run-container", container: etcd, healthPort: etcdPort },
    },
    {
      id: "kubelet",
      phase: "control plane",
      needs: ["files"],
      action: { kind: "run-container", container: common.kubelet, healthPort: kubeletHealthPort },
    },
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
    ...(stalePods.length === 0
      ? []
      : [
          {
            id: "stale-pods",
            phase: "files",
            needs: ["files"],
            action: { kind: "remove-files", paths: stalePods },
          } satisfies Step,
        ]),
    // The kubelet registers its node as soon as the API server serves; that one says that it is well a second later.
    {
      id: "node-registered",
      phase: "node",
      needs: ["api-serves"],
      action: { kind: "wait", probe: { kind: "node-registered", node: nodeName } },
    },
    // A cluster with data has its pod CIDRs, and perhaps given the first one to another node.
    ...(observed.host.etcdData
      ? []
      : [
          {
            id: "pod-cidr",
            phase: "node",
            needs: ["node-registered"],
            action: { kind: "set-pod-cidr", node: nodeName, podCidr: firstNodeCidr(config.podCidr) },
          } satisfies Step,
        ]),
    {
      id: "node-labels",
      phase: "node",
      needs: ["node-registered"],
      action: { kind: "label-node", node: nodeName, labels: masterLabels },
    },
    // Without a pod network a node is not Ready before the person has brought one.
    ...(config.network === "none"
      ? []
      : [
          {
            id: "node-ready",
            phase: "node",
            needs: ["node-registered", ...(observed.host.etcdData ? [] : ["pod-cidr"])],
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

/** One sentence each, for whoever runs the command. */
export function warningsOf(config: ClusterConfig, tried: boolean): string[] {
  return [
    ...(tried ? [] : [`Kubernetes ${config.version} was not tried with tsdeploy: its neighbours were.`]),
    ...(config.network === "none"
      ? ["With --network none nodes are not Ready before you bring a pod network of your own."]
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
