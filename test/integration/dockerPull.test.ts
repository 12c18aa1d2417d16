import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { nanoid } from "nanoid";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { connectEngine } from "../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { type PullOptions, pullWithRetry } from "../../src/docker/pullWithRetry.js";
import type { PullProgress } from "../../src/model/dockerObjects.js";
import { TsdeployError } from "../../src/model/errors.js";

const run = promisify(execFile);
const dockerHost = "unix:///var/run/docker.sock";
const openRegistry = "127.0.0.1:5151";
const closedRegistry = "127.0.0.1:5152";
const password = nanoid();
/** Only ever here: each pull is a real one. */
const name = `tsdeploy-test-${nanoid().toLowerCase().replace(/[^a-z0-9]/g, "x")}:1`;
const layerBytes = 3_000_000;

let homeDir: string;
let engine: ContainerEngine;
const pulled = new Set<string>();

async function docker(...args: string[]): Promise<string> {
  return (await run("docker", ["-H", dockerHost, ...args])).stdout.trim();
}

async function registry(command: string[], listen: string): Promise<void> {
  await run("scripts/dev/registry", [...command, "--listen", listen]);
}

/** Credentials for registries, as `docker login` writes them. */
function logIn(auths: Record<string, string>): void {
  const entries = Object.entries(auths).map(([key, text]) => [key, { auth: Buffer.from(text).toString("base64") }]);
  configure({ auths: Object.fromEntries(entries) as object });
}

function configure(config: object): void {
  mkdirSync(join(homeDir, ".docker"), { recursive: true });
  writeFileSync(join(homeDir, ".docker", "config.json"), JSON.stringify(config));
}

beforeAll(async () => {
  homeDir = mkdtempSync(join(tmpdir(), "operator-"));
  const passwordFile = join(homeDir, "password");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const credentials = ["--password", `operator:${passwordFile}`];
  await registry(["down"], openRegistry);
  await registry(["down"], closedRegistry);
  await registry(["up"], openRegistry);
  await registry(["up", ...credentials], closedRegistry);
  writeFileSync(join(homeDir, "layer"), randomBytes(layerBytes));
  await run("tar", ["-C", homeDir, "-cf", join(homeDir, "layer.tar"), "layer"]);
  await docker("import", join(homeDir, "layer.tar"), name);
  await registry(["push", name], openRegistry);
  await registry(["push", name, ...credentials], closedRegistry);
  await docker("rmi", name);
  engine = await connectEngine({ dockerHost }, { PATH: process.env["PATH"] }, { homeDir });
}, 120_000);

afterEach(async () => {
  rmSync(join(homeDir, ".docker"), { recursive: true, force: true });
  for (const reference of pulled) {
    if (await engine.inspectImage(reference)) {
      await docker("rmi", reference);
    }
  }
  pulled.clear();
});

afterAll(async () => {
  await engine.close();
  await registry(["down"], openRegistry);
  await registry(["down"], closedRegistry);
  rmSync(homeDir, { recursive: true });
});

/** Pulls, and tells what was reported on the way. */
async function pull(reference: string, options: Partial<PullOptions> = {}) {
  pulled.add(reference);
  const progress: PullProgress[] = [];
  const retries: string[] = [];
  const began = performance.now();
  let error: unknown;
  try {
    await pullWithRetry(engine, reference, {
      signal: new AbortController().signal,
      timeoutMs: 60_000,
      onProgress: (seen) => progress.push(seen),
      onRetry: (message) => retries.push(message),
      ...options,
    });
  } catch (thrown) {
    error = thrown;
  }
  const problem = error instanceof TsdeployError ? error.problems[0] : undefined;
  const tookMs = performance.now() - began;
  return { error, code: problem?.code, message: problem?.message, progress, retries, tookMs };
}

interface Proxy {
  readonly address: string;
  /** Bytes that each new connection lets through before it breaks. */
  limit: number;
  close(): void;
}

/** A way to the registry that may break. */
async function openProxy(limit: number): Promise<Proxy> {
  const server = createServer((client) => {
    let left = proxy.limit;
    const [host = "", port = ""] = openRegistry.split(":");
    const target = connect(Number(port), host);
    client.pipe(target);
    target.on("data", (chunk: Buffer) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) {
        client.destroy();
        target.destroy();
      }
    });
    target.on("end", () => client.end());
    target.on("error", () => client.destroy());
    client.on("error", () => target.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxy: Proxy = { address: `127.0.0.1:${port}`, limit, close: () => server.close() };
  return proxy;
}

describe("a pull", () => {
  it("brings the image and shows how far it is", async () => {
    const reference = `${openRegistry}/${name}`;
    const { error, progress } = await pull(reference);
    expect(error).toBeUndefined();
    const details = await engine.inspectImage(reference);
    expect(details?.tags).toEqual([reference]);
    expect(details?.sizeBytes).toBeGreaterThanOrEqual(layerBytes);
    const last = progress.at(-1);
    expect(last).toMatchObject({ layersDone: 1, layersTotal: 1 });
    expect(last?.bytesTotal).toBeGreaterThanOrEqual(layerBytes);
    expect(last?.bytesDone).toBe(last?.bytesTotal);
    expect(progress.map(({ bytesDone }) => bytesDone)).toEqual(
      progress.map(({ bytesDone }) => bytesDone).sort((a, b) => a - b),
    );
  });

  it("may be by digest", async () => {
    const { headers } = await fetch(`http://${openRegistry}/v2/${name.replace(":", "/manifests/")}`, {
      headers: { accept: "application/vnd.docker.distribution.manifest.v2+json" },
    });
    const digest = headers.get("docker-content-digest") ?? "";
    const reference = `${openRegistry}/${name.replace(":1", "")}@${digest}`;
    expect((await pull(reference)).error).toBeUndefined();
    expect((await engine.inspectImage(reference))?.repoDigests).toEqual([reference]);
  });
});

describe("an image that is not there", () => {
  it.each(["another tag", "another name"])("by %s is told, at once", async (what) => {
    const reference = what === "another tag" ? `${openRegistry}/${name}0` : `${openRegistry}/nobody/knows`;
    const { error, code, message, retries } = await pull(reference);
    expect(code).toBe("IMAGE_NOT_FOUND");
    expect(message).toContain(reference);
    expect((error as TsdeployError).exitCode).toBe(3);
    expect(retries).toEqual([]);
  });

  it("for this platform is told", async () => {
    const repository = `http://${openRegistry}/v2/${name.replace(/:.*/, "")}/manifests`;
    const type = "application/vnd.docker.distribution.manifest.v2+json";
    const manifest = Buffer.from(
      await (await fetch(`${repository}/1`, { headers: { accept: type } })).arrayBuffer(),
    );
    const digest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
    const listType = "application/vnd.docker.distribution.manifest.list.v2+json";
    const platform = { os: "linux", architecture: "s390x" };
    const manifests = [{ mediaType: type, size: manifest.length, digest, platform }];
    const { status } = await fetch(`${repository}/far`, {
      method: "PUT",
      headers: { "content-type": listType },
      body: JSON.stringify({ schemaVersion: 2, mediaType: listType, manifests }),
    });
    expect(status).toBe(201);
    const { code, retries } = await pull(`${openRegistry}/${name.replace(":1", ":far")}`);
    expect(code).toBe("IMAGE_PLATFORM");
    expect(retries).toEqual([]);
  });
});

describe("a registry that wants a password", () => {
  const reference = `${closedRegistry}/${name}`;

  it("refuses without one", async () => {
    const { code, error, retries } = await pull(reference);
    expect(code).toBe("IMAGE_UNAUTHORIZED");
    expect((error as TsdeployError).exitCode).toBe(5);
    expect(retries).toEqual([]);
  });

  it("is given that of the operator's Docker configuration", async () => {
    logIn({ [closedRegistry]: `operator:${password}` });
    expect((await pull(reference)).error).toBeUndefined();
    expect(await engine.inspectImage(reference)).toBeDefined();
  });

  it("is given that of the operator's credential helper", async () => {
    configure({ credHelpers: { [closedRegistry]: "test" } });
    const answer = JSON.stringify({ ServerURL: closedRegistry, Username: "operator", Secret: password });
    writeFileSync(join(homeDir, "docker-credential-test"), `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 });
    const PATH = `${homeDir}:${process.env["PATH"] ?? ""}`;
    const other = await connectEngine({ dockerHost }, { PATH }, { homeDir });
    await other.pullImage(reference, { onProgress: () => undefined, signal: new AbortController().signal });
    await other.close();
    pulled.add(reference);
    expect(await engine.inspectImage(reference)).toBeDefined();
  });

  it("refuses a wrong one, which is not repeated", async () => {
    logIn({ [closedRegistry]: "operator:not-the-password" });
    const { code, message, error } = await pull(reference);
    expect(code).toBe("IMAGE_UNAUTHORIZED");
    expect(`${message ?? ""} ${String(error)}`).not.toContain("not-the-password");
  });

  it("is asked without one if the credential helper fails, and that is told with the refusal", async () => {
    configure({ credsStore: "that-is-not-here" });
    const { code, message } = await pull(reference);
    expect(code).toBe("IMAGE_UNAUTHORIZED");
    expect(message).toContain("docker-credential-that-is-not-here");
    const open = `${openRegistry}/${name}`;
    expect((await pull(open)).error).toBeUndefined();
  });
});

describe("a registry", () => {
  it("that cannot be reached is tried three times", async () => {
    const { code, error, retries } = await pull(`127.0.0.1:1/${name}`);
    expect(code).toBe("REGISTRY_UNREACHABLE");
    expect((error as TsdeployError).exitCode).toBe(5);
    expect(retries).toHaveLength(2);
    expect(retries[1]).toContain("(3 of 3)");
  });

  it("whose connection always breaks half-way is tried three times", async () => {
    // Enough for the first answers, not for the manifest.
    const proxy = await openProxy(400);
    const { code, retries } = await pull(`${proxy.address}/${name}`);
    proxy.close();
    expect(code).toBe("PULL_BROKEN");
    expect(retries).toHaveLength(2);
  });

  it("whose connection broke is tried again, and it works", async () => {
    const proxy = await openProxy(400);
    const onRetry = (message: string) => {
      expect(message).toContain("(2 of 3)");
      proxy.limit = Infinity;
    };
    const { error } = await pull(`${proxy.address}/${name}`, { onRetry });
    expect(error).toBeUndefined();
    proxy.close();
    expect(proxy.limit).toBe(Infinity);
    expect(await engine.inspectImage(`${proxy.address}/${name}`)).toBeDefined();
  });

  describe("that does not answer", () => {
    it("is not waited for longer than the caller said", async () => {
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      const { port } = silent.address() as AddressInfo;
      const { code, tookMs } = await pull(`127.0.0.1:${port}/${name}`, { timeoutMs: 500 });
      silent.close();
      expect(code).toBe("PULL_TIMEOUT");
      expect(tookMs).toBeLessThan(3_000);
    });

    it("is left at once when the caller stops", async () => {
      const silent = createServer().listen(0, "127.0.0.1");
      await once(silent, "listening");
      const stop = new AbortController();
      silent.once("connection", () => {
        stop.abort();
      });
      const { port } = silent.address() as AddressInfo;
      const { code, tookMs } = await pull(`127.0.0.1:${port}/${name}`, { signal: stop.signal });
      silent.close();
      expect(code).toBe("ABORTED");
      expect(tookMs).toBeLessThan(3_000);
    });
  });

  it("is not tried again when Docker itself is gone", async () => {
    const other = await connectEngine({ dockerHost }, process.env);
    await other.close();
    const options = { signal: new AbortController().signal, timeoutMs: 5_000, onProgress: () => undefined };
    await expect(pullWithRetry(other, `${openRegistry}/${name}`, options)).rejects.toMatchObject({
      problems: [{ code: "DOCKER_UNREACHABLE" }],
    });
  });
});
