import { stringify } from "yaml";
import type { ExtraArgs, NodeOptions, PatchableComponent } from "../config/options.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import type { ClusterConfig } from "../kubernetes/clusterConfig.js";
import { kubeletConfiguration } from "../kubernetes/kubeletConfiguration.js";
import { kubeletFlags } from "../kubernetes/kubeletFlags.js";
import { bridgeNetworkFile } from "../kubernetes/podNetwork.js";
import { proxyConfiguration } from "../kubernetes/proxyConfiguration.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ContainerSpec } from "./containerSpec.js";
import { sideImages } from "./images.js";
import { kubeletContainer } from "./kubeletContainer.js";
import { paths } from "./names.js";
import type { NodeIdentity } from "./nodeIdentity.js";
import type { HostFile } from "./plan.js";

/** What ships with tsdeploy and is laid on hosts: name -> text. */
export interface BundledFiles {
  readonly manifests: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly addons: Readonly<Record<string, string>>;
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
}

/** What every node has, master or worker. */
export interface NodePlan {
  readonly files: readonly HostFile[];
  readonly kubelet: ContainerSpec;
  readonly proxyConfiguration: string;
  readonly extraArgs: ExtraArgs;
}

/** @throws TsdeployError of kind usage for patches and extra arguments that cannot be applied */
export function nodePlan(input: NodePlanInput): NodePlan {
  const { role, options, config, features, observed, node } = input;
  const extraArgs = mergedExtraArgs(config, options);
  const common = { config, features, observed, patches: options.patches };
  const configuration = yamlOf(kubeletConfiguration({ ...common, role }));
  const proxy = yamlOf(
    proxyConfiguration({
      ...common,
      nodeName: node.nodeName,
      kubeconfig: input.proxyKubeconfig,
      extraArgs: extraArgs.proxy ?? {},
    }),
  );
  const flags = kubeletFlags({
    role,
    features,
    observed,
    options,
    ...node,
    pauseImage: sideImages(config, features, observed).pause,
    extraArgs,
  });
  return {
    files: [
      { path: paths.kubeletConfig, mode: 0o644, content: configuration, secret: false },
      { path: paths.proxyConfig, mode: 0o644, content: proxy, secret: false },
      ...(config.network === "bridge" ? [bridgeNetworkFile()] : []),
      ...scriptFiles(input.bundled, role),
    ],
    kubelet: kubeletContainer({ role, config, features, observed, options, flags, configuration }),
    proxyConfiguration: proxy,
    extraArgs,
  };
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

function scriptFiles(bundled: BundledFiles, role: "master" | "worker"): HostFile[] {
  return Object.entries(bundled.scripts)
    .filter(([name]) => role === "master" || name === "start.sh")
    .map(([name, content]) => ({ path: `${paths.scripts}/${name}`, mode: 0o755, content, secret: false }));
}
