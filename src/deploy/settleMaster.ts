import { gte } from "semver";
import { addonsOf, checkAddons } from "../addons/addons.js";
import {
  type AcceptedOptions,
  acceptedOptionsFile,
  followAccepted,
  parseAcceptedOptions,
} from "../config/acceptedOptions.js";
import { namedRegistries } from "../config/imageReference.js";
import { hostBeforeFile } from "../host/hostBefore.js";
import { ownCoredns } from "../image/corednsVersion.js";
import { etcdToRun } from "../image/etcdVersion.js";
import { checkFamilies } from "../kubernetes/dualStack.js";
import { firstWithLearners } from "../kubernetes/etcdVersions.js";
import { addressAt, checkDirectRouting, checkMaskSizes } from "../kubernetes/networks.js";
import { checkProxyMode } from "../kubernetes/proxyConfiguration.js";
import {
  checkAnonymousAuth,
  checkInsecureApi,
  checkSeveralMasters,
  defaultVersion,
  featuresOf,
  resolveVersion,
  type VersionFeatures,
} from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import type { MasterOptions } from "../model/options.js";
import type { Plan } from "../model/plan.js";
import { nodeInterface } from "../network/interfaceMtu.js";
import type { IdentityNames } from "../pki/wantedCertificates.js";
import { followMove } from "../plan/movedNode.js";
import { addressesOf, nodeIdentity, type NodeIdentity } from "../plan/nodeIdentity.js";
import { type MasterPlanInput, planMaster } from "../plan/planMaster.js";
import type { Wanted } from "../preflight/check.js";
import { masterAddress } from "./membership.js";
import { readBundled } from "./readBundled.js";

/** The options of a run, filled up with what an earlier one accepted. */
export interface Followed {
  readonly options: MasterOptions;
  readonly accepted: AcceptedOptions | undefined;
  readonly version: string;
}

/** Options of this run, filled up with those of an earlier one on this host. */
export function follow(requested: MasterOptions, observed: ObservedHost): Followed {
  const file = observed.files.get(paths.options);
  const accepted = file && parseAcceptedOptions(file.content);
  const options = followAccepted(requested, accepted);
  const version = resolveVersion(options.k8sVersion ?? defaultVersion);
  return { options: followMove(options, observed, featuresOf(version)), accepted, version };
}

/** What checks have to know when an earlier run's options are known. */
export function wantedWhenFollowed({ options, accepted, version }: Followed): Wanted {
  const data = accepted && { accepted: { ...accepted, version: accepted.k8sVersion } };
  return { ...wantedOfMaster(options, version), ...data };
}

/** What a run comes to when options, accepted options and the host's facts are put together. */
export interface Settled extends Followed, NodeIdentity {
  readonly features: VersionFeatures;
  readonly config: ClusterConfig;
}

/** @throws TsdeployError of kind usage for what this version of Kubernetes does not have */
export function settle(requested: MasterOptions, observed: ObservedHost, image: string): Settled {
  const followed = follow(requested, observed);
  const { options, version } = followed;
  const features = featuresOf(version);
  // What an earlier run has found is no mistake of this one.
  checkFamilies({ ...options, ip: options.given.has("ip") ? options.ip : undefined }, features);
  checkMaskSizes(options);
  const node = nodeIdentity(options, observed.host, features, options);
  const { kubelet, proxy } = options.extraArgs;
  const config: ClusterConfig = {
    clusterName: options.clusterName,
    version,
    image,
    ...defined({ registry: options.registry }),
    apiserver: `https://${node.nodeIp}:${apiserverPort}`,
    ...defined({ controlPlaneEndpoint: endpointOf(options) }),
    podCidr: options.podCidr,
    ...defined({ nodeCidrMaskSize: options.nodeCidrMaskSize }),
    serviceCidr: options.serviceCidr,
    clusterDomain: options.clusterDomain,
    clusterDns: addressAt(options.serviceCidr[0], 10),
    network: options.network,
    networkBackend: options.networkBackend,
    ...defined({ networkMtu: options.networkMtu }),
    ...(options.networkDirectRouting && { networkDirectRouting: true }),
    insecureApi: options.insecureApi,
    proxyMode: options.proxyMode,
    addons: addonsOf(options),
    dnsFromImage: options.dns && ownCoredns(features, observed) !== undefined,
    extraArgs: { ...(kubelet && { kubelet }), ...(proxy && { proxy }) },
    ...(options.severalMasters && { severalMasters: true }),
  };
  checkDirectRouting(config);
  checkProxyMode(config.proxyMode, features);
  checkInsecureApi(config, features);
  checkAnonymousAuth(options.extraArgs, features);
  checkSeveralMasters(config, features);
  if (followed.accepted?.severalMasters === true && !options.severalMasters) throw notTakenBack();
  if (options.severalMasters) refuseOldEtcd(etcdToRun(features, observed.host));
  checkAddons(config.addons, features);
  return { ...followed, features, ...node, config };
}

/** With its port. */
function endpointOf({ controlPlaneEndpoint }: MasterOptions): string | undefined {
  if (controlPlaneEndpoint === undefined) return undefined;
  const { host, port } = masterAddress(controlPlaneEndpoint);
  return `${host}:${port}`;
}

function notTakenBack(): TsdeployError {
  return new TsdeployError("conflict", {
    code: "SEVERAL_MASTERS_KEPT",
    message: "this cluster was made to have several masters, and nodes reach it as such",
    hint: "Leave severalMasters as it was (true): a single master runs with it as well.",
  });
}

/** @param version such as `3.4.23`; undefined: not known */
function refuseOldEtcd(version: string | undefined): void {
  if (version === undefined || gte(version, firstWithLearners)) return;
  throw new TsdeployError("usage", {
    code: "SEVERAL_MASTERS_UNSUPPORTED",
    message: `--several-masters needs etcd ${firstWithLearners} or later, and this cluster's would be ${version}: its new members could not learn before they vote`,
    hint: "Name an image with a later etcd by --image; `tsdeploy image build` makes one.",
  });
}

/** The names that the cluster's certificates are to have. */
export function identityNames({ nodeName, nodeIp, nodeIpv6, config, options, features }: Settled): IdentityNames {
  const tokenFile = features.nodeCredentials === "token-file";
  return {
    nodeName,
    nodeIp,
    ...defined({ nodeIpv6 }),
    serviceIp: addressAt(config.serviceCidr[0], 1),
    clusterDomain: config.clusterDomain,
    extraSans: options.apiserverSans,
    ...defined({ controlPlaneEndpoint: config.controlPlaneEndpoint }),
    tokenFile,
    basicAuth: tokenFile && config.insecureApi,
    serviceAccountKey: features.serviceAccountKey,
  };
}

/** The same before the host has been looked at: what it alone can say is a guess. */
export function guessedNames(options: MasterOptions, { info }: EngineFacts, version: string): IdentityNames {
  const { nodeCredentials, serviceAccountKey } = featuresOf(version);
  return {
    nodeName: options.nodeName ?? info.hostname.toLowerCase(),
    nodeIp: options.ip?.[0] ?? "127.0.0.1",
    serviceIp: addressAt(options.serviceCidr[0], 1),
    clusterDomain: options.clusterDomain,
    extraSans: options.apiserverSans,
    ...defined({ controlPlaneEndpoint: endpointOf(options) }),
    tokenFile: nodeCredentials === "token-file",
    basicAuth: false,
    serviceAccountKey,
  };
}

/** What a plan takes from the cluster's identity, and from a cluster that runs already. */
export type ClusterParts = Pick<
  MasterPlanInput,
  "joins" | "pkiFiles" | "base" | "bootstrapObjects" | "isUp" | "hasOtherNodes" | "podsOfNodes" | "pullSecret" | "addonRevision"
>;

/** The plan of what has been settled. */
export async function planMasterHost(
  settled: Settled,
  observed: ObservedHost,
  cluster: ClusterParts,
): Promise<Plan> {
  const { options, version, nodeName, config, features } = settled;
  const etcdVersion = etcdToRun(features, observed.host);
  const hostBefore = hostBeforeFile(observed.host, observed.files);
  return planMaster({
    options: { ...options, k8sVersion: version },
    config,
    observed,
    bundled: await readBundled(),
    ...cluster,
    otherFiles: [
      ...(hostBefore ? [hostBefore] : []),
      acceptedOptionsFile({
        ...options,
        k8sVersion: version,
        ip: addressesOf(settled),
        nodeName,
        ...defined({ etcdVersion, ipInterface: nodeInterface(observed.host, settled) }),
      }),
    ],
  });
}

/** What checks have to know of a run; the rest of its options is theirs alone. */
export function wantedOfMaster(options: MasterOptions, version: string): Wanted {
  return {
    role: "master",
    clusterName: options.clusterName,
    version,
    ...defined({ nodeName: options.nodeName, ip: options.ip }),
    podCidr: options.podCidr,
    ...defined({ nodeCidrMaskSize: options.nodeCidrMaskSize }),
    serviceCidr: options.serviceCidr,
    clusterDomain: options.clusterDomain,
    network: options.network,
    networkBackend: options.networkBackend,
    ...defined({ networkInterface: options.networkInterface }),
    insecureApi: options.insecureApi,
    proxyMode: options.proxyMode,
    pullsFrom: namedRegistries(options),
    allowSwap: options.extraArgs.kubelet?.["fail-swap-on"] === "false",
  };
}
