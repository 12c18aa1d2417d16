import { readBundled } from "../../src/deploy/readBundled.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import type { MasterOptions, WorkerOptions } from "../../src/model/options.js";
import { makeJoinToken } from "../../src/pki/joinToken.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { nodeKubeconfig } from "../../src/pki/nodeKubeconfig.js";
import { tokenFilePaths } from "../../src/pki/tokenFiles.js";
import type { MasterPlanInput } from "../../src/plan/planMaster.js";
import type { WorkerPlanInput } from "../../src/plan/planWorker.js";
import { engineFacts, hostFacts, image } from "../host/fixtures.js";
import { identityRequest } from "../pki/identityRequest.js";

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
  restartPolicy: "always",
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
  podCidr: ["10.244.0.0/16"],
  serviceCidr: ["10.96.0.0/12"],
  clusterDomain: "cluster.local",
  apiserverSans: [],
  severalMasters: false,
  network: "bridge",
  networkBackend: "vxlan",
  networkDirectRouting: false,
  insecureApi: false,
  proxyMode: "iptables",
  dns: true,
  addons: [],
  tokenTtlMs: 3_600_000,
};

export const workerOptions: WorkerOptions = { ...common, master: "10.0.0.5" };

export const config: ClusterConfig = {
  clusterName: "kubernetes",
  version: "v1.20.2",
  image: "tsdeploy/hyperkube:v1.20.2",
  apiserver: "https://10.0.0.5:6443",
  podCidr: ["10.244.0.0/16"],
  serviceCidr: ["10.96.0.0/12"],
  clusterDomain: "cluster.local",
  clusterDns: "10.96.0.10",
  network: "bridge",
  networkBackend: "vxlan",
  insecureApi: false,
  proxyMode: "iptables",
  addons: ["coredns"],
  extraArgs: {},
};

/** As the product makes it, but with a content that is the same in each run. */
function standIn({ path, mode, secret }: HostFile): HostFile {
  return { path, mode, content: secret ? secretText : `public ${path}`, secret };
}

const { identity, files: identityFiles } = await makeIdentity({ ...identityRequest, tokenFile: true, basicAuth: true });
const ofTokens: readonly string[] = [tokenFilePaths.knownTokens, tokenFilePaths.abacPolicy];

/** The master's identity, with the token files and passwords that its version and options have. */
function pkiFilesWith(paths: readonly string[]): HostFile[] {
  const optional: readonly string[] = Object.values(tokenFilePaths).filter((path) => !paths.includes(path));
  return identityFiles.filter(({ path }) => !optional.includes(path)).map(standIn);
}

export const pkiFiles: readonly HostFile[] = pkiFilesWith([]);

/** What a worker of that version gets by its token. */
function credentialsFor(of: ClusterConfig): HostFile[] {
  const caPem = identity.ca.certificate;
  const ca = pkiFiles.filter(({ path }) => path === `${paths.pki}/ca.crt`);
  return [...ca, standIn(nodeKubeconfig(of, caPem, makeJoinToken(caPem)))];
}

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
  credentials: credentialsFor(config),
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
  const usesTokenFile = features.nodeCredentials === "token-file";
  return {
    ...masterInput,
    options: { ...masterOptions, network, insecureApi, podCidr, proxyMode },
    config: clusterConfig,
    observed: host,
    pkiFiles: pkiFilesWith([
      ...(usesTokenFile ? ofTokens : []),
      ...(usesTokenFile && insecureApi ? [tokenFilePaths.basicAuth] : []),
    ]),
  };
}

/** And a worker, which has not joined before. */
export function workerInputOf({ version, config: more = {}, observed: host }: Of): WorkerPlanInput {
  const clusterConfig = { ...config, version, image: `tsdeploy/hyperkube:${version}`, ...more };
  return {
    ...workerInput,
    config: clusterConfig,
    observed: host ?? workerInput.observed,
    credentials: credentialsFor(clusterConfig),
  };
}
