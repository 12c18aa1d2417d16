import { homedir } from "node:os";
import { dockerConfigFolder } from "./dockerConfigFile.js";
import { type RegistryAuth, registryAuth } from "./registryAuth.js";

/** What `pullImage` logs in to a registry with, for who logs in by other ways. Throws as `registryAuth` does. */
export async function operatorCredentials(
  registry: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<RegistryAuth | undefined> {
  return registryAuth(registry, dockerConfigFolder(env, env["HOME"] || homedir()), env, signal);
}
