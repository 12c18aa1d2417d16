import type { Patch } from "../config/options.js";
import { TsdeployError } from "../errors.js";
import type { ObservedHost } from "../facts/hostFacts.js";
import type { ClusterConfig } from "./clusterConfig.js";
import type { Flags } from "./commandFlags.js";
import { patchConfiguration } from "./renderManifests.js";
import { type ProxyField, proxyFields, proxyFlagsBesideConfig } from "./versionTable.js";
import type { VersionFeatures } from "./versions.js";

export interface ProxyConfigurationInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly nodeName: string;
  /** Path of the kubeconfig that kube-proxy uses. */
  readonly kubeconfig: string;
  readonly extraArgs: Flags;
  readonly patches: readonly Patch[];
}

/**
 * kube-proxy's configuration file as an object. Its file silences its flags: extra arguments that have a field become
 * that field.
 *
 * @throws TsdeployError of kind usage: `EXTRA_ARG_SILENCED`, `EXTRA_ARG_VALUE`
 */
export function proxyConfiguration(input: ProxyConfigurationInput): unknown {
  const { config, features, observed } = input;
  const document: Record<string, unknown> = {
    apiVersion: features.apis.proxyConfiguration,
    kind: "KubeProxyConfiguration",
    bindAddress: "0.0.0.0",
    clientConnection: { kubeconfig: input.kubeconfig },
    clusterCIDR: config.podCidr,
    hostnameOverride: input.nodeName,
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    mode: "iptables",
    // Only the first network namespace may write nf_conntrack_max: kube-proxy would end with an error elsewhere.
    ...(!observed.host.conntrackMaxWritable && { conntrack: { maxPerCore: 0, min: 0 } }),
  };
  const withExtra = extraFields(input.extraArgs).reduce(
    (object, [path, value]) => setField(object, path.split("."), value),
    document,
  );
  return patchConfiguration("proxy", withExtra, input.patches);
}

/** Those of kube-proxy's extra arguments that stay on its command line: logging. */
export function proxyCommandArgs(extraArgs: Flags): Flags {
  return Object.fromEntries(Object.entries(extraArgs).filter(([flag]) => proxyFlagsBesideConfig.has(flag)));
}

function extraFields(extraArgs: Flags): [string, unknown][] {
  const inFile = Object.entries(extraArgs).filter(([flag]) => !proxyFlagsBesideConfig.has(flag));
  const silenced = inFile.filter(([flag]) => !Object.hasOwn(proxyFields, flag));
  if (silenced.length > 0) {
    throw new TsdeployError(
      "usage",
      silenced.map(([flag]) => ({
        code: "EXTRA_ARG_SILENCED",
        message: `extraArgs.proxy: kube-proxy's configuration file has no field for --${flag}, and silences the flag`,
      })),
    );
  }
  return inFile.map(([flag, text]) => {
    const target = proxyFields[flag];
    if (!target) throw new Error(`no field for ${flag}`);
    return [target.field, fieldValue(flag, text, target.type)];
  });
}

function fieldValue(flag: string, text: string, type: ProxyField["type"]): unknown {
  const refuse = (wanted: string): never => {
    throw new TsdeployError("usage", {
      code: "EXTRA_ARG_VALUE",
      message: `extraArgs.proxy: --${flag} wants ${wanted}, not ${JSON.stringify(text)}`,
    });
  };
  switch (type) {
    case "text":
      return text;
    case "list":
      return text.split(",").filter(Boolean);
    case "number":
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : refuse("a number");
    case "boolean":
      return text === "true" || text === "false" ? text === "true" : refuse("true or false");
    case "map":
      return Object.fromEntries(
        text.split(",").map((pair) => {
          const [key, value] = pair.split("=");
          if (!key || (value !== "true" && value !== "false")) return refuse("Name=true,Other=false");
          return [key, value === "true"];
        }),
      );
  }
}

function setField(object: unknown, path: readonly string[], value: unknown): Record<string, unknown> {
  const [head, ...rest] = path;
  const base = typeof object === "object" && object !== null ? (object as Record<string, unknown>) : {};
  if (head === undefined) return base;
  return { ...base, [head]: rest.length === 0 ? value : setField(base[head], rest, value) };
}
