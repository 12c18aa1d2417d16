import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { configurationMapPath, readConfigurationMap } from "../kubernetes/configurationMaps.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { RunContext } from "../report/runContext.js";

/** What all nodes of a cluster have in common, as its ConfigMaps say it; undefined where there is none. */
export interface Configurations {
  readonly kubelet?: Record<string, unknown>;
  readonly proxy?: Record<string, unknown>;
}

/** The ConfigMaps as they were found, which nobody has looked into yet. */
export type FoundConfigurations = Partial<Readonly<Record<Component, unknown>>>;

/** For workers of any version. @throws TsdeployError, ApiError if the API server does not answer */
export async function clusterConfigurations(
  api: KubernetesClient,
  signal: AbortSignal,
): Promise<FoundConfigurations> {
  return find(api, ["kubelet", "proxy"], signal);
}

/** Those by which a worker of that version is configured: for it the ConfigMaps are the truth. */
export function configurationsFor(features: VersionFeatures, found: FoundConfigurations): Configurations {
  return read(found, configuredBy(features), () => true);
}

/**
 * For the master: what an administrator has made of them; what nobody has changed is written anew. An API server that
 * does not answer is no error: the master may be what this run is to mend.
 */
export async function masterConfigurations(
  api: KubernetesClient,
  features: VersionFeatures,
  { signal, report }: RunContext,
): Promise<Configurations> {
  try {
    const components = configuredBy(features);
    return read(await find(api, components, signal), components, (edited) => edited);
  } catch (error) {
    signal.throwIfAborted();
    const { message } = error as Error;
    report({
      kind: "warning",
      message: `this run cannot follow changes of ConfigMaps kubelet-config and kube-proxy: ${message}`,
    });
    return {};
  }
}

type Component = keyof Configurations;

/** What that version configures by files, and not by flags. */
function configuredBy({ kubeletConfigured, proxyConfigured }: VersionFeatures): Component[] {
  return [
    ...(kubeletConfigured === "file" ? (["kubelet"] as const) : []),
    ...(proxyConfigured === "file" ? (["proxy"] as const) : []),
  ];
}

async function find(
  api: KubernetesClient,
  components: readonly Component[],
  signal: AbortSignal,
): Promise<FoundConfigurations> {
  const found: Partial<Record<Component, unknown>> = {};
  for (const component of components) {
    // One after the other, by one connection: another takes longer than to ask.
    found[component] = await api.get(configurationMapPath(component), { signal }).catch((error: unknown) => {
      // An older cluster may not have it, or not let nodes see it.
      if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return undefined;
      throw error;
    });
  }
  return found;
}

/** @throws TsdeployError `CONFIGURATION_BROKEN` */
function read(
  found: FoundConfigurations,
  components: readonly Component[],
  isWanted: (edited: boolean) => boolean,
): Configurations {
  const documents: Partial<Record<Component, Record<string, unknown>>> = {};
  for (const component of components) {
    const map = found[component] === undefined ? undefined : readConfigurationMap(found[component]);
    if (map && isWanted(map.edited)) documents[component] = map.document;
  }
  return documents;
}
