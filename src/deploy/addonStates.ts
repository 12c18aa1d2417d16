import { addons, addonsOf } from "../addons/addons.js";
import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { pathOf } from "../api/pathOf.js";
import { parseAcceptedOptions } from "../config/acceptedOptions.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { AddonName } from "../model/addonNames.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";

/** An add-on that is on, as the cluster sees it. */
export interface AddonState {
  readonly name: AddonName;
  /** Replicas; undefined: it is not in the cluster. */
  readonly ready?: number;
  readonly wanted?: number;
}

interface Deployment {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number; readonly availableReplicas?: number };
}

/** How the add-ons of the master with these files are. */
export async function addonStates(
  api: KubernetesClient,
  files: ReadonlyMap<string, ExistingFile>,
  signal: AbortSignal,
): Promise<AddonState[] | undefined> {
  const file = files.get(paths.options);
  if (!file) return undefined;
  const accepted = parseAcceptedOptions(file.content);
  const { deployment: apiVersion } = featuresOf(accepted.k8sVersion).apis;
  return Promise.all(
    addonsOf(accepted).map(async (name): Promise<AddonState> => {
      const metadata = { name: addons[name].deployment, namespace: "kube-system" };
      const path = pathOf({ apiVersion, kind: "Deployment", metadata });
      const found = await api.get<Deployment>(path, { signal }).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return undefined;
        throw error;
      });
      if (!found) return { name };
      // v1.3 counts those that are available alone.
      const { readyReplicas, availableReplicas } = found.status ?? {};
      return { name, ready: readyReplicas ?? availableReplicas ?? 0, wanted: found.spec?.replicas ?? 1 };
    }),
  );
}
