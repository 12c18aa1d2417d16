import { readBundled } from "../../src/deploy/readBundled.js";
import { toArguments } from "../../src/kubernetes/commandFlags.js";
import type { ConfigurationDocument } from "../../src/kubernetes/fieldValues.js";
import { kubeletConfiguration } from "../../src/kubernetes/kubeletConfiguration.js";
import { kubeletFlags } from "../../src/kubernetes/kubeletFlags.js";
import { proxyConfiguration, proxyFlags } from "../../src/kubernetes/proxyConfiguration.js";
import { type Pod, renderManifests } from "../../src/kubernetes/renderManifests.js";
import type { VersionFeatures } from "../../src/kubernetes/versions.js";
import type { Program } from "../../src/kubernetes/versionTable.js";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import { paths } from "../../src/model/hostLayout.js";
import { serverNames } from "../../src/pki/wantedCertificates.js";
import { kubeletContainer } from "../../src/plan/kubeletContainer.js";
import { observed } from "../plan/fixtures.js";
import { clusterConfig } from "./clusterConfig.js";
import { programOf } from "./flagLists.js";

/** What rendering depends on besides the version. */
export interface Scenario {
  readonly role: "master" | "worker";
  readonly network: "bridge" | "none";
  readonly proxyMode: "iptables" | "ipvs" | "nftables";
  readonly insecureApi: boolean;
  readonly cgroupVersion: "1" | "2";
  readonly cgroupDriver: "cgroupfs" | "systemd";
  readonly hasTaints: boolean;
  readonly conntrackMaxWritable: boolean;
  readonly isDualStack: boolean;
}

export interface Rendering {
  readonly commands: readonly { readonly program: Program; readonly argv: readonly string[] }[];
  readonly documents: readonly { readonly document: "kubelet" | "proxy"; readonly content: unknown }[];
}

const { manifests } = await readBundled();

/** All combinations that a version can have. */
export function scenariosOf(features: VersionFeatures): Scenario[] {
  const modes = (["iptables", "ipvs", "nftables"] as const).filter((mode) => features.proxyModes.includes(mode));
  return product<Scenario>({
    role: ["master", "worker"],
    network: ["bridge", "none"],
    proxyMode: modes,
    insecureApi: features.insecureApi ? [false, true] : [false],
    cgroupVersion: features.supportsCgroupV2 ? ["1", "2"] : ["1"],
    cgroupDriver: ["cgroupfs", "systemd"],
    hasTaints: [true, false],
    conntrackMaxWritable: [false, true],
    isDualStack: features.dualStack ? [false, true] : [false],
  });
}

/** Enough of them to say every flag. */
export function fewScenariosOf(features: VersionFeatures): Scenario[] {
  return scenariosOf(features).filter(
    ({ network, proxyMode, cgroupVersion, cgroupDriver, hasTaints, conntrackMaxWritable }) =>
      network === "bridge" &&
      proxyMode === "iptables" &&
      cgroupVersion === "1" &&
      cgroupDriver === "cgroupfs" &&
      hasTaints &&
      !conntrackMaxWritable,
  );
}

/** Command lines and configuration files of a node, or of one of its programs alone. */
export function render(features: VersionFeatures, scenario: Scenario, only?: Program): Rendering {
  const { role } = scenario;
  const wants = (...programs: Program[]): boolean => only === undefined || programs.includes(only);
  const kubelet = wants("kubelet") ? renderKubelet(features, scenario) : undefined;
  const proxy = wants("proxy") ? renderProxy(features, scenario) : undefined;
  const pods =
    role === "master" && wants("apiserver", "controller-manager", "scheduler")
      ? renderPods(features, scenario).flatMap(({ spec }) => spec.containers)
      : [];
  return {
    commands: [
      ...(kubelet ? [{ program: "kubelet" as const, argv: kubelet.argv }] : []),
      ...(proxy ? [{ program: "proxy" as const, argv: proxy.argv }] : []),
      ...pods.flatMap(({ command }) => programOf(command ?? []) ?? []).filter(({ program }) => program !== "proxy"),
    ],
    documents: [
      ...(kubelet && features.kubeletConfigured === "file"
        ? [{ document: "kubelet" as const, content: kubelet.document }]
        : []),
      ...(proxy && features.proxyConfigured === "file" ? [{ document: "proxy" as const, content: proxy.document }] : []),
    ],
  };
}

/** The master's static pods. */
export function renderPods(
  features: VersionFeatures,
  scenario: Scenario,
  programs: Partial<Record<Program, readonly string[]>> = {},
): Pod[] {
  const proxy = renderProxy(features, scenario);
  return renderManifests({
    manifests,
    config: configOf(features, scenario),
    features,
    nodeName: "node-1",
    nodeIp: "10.0.0.5",
    certificateNames: serverNames({
      nodeName: "node-1",
      nodeIp: "10.0.0.5",
      serviceIp: "10.96.0.1",
      clusterDomain: "cluster.local",
      extraSans: [],
    }),
    iptablesBackend: "nft",
    selinux: false,
    programs: { ...programsOf(features), ...programs },
    extraArgs: { proxy: proxy.flags },
    patches: [],
    startupSeconds: 240,
    inputs: {},
  }).map(({ pod }) => pod);
}

export function renderKubelet(
  features: VersionFeatures,
  scenario: Scenario,
): { argv: string[]; document: ConfigurationDocument } {
  const input = {
    role: scenario.role,
    config: configOf(features, scenario),
    features,
    observed: hostOf(scenario),
    options: {
      nodeLabels: { rack: "1" },
      nodeTaints: scenario.hasTaints ? [{ key: "only", value: "me", effect: "NoSchedule" as const }] : [],
    },
    nodeName: "node-1",
    nodeIp: "10.0.0.5",
    pauseImage: "pause:1",
    patches: [],
    extraArgs: {},
  };
  const document = kubeletConfiguration(input);
  const flags = kubeletFlags({ ...input, document });
  const options = { restartPolicy: "unless-stopped" as const };
  // What its Docker is like may add flags.
  const { command } = kubeletContainer({ ...input, options, flags, configuration: undefined });
  return { argv: [...(programOf(command)?.argv ?? [])], document };
}

export function renderProxy(
  features: VersionFeatures,
  scenario: Scenario,
): { argv: string[]; flags: Readonly<Record<string, string>>; document: ConfigurationDocument } {
  const config = configOf(features, scenario);
  const kubeconfig = scenario.role === "master" ? paths.proxyConf : paths.kubeletConf;
  const common = { config, features, extraArgs: {} };
  const document = proxyConfiguration({
    ...common,
    observed: hostOf(scenario),
    nodeName: "node-1",
    kubeconfig,
    patches: [],
  });
  const flags = proxyFlags({ ...common, role: scenario.role, document });
  return { argv: toArguments(flags), flags, document };
}

/** How a hyperkube of that version is called. */
export function programsOf(features: VersionFeatures): Record<Program, readonly string[]> {
  const front = (program: Program): readonly string[] => ["/hyperkube", features.programs[program]];
  return {
    apiserver: front("apiserver"),
    "controller-manager": front("controller-manager"),
    scheduler: front("scheduler"),
    kubelet: front("kubelet"),
    proxy: front("proxy"),
  };
}

function configOf({ version }: VersionFeatures, scenario: Scenario): ClusterConfig {
  const { network, proxyMode, insecureApi, isDualStack } = scenario;
  const config = { ...clusterConfig, version, network, proxyMode, insecureApi, extraArgs: {} };
  if (!isDualStack) return config;
  return {
    ...config,
    podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
    serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
  };
}

function hostOf({ cgroupVersion, cgroupDriver, conntrackMaxWritable }: Scenario): ObservedHost {
  return {
    ...observed,
    engine: {
      ...observed.engine,
      // A Docker of today.
      version: { ...observed.engine.version, apiVersion: "1.51", minApiVersion: "1.24" },
      info: { ...observed.engine.info, cgroupDriver, cgroupVersion },
    },
    host: { ...observed.host, cgroupVersion, conntrackMaxWritable },
  };
}

function product<Case extends object>(choices: { readonly [Key in keyof Case]: readonly Case[Key][] }): Case[] {
  return Object.entries(choices).reduce<object[]>(
    (cases, [key, values]) => cases.flatMap((one) => (values as unknown[]).map((value) => ({ ...one, [key]: value }))),
    [{}],
  ) as Case[];
}
