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

/** For workers: the ConfigMaps are the truth. @throws TsdeployError if the API server does not answer */
export async function clusterConfigurations(api: KubernetesClient, signal: AbortSignal): Promise<Configurations> {
  return read(api, ["kubelet", "proxy"], signal, () => true);
}

/** Those by which a node of that version is configured. */
export function configurationsFor(features: VersionFeatures, { kubelet, proxy }: Configurations): Configurations {
  const components = configuredBy(features);
  return {
    ...(kubelet && components.includes("kubelet") && { kubelet }),
    ...(proxy && components.includes("proxy") && { proxy }),
  };
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
    return await read(api, configuredBy(features), signal, (edited) => edited);
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

async function read(
  api: KubernetesClient,
  components: readonly Component[],
  signal: AbortSignal,
  isWanted: (edited: boolean) => boolean,
): Promise<Configurations> {
  const one = async (component: Component): Promise<Record<string, unknown> | undefined> => {
    const found = await api.get(configurationMapPath(component), { signal }).catch((error: unknown) => {
      // An older cluster may not have it, or not let nodes see it.
      if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return undefined;
      throw error;
    });
    const map = found === undefined ? undefined : readConfigurationMap(found);
    return map && isWanted(map.edited) ? map.document : undefined;
  };
  const found: Partial<Record<Component, Record<string, unknown>>> = {};
  for (const component of components) {
    // One after the other, by one connection: another takes longer than to ask.
    const document = await one(component);
    if (document) found[component] = document;
  }
  return found;
}
