import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { registryAuth } from "../../src/docker/registryAuth.js";

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-test-"));
  env = { PATH: `${folder}:${process.env["PATH"] ?? ""}` };
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function configure(config: object): void {
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
}

/** A `docker-credential-…` that writes down what it was called with. */
function installHelper(name: string, script: string): void {
  const path = join(folder, `docker-credential-${name}`);
  writeFileSync(path, `#!/bin/sh\necho "$@ $(cat)" >${folder}/called\n${script}\n`);
  chmodSync(path, 0o755);
}

const hub = "https://index.docker.io/v1/";
const basic = (text: string) => ({ auth: Buffer.from(text).toString("base64") });

describe("credentials in the file", () => {
  it("are the registry's own", async () => {
    configure({
      auths: { "registry.example.com:5000": basic("me:pass:word"), "https://old.example.com/v1/": basic("old:one") },
    });
    expect(await registryAuth("registry.example.com:5000", folder, env)).toEqual({
      serveraddress: "registry.example.com:5000",
      username: "me",
      password: "pass:word",
    });
    expect(await registryAuth("old.example.com", folder, env)).toMatchObject({ username: "old", password: "one" });
    expect(await registryAuth("registry.example.com", folder, env)).toBeUndefined();
  });

  it("of Docker Hub are under its old name", async () => {
    configure({ auths: { [hub]: basic("me:secret\0\0") } });
    expect(await registryAuth("docker.io", folder, env)).toEqual({
      serveraddress: hub,
      username: "me",
      password: "secret",
    });
  });

  it("may be tokens, or nothing", async () => {
    configure({ auths: { a: { identitytoken: "token" }, b: {} } });
    expect(await registryAuth("a", folder, env)).toEqual({ serveraddress: "a", identitytoken: "token" });
    expect(await registryAuth("b", folder, env)).toBeUndefined();
  });

  it("need no file", async () => {
    expect(await registryAuth("docker.io", folder, env)).toBeUndefined();
  });
});

describe("a credential helper", () => {
  it("is asked on stdin, one for a registry before the store for all", async () => {
    configure({ credsStore: "all", credHelpers: { "a.example.com": "one" }, auths: { "a.example.com": {} } });
    installHelper("one", `echo '{"ServerURL": "a.example.com", "Username": "me", "Secret": "one"}'`);
    installHelper("all", `echo '{"ServerURL": "x", "Username": "<token>", "Secret": "all"}'`);
    expect(await registryAuth("a.example.com", folder, env)).toEqual({
      serveraddress: "a.example.com",
      username: "me",
      password: "one",
    });
    expect(readFileSync(join(folder, "called"), "utf8")).toBe("get a.example.com\n");
    expect(await registryAuth("docker.io", folder, env)).toEqual({ serveraddress: hub, identitytoken: "all" });
    expect(readFileSync(join(folder, "called"), "utf8")).toBe(`get ${hub}\n`);
  });

  it("may know nothing", async () => {
    configure({ credsStore: "all" });
    installHelper("all", "echo credentials not found in native keychain; exit 1");
    expect(await registryAuth("docker.io", folder, env)).toBeUndefined();
  });

  it("that fails, answers nonsense or does not exist is told, without a secret", async () => {
    configure({ credsStore: "all" });
    await expect(registryAuth("docker.io", folder, env)).rejects.toThrow("docker-credential-all");
    installHelper("all", "echo the keychain is locked; exit 1");
    await expect(registryAuth("docker.io", folder, env)).rejects.toThrow("the keychain is locked");
    installHelper("all", `echo '{"Secret": "hidden"'`);
    await expect(registryAuth("docker.io", folder, env)).rejects.toThrow(/^docker-credential-all get: its answer/);
  });

  it("that does not answer is ended with the pull", async () => {
    configure({ credsStore: "all" });
    installHelper("all", `echo $$ >${folder}/pid; exec sleep 1000`);
    const pull = new AbortController();
    const failure = registryAuth("docker.io", folder, env, pull.signal).catch((error: unknown) => error);
    const pid = await vi.waitUntil(
      () => existsSync(join(folder, "pid")) && Number(readFileSync(join(folder, "pid"), "utf8")),
      { timeout: 30_000 },
    );
    pull.abort();
    expect(String(await failure)).toContain("docker-credential-all");
    await vi.waitUntil(() => !existsSync(`/proc/${pid}`), { timeout: 30_000 });
  });
});
