import { readBundled } from "../../src/deploy/readBundled.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import type { MasterOptions, WorkerOptions } from "../../src/model/options.js";
import type { MasterPlanInput } from "../../src/plan/planMaster.js";
import type { WorkerPlanInput } from "../../src/plan/planWorker.js";
import { engineFacts, hostFacts, image } from "../host/fixtures.js";

export const secretText = "TOP-SECRET";

export const observed: ObservedHost = {
  engine: { ...engineFacts, info: { ...engineFacts.info, cgroupDriver: "cgroupfs", cgroupVersion: "1" } },
  host: { ...hostFacts, cgroupVersion: "1" },
  image: { ...image, labels: { "io.tsdeploy.image.pause": "/pause", "io.tsdeploy.image.cni": "/usr/lib/cni" } },
  files: new Map(),
};

const common = {
  output: "text",
  yes: false,
  verbose: false,
  nodeLabels: {},
  nodeTaints: [],
  extraArgs: {},
  patches: [],
  registryMirrors: {},
  restartPolicy: "unless-stopped",
  timeoutMs: 120_000,
  pullTimeoutMs: 600_000,
  dryRun: false,
  wait: false,
  overwrite: false,
  keepOnFailure: false,
  given: new Set<string>(),
} as const;

export const masterOptions: MasterOptions = {
  ...common,
  clusterName: "kubernetes",
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/12",
  clusterDomain: "cluster.local",
  apiserverSans: [],
  network: "bridge",
  insecureApi: false,
  proxyMode: "iptables",
  tokenTtlMs: 3_600_000,
};

export const workerOptions: WorkerOptions = { ...common, master: "10.0.0.5" };

export const config: ClusterConfig = {
  clusterName: "kubernetes",
  version: "v1.20.2",
  image: "tsdeploy/hyperkube:v1.20.2",
  apiserver: "https://10.0.0.5:6443",
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/12",
  clusterDomain: "cluster.local",
  clusterDns: "10.96.0.10",
  network: "bridge",
  insecureApi: false,
  proxyMode: "iptables",
  extraArgs: {},
};

function file(path: string, secret: boolean): HostFile {
  return { path, mode: secret ? 0o600 : 0o644, content: secret ? secretText : `public ${path}`, secret };
}

const pairs = [
  "ca",
  "front-proxy-ca",
  "etcd/ca",
  "apiserver",
  "apiserver-kubelet-client",
  "apiserver-etcd-client",
  "front-proxy-client",
  "etcd/server",
];

export const pkiFiles: readonly HostFile[] = [
  ...pairs.flatMap((name) => [file(`${paths.pki}/${name}.crt`, false), file(`${paths.pki}/${name}.key`, true)]),
  file(`${paths.pki}/sa.pub`, false),
  file(`${paths.pki}/sa.key`, true),
  ...[
    paths.adminConf,
    paths.kubeletConf,
    paths.proxyConf,
    paths.controllerManagerConf,
    paths.schedulerConf,
    paths.addonManagerConf,
  ].map((path) => file(path, true)),
];

export const masterInput: MasterPlanInput = {
  options: masterOptions,
  config,
  observed,
  bundled: await readBundled(),
  pkiFiles,
  bootstrapObjects: [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
      stringData: { "token-secret": secretText },
    },
  ],
};

export const workerInput: WorkerPlanInput = {
  options: workerOptions,
  config,
  observed: { ...observed, host: { ...observed.host, hostname: "machine-2", defaultAddress: "10.0.0.6" } },
  bundled: masterInput.bundled,
  credentials: [file(`${paths.pki}/ca.crt`, false), file(paths.bootstrapKubeletConf, true)],
};

/** A version of every minor; of those that other tests know, these. */
export const everyMinor: readonly string[] = [
  ...["v1.3.6", "v1.4.12", "v1.5.8", "v1.6.13", "v1.7.16", "v1.8.15", "v1.9.11", "v1.10.13", "v1.11.10", "v1.12.10"],
  ...["v1.13.12", "v1.14.10", "v1.15.12", "v1.16.15", "v1.17.17", "v1.18.20", "v1.19.16", "v1.20.2", "v1.21.14"],
  ...["v1.22.17", "v1.23.17", "v1.24.17", "v1.25.16", "v1.26.15", "v1.27.16", "v1.28.15", "v1.29.14", "v1.30.14"],
  ...["v1.31.14", "v1.32.13", "v1.33.13", "v1.34.8", "v1.35.5", "v1.36.2"],
];

interface Of {
  readonly version: string;
  readonly config?: Partial<ClusterConfig>;
  readonly observed?: ObservedHost;
}

/** What a master of that version is made of. */
export function masterInputOf({ version, config: more = {}, observed: host = observed }: Of): MasterPlanInput {
  const features = featuresOf(version);
  const clusterConfig = { ...config, version, image: `tsdeploy/hyperkube:${version}`, ...more };
  const { network, insecureApi, podCidr, proxyMode } = clusterConfig;
  const ofTokens = [file(`${paths.pki}/known_tokens.csv`, true), file(`${paths.pki}/abac-policy.jsonl`, true)];
  return {
    ...masterInput,
    options: { ...masterOptions, network, insecureApi, podCidr, proxyMode },
    config: clusterConfig,
    observed: host,
    pkiFiles: [
      ...pkiFiles,
      ...(features.nodeCredentials === "token-file" ? ofTokens : []),
      ...(features.nodeCredentials === "token-file" && insecureApi ? [file(`${paths.pki}/basic_auth.csv`, true)] : []),
    ],
  };
}

/** And a worker, which has not joined before. */
export function workerInputOf({ version, config: more = {}, observed: host }: Of): WorkerPlanInput {
  const bootstraps = featuresOf(version).nodeCredentials === "bootstrap-token";
  return {
    ...workerInput,
    config: { ...config, version, image: `tsdeploy/hyperkube:${version}`, ...more },
    observed: host ?? workerInput.observed,
    credentials: [
      file(`${paths.pki}/ca.crt`, false),
      file(bootstraps ? paths.bootstrapKubeletConf : paths.kubeletConf, true),
    ],
  };
}
