import { namedRegistries } from "../config/imageReference.js";
import { parseImageReference } from "../docker/imageReference.js";
import type { RegistryAuth } from "../docker/registryAuth.js";
import type { RegistryLogin } from "../kubernetes/pullSecret.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { RegistryMirrors } from "../model/options.js";

/** What kubelets are to log in with. */
export interface PullLogins {
  /** Those that may ask who pulls: a person has named them. */
  readonly registries: readonly string[];
  readonly logins: readonly RegistryLogin[];
  /** Why a registry's credentials are not among them. */
  readonly warnings: readonly string[];
}

/**
 * The operator's logins at the registries that these images of pods are pulled from: only where a person has named the
 * registry for the cluster. What somebody happens to be logged in to, such as Docker Hub, is no cluster's business.
 *
 * @param images that are not on every node already
 * @param credentialsFor looks a registry's up; what it throws becomes a warning, but for a `TsdeployError`
 */
export async function pullLogins(
  images: readonly string[],
  options: { readonly registry?: string | undefined; readonly registryMirrors: RegistryMirrors },
  credentialsFor: (registry: string) => Promise<RegistryAuth | undefined>,
): Promise<PullLogins> {
  const named = namedRegistries({ registry: options.registry, registryMirrors: options.registryMirrors });
  const used = new Set(images.map((image) => parseImageReference(image).registry));
  const registries = named.filter((registry) => used.has(registry));
  const found = await Promise.all(registries.map(async (registry) => loginAt(registry, credentialsFor)));
  return {
    registries,
    logins: found.filter((one) => typeof one === "object"),
    warnings: found.filter((one) => typeof one === "string"),
  };
}

/** A text says why there is none. */
async function loginAt(
  registry: string,
  credentialsFor: (registry: string) => Promise<RegistryAuth | undefined>,
): Promise<RegistryLogin | string | undefined> {
  const without = `pods of the cluster pull from ${registry} without credentials`;
  try {
    const auth = await credentialsFor(registry);
    if (auth === undefined) return undefined;
    const { serveraddress, username, password } = auth;
    if (username !== undefined && password !== undefined) return { serveraddress, username, password };
    return `${without}: yours are a token of a kind that kubelets do not take. Log in with a user name and a password`;
  } catch (error) {
    if (error instanceof TsdeployError) throw error;
    return `${without}: ${messageOf(error)}`;
  }
}
