import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, TsdeployError } from "../model/errors.js";
import * as z from "../model/zod.js";
import { readDockerConfigFile } from "./dockerConfigFile.js";
import { defaultSocketPath, type DockerEndpoint, type EndpointTls, parseDockerEndpoint } from "./dockerEndpoint.js";

/** What a person may say about which Docker is meant. */
export interface EndpointOptions {
  /** `--host` */
  readonly dockerHost?: string;
  /** `--context` */
  readonly dockerContext?: string;
}

/** The context that stands for "no context": DOCKER_HOST, else the default socket. */
const defaultContext = "default";

/**
 * Finds the endpoint in the docker CLI's order: host option, context option, DOCKER_HOST, DOCKER_CONTEXT, the
 * configuration file's current context, the default socket.
 *
 * @param configFolder see `dockerConfigFolder`
 * @throws TsdeployError `usage` with `DOCKER_HOST_INVALID`, `DOCKER_CONTEXT_NOT_FOUND`, `DOCKER_CONTEXT_INVALID`,
 * `DOCKER_TLS_FILES` or `DOCKER_CONFIG_INVALID`
 */
export async function resolveEndpoint(
  options: EndpointOptions,
  env: NodeJS.ProcessEnv,
  configFolder: string,
): Promise<DockerEndpoint> {
  const host = options.dockerHost || (options.dockerContext ? undefined : env["DOCKER_HOST"]);
  if (host) {
    return withEnvironmentTls(parseDockerEndpoint(host), env, configFolder);
  }
  const context =
    options.dockerContext ||
    env["DOCKER_CONTEXT"] ||
    (await readDockerConfigFile(configFolder)).currentContext ||
    defaultContext;
  if (context === defaultContext) {
    const endpoint = parseDockerEndpoint(env["DOCKER_HOST"] || `unix://${defaultSocketPath}`);
    return withEnvironmentTls(endpoint, env, configFolder);
  }
  return readContext(context, configFolder);
}

async function withEnvironmentTls(
  endpoint: DockerEndpoint,
  env: NodeJS.ProcessEnv,
  configFolder: string,
): Promise<DockerEndpoint> {
  // Any value counts, "0" and "false" too: the docker CLI's rule.
  const verify = Boolean(env["DOCKER_TLS_VERIFY"]);
  if (endpoint.kind !== "tcp" || (!verify && !env["DOCKER_TLS"])) {
    return endpoint;
  }
  const folder = env["DOCKER_CERT_PATH"] || configFolder;
  const tls = await readTls(folder, verify);
  if (verify && !tls.ca) {
    throw tlsFiles(`DOCKER_TLS_VERIFY is set, but there is no ${join(folder, "ca.pem")}`);
  }
  return { ...endpoint, tls };
}

const contextSchema = z.object({
  Endpoints: z.object({
    docker: z.object({ Host: z.string().optional(), SkipTLSVerify: z.boolean().optional() }),
  }),
});

async function readContext(name: string, configFolder: string): Promise<DockerEndpoint> {
  const contexts = join(configFolder, "contexts");
  const id = createHash("sha256").update(name).digest("hex");
  const path = join(contexts, "meta", id, "meta.json");
  const text = await readIfThere(path, (why) => contextInvalid(name, `cannot read ${path}: ${why}`));
  if (text === undefined) {
    const known = await contextNames(contexts);
    throw new TsdeployError("usage", {
      code: "DOCKER_CONTEXT_NOT_FOUND",
      message: `there is no Docker context ${JSON.stringify(name)} in ${contexts}`,
      hint: `Known contexts: ${[defaultContext, ...known].join(", ")}.`,
    });
  }
  const docker = parseContext(text)?.Endpoints.docker;
  if (!docker) {
    throw contextInvalid(name, `${path} has no Docker endpoint`);
  }
  const endpoint = parseDockerEndpoint(docker.Host || `unix://${defaultSocketPath}`);
  if (endpoint.kind !== "tcp") {
    return endpoint;
  }
  const tls = await readTls(join(contexts, "tls", id, "docker"), docker.SkipTLSVerify !== true);
  return tls.ca || tls.cert || tls.key || !tls.verify ? { ...endpoint, tls } : endpoint;
}

function parseContext(text: Buffer): z.infer<typeof contextSchema> | undefined {
  try {
    return contextSchema.parse(JSON.parse(text.toString()));
  } catch {
    return undefined;
  }
}

async function contextNames(contexts: string): Promise<string[]> {
  const meta = join(contexts, "meta");
  const names = await Promise.all(
    (await readdir(meta).catch(() => [])).map(async (id) => {
      try {
        const { Name } = z.object({ Name: z.string() }).parse(JSON.parse(await readFile(join(meta, id, "meta.json"), "utf8")));
        return [Name];
      } catch {
        return [];
      }
    }),
  );
  return names.flat().sort();
}

async function readTls(folder: string, verify: boolean): Promise<EndpointTls> {
  const read = async (file: string) =>
    readIfThere(join(folder, file), (why) => tlsFiles(`cannot read ${join(folder, file)}: ${why}`));
  const [ca, cert, key] = await Promise.all([read("ca.pem"), read("cert.pem"), read("key.pem")]);
  if ((cert === undefined) !== (key === undefined)) {
    throw tlsFiles(`${folder} has ${cert ? "cert.pem without key.pem" : "key.pem without cert.pem"}`);
  }
  return { ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}), verify };
}

async function readIfThere(path: string, failure: (why: string) => Error): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") {
      return undefined;
    }
    throw failure(messageOf(error));
  }
}

function contextInvalid(name: string, why: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "DOCKER_CONTEXT_INVALID",
    message: `the Docker context ${JSON.stringify(name)} cannot be used: ${why}`,
    hint: `Look at \`docker context inspect ${name}\`, or use --host.`,
  });
}

function tlsFiles(message: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "DOCKER_TLS_FILES",
    message,
    hint: "Put ca.pem, cert.pem and key.pem into the folder that DOCKER_CERT_PATH or the context names.",
  });
}
