import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, TsdeployError } from "../model/errors.js";
import * as z from "../model/zod.js";

const schema = z.object({
  currentContext: z.string().optional(),
  auths: z
    .record(
      z.string(),
      z.object({
        /** Base64 of `user:password`. */
        auth: z.string().optional(),
        username: z.string().optional(),
        password: z.string().optional(),
        identitytoken: z.string().optional(),
        registrytoken: z.string().optional(),
      }),
    )
    .optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

/** `config.json` of the docker CLI, as far as we use it. */
export type DockerConfigFile = z.infer<typeof schema>;

/** The folder that holds `config.json` and `contexts/`: DOCKER_CONFIG, else `~/.docker`. */
export function dockerConfigFolder(env: NodeJS.ProcessEnv, homeDir: string): string {
  return env["DOCKER_CONFIG"] || join(homeDir, ".docker");
}

/**
 * Reads `config.json`; a missing one is empty.
 *
 * @throws TsdeployError `usage`, `DOCKER_CONFIG_INVALID`
 */
export async function readDockerConfigFile(folder: string): Promise<DockerConfigFile> {
  const path = join(folder, "config.json");
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      return {};
    }
    // Not the parser's message: it quotes what it read, which may be a password.
    const why = error instanceof SyntaxError ? "it is not JSON" : error instanceof z.ZodError ? fields(error) : messageOf(error);
    throw new TsdeployError("usage", {
      code: "DOCKER_CONFIG_INVALID",
      message: `cannot read ${path}: ${why}`,
      hint: "Correct the file, or name another folder by DOCKER_CONFIG.",
    });
  }
}

function fields(error: z.ZodError): string {
  return `unexpected ${error.issues.map((issue) => issue.path.join(".") || "content").join(", ")}`;
}
