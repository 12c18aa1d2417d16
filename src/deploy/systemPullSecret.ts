import { addonImages } from "../addons/addons.js";
import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { operatorCredentials } from "../docker/operatorCredentials.js";
import type { RegistryAuth } from "../docker/registryAuth.js";
import { pullLogins } from "../image/pullLogins.js";
import { pullSecret, pullSecretPath } from "../kubernetes/pullSecret.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { MasterOptions } from "../model/options.js";
import { withAnySignal } from "../model/signals.js";
import type { PullSecret } from "../plan/addonSteps.js";
import type { RunContext } from "../report/runContext.js";
import type { Settled } from "./settleMaster.js";

type PullOptions = Pick<MasterOptions, "registry" | "registryMirrors" | "timeoutMs">;

/**
 * Decides for a master how kubelets log in for add-ons' images that are not on every node already.
 *
 * @param api of a cluster that is there already
 * @throws TsdeployError `usage` if the operator's Docker configuration cannot be read
 */
export async function systemPullSecret(
  { config, features, options }: Pick<Settled, "config" | "features"> & { readonly options: PullOptions },
  observed: ObservedHost,
  api: KubernetesClient | undefined,
  { env, report, signal }: RunContext,
): Promise<PullSecret> {
  const images = addonImages({ config, features, observed, mirrors: options.registryMirrors });
  // A credential helper may hang, while this run holds the host's lock.
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const { registries, logins, warnings } = await withAnySignal([signal, deadline], (any) => {
    const lookUp = async (registry: string): Promise<RegistryAuth | undefined> =>
      operatorCredentials(registry, env, any);
    return pullLogins(images, options, lookUp);
  });
  signal.throwIfAborted();
  for (const message of warnings) report({ kind: "warning", message });
  if (logins.length > 0) return { objects: [pullSecret(logins)], isThere: true };
  if (api === undefined || registries.length === 0) return { objects: [], isThere: false };
  const isThere = await api.get(pullSecretPath, { signal }).then(
    () => true,
    (error: unknown) => {
      signal.throwIfAborted();
      // A cluster that does not answer is no reason to take a name away that may be needed.
      return !(error instanceof ApiError && error.status === 404);
    },
  );
  return { objects: [], isThere };
}
