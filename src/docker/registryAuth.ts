import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { defined } from "../model/defined.js";
import { messageOf } from "../model/errors.js";
import * as z from "../model/zod.js";
import { type DockerConfigFile, readDockerConfigFile } from "./dockerConfigFile.js";

/** The content of Docker's `X-Registry-Auth` header. */
export interface RegistryAuth {
  readonly serveraddress: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Docker Hub's name in configuration files and credential stores. */
const dockerHubKey = "https://index.docker.io/v1/";

/** What `docker-credential-…` prints as user name if the secret is an identity token. */
const tokenUser = "<token>";

/**
 * The operator's credentials for a registry, looked up as the docker CLI does: the registry's own credential helper,
 * the credential store, the file itself.
 *
 * @param registry `docker.io`, `registry.example.com:5000`
 * @param signal ends a credential helper that has not answered
 * @returns undefined if there are none: the pull is then anonymous
 * @throws Error if a credential helper fails; the docker CLI pulls anonymously then
 */
export async function registryAuth(
  registry: string,
  configFolder: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<RegistryAuth | undefined> {
  const config = await readDockerConfigFile(configFolder);
  const server = registry === "docker.io" ? dockerHubKey : registry;
  const helper = config.credHelpers?.[server] || config.credsStore;
  return helper ? fromHelper(helper, server, env, signal) : fromFile(config, server);
}

function fromFile(config: DockerConfigFile, server: string): RegistryAuth | undefined {
  const auths = config.auths ?? {};
  const legacy = Object.keys(auths).find((key) => hostOf(key) === server);
  const entry = auths[server] ?? (legacy === undefined ? undefined : auths[legacy]);
  if (!entry) {
    return undefined;
  }
  // The user name ends at the first colon; the docker CLI pads the secret with zero bytes at times.
  const [, username, password] =
    /^([^:]*):(.*?)\0*$/s.exec(Buffer.from(entry.auth ?? "", "base64").toString()) ?? [undefined, entry.username, entry.password];
  const auth = withoutUndefined({
    username: username || undefined,
    password: password || undefined,
    identitytoken: entry.identitytoken || undefined,
    registrytoken: entry.registrytoken || undefined,
  });
  return Object.keys(auth).length === 0 ? undefined : { serveraddress: server, ...auth };
}

/** Older files name registries by URL. */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
}

const helperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** The protocol of github.com/docker/docker-credential-helpers: the server's name on stdin, JSON on stdout. */
async function fromHelper(
  helper: string,
  server: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<RegistryAuth | undefined> {
  const program = `docker-credential-${helper}`;
  const child = spawn(program, ["get"], { env, stdio: ["pipe", "pipe", "ignore"], ...defined({ signal }) });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) => {
      // What it has started may hold its output, which would keep this process.
      child.stdout.destroy();
      reject(new Error(`${program}: ${messageOf(error.cause ?? error)}`));
    });
    child.on("close", resolve);
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(server);
  const [status, output] = await Promise.all([ended, text(child.stdout)]);
  if (status !== 0) {
    if (output.trim() === "credentials not found in native keychain") {
      return undefined;
    }
    throw new Error(`${program} get: ${output.trim().split("\n", 1)[0] || `it ended with status ${status ?? "unknown"}`}`);
  }
  const answer = helperAnswer.safeParse(parseJson(output));
  if (!answer.success) {
    throw new Error(`${program} get: its answer is not what the protocol says`);
  }
  const { Username: username, Secret: secret } = answer.data;
  return username === tokenUser
    ? { serveraddress: server, identitytoken: secret }
    : { serveraddress: server, username, password: secret };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
