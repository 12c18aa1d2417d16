import { readBundled } from "../../src/apply/readBundled.js";
import type { MasterOptions, WorkerOptions } from "../../src/config/options.js";
import type { ObservedHost } from "../../src/facts/hostFacts.js";
import type { ClusterConfig } from "../../src/kubernetes/clusterConfig.js";
import { paths } from "../../src/plan/names.js";
import type { HostFile } from "../../src/plan/plan.js";
import type { MasterPlanInput } from "../../src/plan/planMaster.js";
import type { WorkerPlanInput } from "../../src/plan/planWorker.js";
import { engineFacts, hostFacts, image } from "../facts/fixtures.js";

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
  restartPolicy: "unless-stopped",
  timeoutMs: 120_000,
  pullTimeoutMs: 600_000,
  dryRun: false,
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
