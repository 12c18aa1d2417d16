import { parse, stringify } from "yaml";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import { labels } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import { specDigest } from "../model/specDigest.js";
import * as z from "../model/zod.js";
import type { ConfigurationDocument } from "./fieldValues.js";
import { clusterKubeletConfiguration } from "./kubeletConfiguration.js";
import { clusterProxyConfiguration } from "./proxyConfiguration.js";
import type { VersionFeatures } from "./versions.js";

/** By kubeadm's names. */
const maps = {
  kubelet: { name: "kubelet-config", key: "kubelet" },
  proxy: { name: "kube-proxy", key: "config.conf" },
} as const;

/** Names of the ConfigMaps in kube-system. */
export const configurationMapNames: readonly string[] = Object.values(maps).map(({ name }) => name);

/** Where the API has the cluster's configuration of all kubelets or all kube-proxies. */
export function configurationMapPath(component: "kubelet" | "proxy"): string {
  return `/api/v1/namespaces/kube-system/configmaps/${maps[component].name}`;
}

/**
 * What the kubelets and kube-proxies of a cluster have in common; none for versions that are configured by flags. An
 * annotation shows whether a person has changed one since.
 */
export function configurationMaps(config: ClusterConfig, features: VersionFeatures): KubernetesObject[] {
  return [
    ...(features.kubeletConfigured === "file"
      ? [configurationMap(maps.kubelet, clusterKubeletConfiguration(config, features))]
      : []),
    ...(features.proxyConfigured === "file"
      ? [configurationMap(maps.proxy, clusterProxyConfiguration(config, features))]
      : []),
  ];
}

/**
 * Reads one of those ConfigMaps.
 *
 * @returns its document, and whether somebody has changed it since we wrote it
 * @throws TsdeployError `conflict`, `CONFIGURATION_BROKEN`, if there is no such document in it
 */
export function readConfigurationMap(object: unknown): { document: Record<string, unknown>; edited: boolean } {
  const { metadata, data } = mapSchema.parse(object);
  const key = Object.values(maps).find(({ name }) => name === metadata.name)?.key ?? "";
  const document = z.record(z.string(), z.unknown()).safeParse(parseYaml(data[key] ?? ""));
  if (!document.success) {
    throw new TsdeployError("conflict", {
      code: "CONFIGURATION_BROKEN",
      message: `ConfigMap kube-system/${metadata.name} has no configuration under ${JSON.stringify(key)}`,
      hint: `Mend it, or delete it and run \`tsdeploy master\` again: kubectl -n kube-system delete configmap ${metadata.name}.`,
    });
  }
  return { document: document.data, edited: metadata.annotations?.[labels.spec] !== specDigest(data) };
}

/**
 * Whether somebody has changed a ConfigMap of ours since we wrote it.
 *
 * @throws TsdeployError `CONFIGURATION_BROKEN` as `readConfigurationMap` does
 */
export function isEditedMap(object: unknown): boolean {
  const { metadata, data } = mapSchema.parse(object);
  if (configurationMapNames.includes(metadata.name)) return readConfigurationMap(object).edited;
  return metadata.annotations?.[labels.spec] !== specDigest(data);
}

const texts = z.record(z.string(), z.string());
const mapSchema = z.object({
  metadata: z.object({ name: z.string(), annotations: texts.optional() }),
  data: texts.default({}),
});

function configurationMap(
  { name, key }: (typeof maps)[keyof typeof maps],
  document: ConfigurationDocument,
): KubernetesObject {
  const data = { [key]: stringify(document, { lineWidth: 0 }) };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "kube-system", annotations: { [labels.spec]: specDigest(data) } },
    data,
  };
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { logLevel: "error" });
  } catch {
    return undefined;
  }
}
