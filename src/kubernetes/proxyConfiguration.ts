import { familiesText, isDualStack } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { Patch } from "../model/options.js";
import { type Flags, versionFlags } from "./commandFlags.js";
import { proxyFieldFlags, proxyFlagsBesideConfig } from "./fieldFlags.js";
import {
  asDocument,
  type ConfigurationDocument,
  fieldOf,
  fieldValue,
  flagText,
  refuseOtherFields,
  withField,
  withFields,
  withoutField,
} from "./fieldValues.js";
import { fieldTable } from "./flagTable.js";
import { apiserverOf } from "./networks.js";
import { patchConfiguration } from "./renderManifests.js";
import type { VersionFeatures } from "./versions.js";
import { proxyModes } from "./versionTable.js";

export interface ProxyConfigurationInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly nodeName: string;
  /** Path of the kubeconfig that kube-proxy uses. */
  readonly kubeconfig: string;
  readonly extraArgs: Flags;
  readonly patches: readonly Patch[];
  /** The cluster's configuration as its ConfigMap has it; default: as a new cluster's would. */
  readonly base?: ConfigurationDocument;
}

/** `/healthz` of kube-proxy, on loopback. */
export const proxyHealthPort = 10256;

/** What all kube-proxies of a cluster share; the ConfigMap `kube-proxy` has it. */
export function clusterProxyConfiguration(config: ClusterConfig, features: VersionFeatures): ConfigurationDocument {
  const settings = {
    apiVersion: features.apis.proxyConfiguration,
    kind: "KubeProxyConfiguration",
    bindAddress: "0.0.0.0",
    clusterCIDR: familiesText(config.podCidr),
    healthzBindAddress: `127.0.0.1:${proxyHealthPort}`,
    metricsBindAddress: "127.0.0.1:10249",
    mode: config.proxyMode,
    ...(isDualStack(config) && { featureGates: { IPv6DualStack: true } }),
  };
  return withFields(settings, features.ownFields("proxy"));
}

/**
 * kube-proxy's configuration: the cluster's values, the node's own facts, extra arguments, patches. A file silences its
 * flags: extra arguments that have a field become that field. Where there is no file they stay flags.
 *
 * @throws TsdeployError of kind usage: `EXTRA_ARG_SILENCED`, `EXTRA_ARG_VALUE`, `PATCH_FAILED`
 */
export function proxyConfiguration(input: ProxyConfigurationInput): ConfigurationDocument {
  const { config, features, base = clusterProxyConfiguration(config, features) } = input;
  const wanted: ConfigurationDocument = {
    ...base,
    clientConnection: { ...asDocument(base.clientConnection), kubeconfig: input.kubeconfig },
    hostnameOverride: input.nodeName,
    // Only the first network namespace may write nf_conntrack_max: kube-proxy would end with an error elsewhere.
    ...(!input.observed.host.conntrackMaxWritable && {
      conntrack: { ...asDocument(base.conntrack), max: 0, maxPerCore: 0, min: 0 },
    }),
  };
  const document = withoutMissing(wanted, features);
  const isFile = features.proxyConfigured === "file";
  const withExtra = isFile ? withExtraFields(document, input.extraArgs, features) : document;
  return asDocument(patchConfiguration("proxy", withExtra, input.patches));
}

/**
 * kube-proxy's whole command line: its file and what that leaves in force; or, where the version has no such file, what
 * the file would have said.
 *
 * @throws TsdeployError of kind usage, `PATCH_FIELD`, for a patched field that has no flag
 */
export function proxyFlags(input: {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  /** What `proxyConfiguration` made. */
  readonly document: ConfigurationDocument;
  readonly extraArgs: Flags;
}): Flags {
  const { role, config, features, document, extraArgs } = input;
  const context = { insecureApi: config.insecureApi, values: { apiserver: apiserverOf(role, config) } };
  if (features.proxyConfigured === "file") {
    return versionFlags("proxy", { config: paths.proxyConfig }, features, loggingArgs(extraArgs), context);
  }
  return versionFlags("proxy", documentFlags(document, config, features), features, extraArgs, context);
}

/**
 * @throws TsdeployError of kind usage, `PROXY_MODE_UNSUPPORTED`, for a mode that this version's kube-proxy has not, or
 * not without a feature gate
 */
export function checkProxyMode(mode: ClusterConfig["proxyMode"], features: VersionFeatures): void {
  if (features.proxyModes.includes(mode)) return;
  const from = proxyModes.find(({ value }) => value.includes(mode))?.range.match(/>=([\d.]+)/)?.[1] ?? "";
  throw new TsdeployError("usage", {
    code: "PROXY_MODE_UNSUPPORTED",
    message: `kube-proxy of ${features.version} has no mode ${mode}: that came with v${from}`,
    hint: `Take one of ${features.proxyModes.filter((one) => one !== "userspace").join(", ")}, or another --k8s-version.`,
  });
}

function loggingArgs(extraArgs: Flags): Flags {
  return Object.fromEntries(Object.entries(extraArgs).filter(([flag]) => proxyFlagsBesideConfig.has(flag)));
}

/** An edited ConfigMap may be a newer version's. */
function withoutMissing(document: ConfigurationDocument, features: VersionFeatures): ConfigurationDocument {
  return Object.keys(fieldTable.proxy)
    .filter((path) => features.field("proxy", path)?.kind === "absent")
    .reduce<ConfigurationDocument>(withoutField, document);
}

function withExtraFields(
  document: ConfigurationDocument,
  extraArgs: Flags,
  features: VersionFeatures,
): ConfigurationDocument {
  const inFile = Object.entries(extraArgs).filter(([flag]) => !proxyFlagsBesideConfig.has(flag));
  const silenced = inFile.filter(([flag]) => fieldFor(flag, features) === undefined);
  if (silenced.length > 0) {
    throw new TsdeployError(
      "usage",
      silenced.map(([flag]) => ({
        code: "EXTRA_ARG_SILENCED",
        message:
          `extraArgs.proxy: kube-proxy's configuration file has no field for --${flag} in ${features.version}, ` +
          "and silences the flag",
        hint: "Leave it out, or set what you mean by a patch of that file, proxy.yaml, in the folder of --patches.",
      })),
    );
  }
  return inFile.reduce((result, [flag, text]) => {
    const target = fieldFor(flag, features);
    if (!target) return result;
    const value = fieldValue("proxy", flag, text, target.type);
    // Of gates the document's stay but for those that are named.
    const before = target.type === "switches" ? asDocument(fieldOf(result, target.field)) : undefined;
    return withField(result, target.field, before ? { ...before, ...asDocument(value) } : value);
  }, document);
}

function fieldFor(flag: string, features: VersionFeatures): (typeof proxyFieldFlags)[string] | undefined {
  if (!Object.hasOwn(proxyFieldFlags, flag)) return undefined;
  const target = proxyFieldFlags[flag];
  return target && features.field("proxy", target.field)?.kind !== "absent" ? target : undefined;
}

function documentFlags(document: ConfigurationDocument, config: ClusterConfig, features: VersionFeatures): Flags {
  const known = Object.values(proxyFieldFlags).map(({ field }) => field);
  refuseOtherFields("proxy", document, known, features.version);
  const said = Object.entries(proxyFieldFlags).filter(
    ([flag, { field }]) =>
      features.flag("proxy", flag, config.insecureApi)?.kind !== "absent" && fieldOf(document, field) !== undefined,
  );
  return Object.fromEntries(said.map(([flag, { field, type }]) => [flag, flagText(fieldOf(document, field), type)]));
}
