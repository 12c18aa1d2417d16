import { homedir } from "node:os";
import { defined } from "../model/defined.js";
import type { ContainerEngine } from "./containerEngine.js";
import { dockerConfigFolder } from "./dockerConfigFile.js";
import { type DockerEndpoint, isReadableOnTheWay } from "./dockerEndpoint.js";
import type { EngineConnection } from "./dockerEngine.js";
import { registryAuth } from "./registryAuth.js";
import { type EndpointOptions, resolveEndpoint } from "./resolveEndpoint.js";
import { openSshTunnel } from "./sshTunnel.js";

/**
 * Connects to the Docker that the docker CLI would use with these options and this environment. The engine must be
 * closed: it may hold an SSH tunnel.
 *
 * @throws TsdeployError `usage` for an endpoint, a context or certificates that are no good (see `resolveEndpoint`),
 * `unreachable` (`DOCKER_UNREACHABLE`, `DOCKER_PERMISSION`), `environment` (`DOCKER_TOO_NEW`), `aborted`
 */
export async function connectEngine(
  options: EndpointOptions,
  env: NodeJS.ProcessEnv,
  { homeDir = env["HOME"] || homedir(), signal }: { readonly homeDir?: string; readonly signal?: AbortSignal } = {},
): Promise<ContainerEngine> {
  const configFolder = dockerConfigFolder(env, homeDir);
  const endpoint = await resolveEndpoint(options, env, configFolder);
  // Loads dockerode, which takes its time: only here, and while ssh connects.
  const [opened, loaded] = await Promise.allSettled([open(endpoint, env, signal), import("./dockerEngine.js")]);
  if (opened.status === "rejected") {
    throw opened.reason;
  }
  try {
    if (loaded.status === "rejected") {
      throw loaded.reason;
    }
    return await loaded.value.openDockerEngine({
      ...opened.value,
      endpoint: endpoint.display,
      isReadableOnTheWay: isReadableOnTheWay(endpoint),
      ...defined({ signal }),
      registryAuth: async (registry, pulling) => registryAuth(registry, configFolder, env, pulling),
    });
  } catch (error) {
    await opened.value.close();
    throw error;
  }
}

async function open(
  endpoint: DockerEndpoint,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Pick<EngineConnection, "address" | "close" | "tunnelSaid" | "reconnect">> {
  switch (endpoint.kind) {
    case "unix":
      return { address: { socketPath: endpoint.socketPath }, close: () => Promise.resolve() };
    case "tcp": {
      const { host, port, tls } = endpoint;
      const address = { host, port: port ?? (tls ? 2376 : 2375), ...(tls ? { tls } : {}) };
      return { address, close: () => Promise.resolve() };
    }
    case "ssh": {
      const tunnel = await openSshTunnel(endpoint, env, signal);
      return {
        address: { socketPath: tunnel.socketPath },
        tunnelSaid: async () => tunnel.said(),
        reconnect: async (withinMs) => tunnel.reconnect(withinMs),
        close: async () => tunnel.close(),
      };
    }
  }
}
