import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resolveEndpoint } from "../../src/docker/resolveEndpoint.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-test-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(join(folder, path, ".."), { recursive: true });
  writeFileSync(join(folder, path), content);
}

function writeContext(name: string, docker: object, tls: Record<string, string> = {}): void {
  const id = createHash("sha256").update(name).digest("hex");
  write(`contexts/meta/${id}/meta.json`, JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker } }));
  for (const [file, content] of Object.entries(tls)) {
    write(`contexts/tls/${id}/docker/${file}`, content);
  }
}

function refusal(code: string, text = "") {
  return expect.objectContaining({
    kind: "usage",
    problems: [expect.objectContaining({ code, message: expect.stringContaining(text) as string })],
  }) as Error;
}

async function displayOf(options: { dockerHost?: string; dockerContext?: string }, env: NodeJS.ProcessEnv) {
  return (await resolveEndpoint(options, env, folder)).display;
}

describe("what is asked first", () => {
  beforeEach(() => {
    for (const name of ["option", "variable", "current"]) {
      writeContext(name, { Host: `tcp://${name}-context:2375` });
    }
    write("config.json", JSON.stringify({ currentContext: "current" }));
  });
  const env = { DOCKER_HOST: "tcp://variable:2375", DOCKER_CONTEXT: "variable" };

  it("is --host", async () => {
    expect(await displayOf({ dockerHost: "tcp://option:2375", dockerContext: "option" }, env)).toBe("tcp://option:2375");
  });

  it("then --context", async () => {
    expect(await displayOf({ dockerContext: "option" }, env)).toBe("tcp://option-context:2375");
  });

  it("then DOCKER_HOST", async () => {
    expect(await displayOf({}, env)).toBe("tcp://variable:2375");
  });

  it("then DOCKER_CONTEXT", async () => {
    expect(await displayOf({}, { DOCKER_CONTEXT: "variable" })).toBe("tcp://variable-context:2375");
  });

  it("then the configuration file's current context; empty variables are none", async () => {
    expect(await displayOf({}, { DOCKER_HOST: "", DOCKER_CONTEXT: "" })).toBe("tcp://current-context:2375");
  });

  it("and the context `default` is none", async () => {
    expect(await displayOf({ dockerContext: "default" }, {})).toBe("unix:///var/run/docker.sock");
    expect(await displayOf({ dockerContext: "default" }, { DOCKER_HOST: "ssh://far" })).toBe("ssh://far");
  });
});

describe("without any configuration", () => {
  it("it is the default socket", async () => {
    expect(await displayOf({}, {})).toBe("unix:///var/run/docker.sock");
  });

  it("a context that does not exist is refused, with those that do", async () => {
    writeContext("laptop", { Host: "unix:///run/docker.sock" });
    writeContext("build", { Host: "ssh://build" });
    const thrown = expect(resolveEndpoint({ dockerContext: "biuld" }, {}, folder)).rejects;
    await thrown.toThrow(refusal("DOCKER_CONTEXT_NOT_FOUND", "biuld"));
    await expect(resolveEndpoint({}, { DOCKER_CONTEXT: "biuld" }, folder)).rejects.toMatchObject({
      problems: [{ hint: "Known contexts: default, build, laptop." }],
    });
  });
});

describe("TLS", () => {
  const env = { DOCKER_HOST: "tcp://far:2376", DOCKER_TLS_VERIFY: "1" };

  it("comes from DOCKER_CERT_PATH", async () => {
    write("certs/ca.pem", "ca");
    write("certs/cert.pem", "cert");
    write("certs/key.pem", "key");
    const endpoint = await resolveEndpoint({}, { ...env, DOCKER_CERT_PATH: join(folder, "certs") }, folder);
    expect(endpoint).toMatchObject({
      tls: { ca: Buffer.from("ca"), cert: Buffer.from("cert"), key: Buffer.from("key"), verify: true },
    });
  });

  it("comes from the configuration folder otherwise, and DOCKER_TLS alone verifies nothing", async () => {
    write("ca.pem", "ca");
    expect(await resolveEndpoint({}, env, folder)).toMatchObject({ tls: { ca: Buffer.from("ca"), verify: true } });
    expect(await resolveEndpoint({}, { DOCKER_HOST: "tcp://far", DOCKER_TLS: "1" }, folder)).toMatchObject({
      tls: { verify: false },
    });
  });

  it("is not for sockets, nor without being asked for", async () => {
    expect(await resolveEndpoint({ dockerHost: "unix:///x" }, env, folder)).not.toHaveProperty("tls");
    expect(await resolveEndpoint({}, { DOCKER_HOST: "tcp://far:2376" }, folder)).not.toHaveProperty("tls");
  });

  it("without a CA, or with half a key pair, is refused", async () => {
    await expect(resolveEndpoint({}, env, folder)).rejects.toThrow(refusal("DOCKER_TLS_FILES", "ca.pem"));
    write("ca.pem", "ca");
    write("cert.pem", "cert");
    await expect(resolveEndpoint({}, env, folder)).rejects.toThrow(refusal("DOCKER_TLS_FILES", "key.pem"));
  });

  it("that cannot be read is refused", async () => {
    mkdirSync(join(folder, "ca.pem"));
    await expect(resolveEndpoint({}, env, folder)).rejects.toThrow(refusal("DOCKER_TLS_FILES", "ca.pem"));
  });

  it("of a context is its own, whatever the environment says", async () => {
    writeContext("tls", { Host: "tcp://far:2376", SkipTLSVerify: false }, { "ca.pem": "context's ca" });
    writeContext("lax", { Host: "tcp://far:2376", SkipTLSVerify: true });
    writeContext("plain", { Host: "tcp://far:2375" });
    const resolve = async (dockerContext: string) => resolveEndpoint({ dockerContext }, env, folder);
    expect(await resolve("tls")).toMatchObject({ tls: { ca: Buffer.from("context's ca"), verify: true } });
    expect(await resolve("lax")).toMatchObject({ tls: { verify: false } });
    expect(await resolve("plain")).not.toHaveProperty("tls");
  });
});

describe("files that are no good", () => {
  it("are refused without showing what is in them", async () => {
    write("config.json", '{"auths": {"x": {"auth": "c2VjcmV0"}}, ');
    const error: unknown = await resolveEndpoint({}, {}, folder).catch((thrown: unknown) => thrown);
    expect(error).toEqual(refusal("DOCKER_CONFIG_INVALID", "config.json"));
    expect(String(error)).not.toContain("c2Vj");
    write("config.json", '{"currentContext": 5}');
    await expect(resolveEndpoint({}, {}, folder)).rejects.toThrow(refusal("DOCKER_CONFIG_INVALID", "currentContext"));
  });

  it("of a context are refused", async () => {
    const id = createHash("sha256").update("broken").digest("hex");
    write(`contexts/meta/${id}/meta.json`, "{");
    await expect(resolveEndpoint({ dockerContext: "broken" }, {}, folder)).rejects.toThrow(
      refusal("DOCKER_CONTEXT_INVALID", "broken"),
    );
  });

  it("do not matter when nobody needs them", async () => {
    write("config.json", "{");
    expect(await displayOf({}, { DOCKER_HOST: "tcp://far:2375" })).toBe("tcp://far:2375");
  });
});
