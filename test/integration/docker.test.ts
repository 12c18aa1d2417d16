import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer, request } from "node:https";
import { type AddressInfo, connect, createServer } from "node:net";
import { once } from "node:events";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { nanoid } from "nanoid";
import { pack } from "tar-stream";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { connectEngine } from "../../src/docker/connectEngine.js";
import { type ContainerEngine, EngineError } from "../../src/docker/containerEngine.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";
import type { TsdeployError } from "../../src/model/errors.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest } from "../pki/identityRequest.js";

const run = promisify(execFile);
const dockerHost = process.env["TSDEPLOY_TEST_DOCKER"] ?? "unix:///var/run/docker.sock";
/** Anything with Bash, coreutils and socat, and an entry point of its own. */
const image = "tsdeploy/hyperkube:v1.20.2";
const label = `tsdeploy.test=${nanoid()}`;

let engine: ContainerEngine;

beforeAll(async () => {
  engine = await connectEngine({ dockerHost }, process.env);
});

afterAll(async () => {
  await Promise.all((await engine.listContainers([label])).map(async ({ id }) => engine.removeContainer(id)));
  await engine.close();
});

async function docker(...args: string[]): Promise<string> {
  return (await run("docker", ["-H", dockerHost, ...args])).stdout.trim();
}

function name(): string {
  return `tsdeploy-test-${nanoid(8)}`;
}

function spec(command: readonly string[], more: Partial<ContainerSpec> = {}): ContainerSpec {
  const [key = "", value = ""] = label.split("=");
  return {
    component: "etcd",
    image,
    command,
    binds: [],
    labels: { [key]: value },
    hostPid: false,
    privileged: false,
    hostCgroupNamespace: false,
    restartPolicy: "no",
    stopGraceSeconds: 1,
    ...more,
  };
}

async function start(...command: string[]): Promise<string> {
  const id = await engine.createContainer(name(), spec(command));
  await engine.startContainer(id);
  return id;
}

function problem(code: string, text: string) {
  return expect.objectContaining({
    kind: "unreachable",
    problems: [expect.objectContaining({ code, message: expect.stringContaining(text) as string })],
  }) as TsdeployError;
}

describe("connecting", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("says what is there", async () => {
    expect(engine.endpoint).toBe(dockerHost);
    expect((await engine.version()).version).toBe(await docker("version", "-f", "{{.Server.Version}}"));
    const info = await engine.info();
    expect(`${info.hostname} ${info.dockerRootDir} ${info.cgroupDriver} ${info.cgroupVersion} ${info.cpus}`).toBe(
      await docker("info", "-f", "{{.Name}} {{.DockerRootDir}} {{.CgroupDriver}} {{.CgroupVersion}} {{.NCPU}}"),
    );
  });

  it("does what it is told, whatever else the environment says", async () => {
    vi.stubEnv("DOCKER_HOST", "tcp://10.255.255.255:1");
    vi.stubEnv("DOCKER_CERT_PATH", "/nowhere");
    const other = await connectEngine({ dockerHost }, process.env);
    expect((await other.info()).id).toBe((await engine.info()).id);
    await other.close();
  });

  it("without a daemon names the socket", async () => {
    const thrown = connectEngine({ dockerHost: "unix:///nowhere/docker.sock" }, {});
    await expect(thrown).rejects.toThrow(problem("DOCKER_UNREACHABLE", "unix:///nowhere/docker.sock"));
    await expect(connectEngine({ dockerHost: "tcp://localhost:1" }, {})).rejects.toThrow(
      problem("DOCKER_UNREACHABLE", "tcp://localhost:1: nothing listens there"),
    );
  });

  it("without permission says how to get it", async () => {
    process.seteuid?.(65534);
    try {
      const thrown: unknown = await connectEngine({ dockerHost }, {}).catch((error: unknown) => error);
      expect(thrown).toEqual(problem("DOCKER_PERMISSION", dockerHost));
      expect((thrown as TsdeployError).problems[0]?.hint).toContain("usermod -aG docker");
    } finally {
      process.seteuid?.(0);
    }
  });

  it("to something else says that it is not Docker", async () => {
    const server = createHttpServer((_request, response) => response.end('"hello"')).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await expect(connectEngine({ dockerHost: `tcp://127.0.0.1:${port}` }, {})).rejects.toThrow(
      problem("DOCKER_UNREACHABLE", "not Docker"),
    );
    server.close();
    server.closeAllConnections();
  });

  it("that breaks while an answer is awaited is told, too", async () => {
    const proxy = createServer((client) => {
      const daemon = connect(dockerHost.replace("unix://", ""));
      client.pipe(daemon).on("data", (chunk: Buffer) => {
        client.write(chunk);
        if (breaking) {
          // Docker has sent its headers, and will send no more until the container ends.
          client.end();
          daemon.destroy();
        }
      });
    }).listen(0, "127.0.0.1");
    let breaking = false;
    await once(proxy, "listening");
    const { port } = proxy.address() as AddressInfo;
    const other = await connectEngine({ dockerHost: `tcp://127.0.0.1:${port}` }, {});
    const id = await start("sleep", "1000");
    breaking = true;
    await expect(other.waitContainer(id)).rejects.toThrow(problem("DOCKER_UNREACHABLE", String(port)));
    await other.close();
    proxy.close();
  });

  it("that was closed is told to who waits, and to who comes later", async () => {
    const other = await connectEngine({ dockerHost }, process.env);
    const id = await start("sleep", "1000");
    const waiting = other.waitContainer(id);
    await other.close();
    await expect(waiting).rejects.toThrow(problem("DOCKER_UNREACHABLE", dockerHost));
    await expect(other.info()).rejects.toThrow(problem("DOCKER_UNREACHABLE", dockerHost));
  });
});

describe("a container", () => {
  it("lives and dies, and what is already so is done", async () => {
    const wanted = name();
    const id = await engine.createContainer(wanted, spec(["sleep", "1000"], { restartPolicy: "unless-stopped" }));
    expect(await engine.inspectContainer(id)).toMatchObject({ name: wanted, running: false, command: ["sleep", "1000"] });
    await engine.startContainer(id);
    await engine.startContainer(id);
    const details = await engine.inspectContainer(wanted);
    expect(details).toMatchObject({ id, image, running: true, restartCount: 0 });
    expect(details?.pid).toBeGreaterThan(0);
    expect(Date.now() - Date.parse(details?.startedAt ?? "")).toBeLessThan(60_000);
    expect(await engine.listContainers([label])).toContainEqual(
      expect.objectContaining({ id, name: wanted, image, imageId: details?.imageId, state: "running" }),
    );
    await engine.setRestartPolicy(id, "always");
    await engine.stopContainer(id, 0);
    await engine.stopContainer(id, 0);
    expect(await engine.inspectContainer(id)).toMatchObject({ running: false, exitCode: 137, restartPolicy: "always" });
    await engine.removeContainer(id);
    await engine.removeContainer(id);
    expect(await engine.inspectContainer(id)).toBeUndefined();
    expect(await engine.listContainers([label])).not.toContainEqual(expect.objectContaining({ id }));
  });

  it("is removed while it runs, by two at once", async () => {
    const id = await start("sleep", "1000");
    await Promise.all([engine.removeContainer(id), engine.removeContainer(id)]);
    await vi.waitUntil(async () => (await engine.inspectContainer(id)) === undefined);
  });

  it("runs its command instead of the image's entry point", async () => {
    const id = await start("bash", "-c", 'echo "$0 $# $A"', "one", "two  words", "three");
    expect(await engine.waitContainer(id)).toBe(0);
    expect(await engine.containerLogs(id, { tail: 10 })).toBe("one 2 \n");
  });

  it("has of the host what it asks for", async () => {
    const more = { hostPid: true, privileged: true, hostCgroupNamespace: true, env: { A: "b c" } };
    const binds = [{ source: "/tmp", target: "/host-tmp", readOnly: true, propagation: "rslave" as const }];
    const id = await engine.createContainer(name(), spec(["bash", "-c", 'echo "$A"'], { ...more, binds }));
    const fields = ["NetworkMode", "PidMode", "CgroupnsMode", "Privileged", "Binds", "AutoRemove"];
    const format = fields.map((field) => `{{.HostConfig.${field}}}`).join(" ");
    expect(await docker("inspect", "-f", format, id)).toBe("host host host true [/tmp:/host-tmp:ro,rslave] false");
    expect(await engine.inspectContainer(id)).toMatchObject({ binds: ["/tmp:/host-tmp:ro,rslave"] });
    await engine.startContainer(id);
    await engine.waitContainer(id);
    expect(await engine.containerLogs(id, { tail: 1 })).toBe("b c\n");
  });

  it("that fails tells its status to who waits", async () => {
    expect(await engine.waitContainer(await start("bash", "-c", "exit 7"))).toBe(7);
  });

  it("is not waited for longer than its caller likes", async () => {
    const id = await start("sleep", "1000");
    await expect(engine.waitContainer(id, AbortSignal.timeout(100))).rejects.toThrow("timeout");
  });

  it("of an image that is not here is refused in the daemon's words", async () => {
    const thrown = engine.createContainer(name(), spec(["true"], { image: "tsdeploy/nowhere:1" }));
    await expect(thrown).rejects.toThrow(EngineError);
    const message = expect.stringMatching(/^No such image/i) as string;
    await expect(thrown).rejects.toMatchObject({ status: 404, message });
  });

  it("shows the last lines of both its streams", async () => {
    const id = await start("bash", "-c", "echo one; echo two >&2; echo drei ä");
    await engine.waitContainer(id);
    const lines = (await engine.containerLogs(id, { tail: 3 })).trimEnd().split("\n");
    expect(lines.sort()).toEqual(["drei ä", "one", "two"]);
    expect((await engine.containerLogs(id, { tail: 1 })).split("\n")).toHaveLength(2);
  });

  it("has its log followed until it ends", async () => {
    // Docker 20.10 may leave out the last lines of a container that ends at once (`docker logs -f` too).
    const id = await start("bash", "-c", "for i in {1..20000}; do echo line $i; done; sleep 1000");
    let seen = "";
    for await (const chunk of await engine.followLogs(id, { tail: 1_000_000, signal: new AbortController().signal })) {
      seen += String(chunk);
      if (seen.endsWith("line 20000\n")) {
        await engine.stopContainer(id, 0);
      }
    }
    expect(seen).toMatch(/^line 1\n(line \d+\n)*line 20000\n$/);
  });

  it("has its log followed until the caller has enough", async () => {
    const id = await start("bash", "-c", "while :; do echo more; sleep 0.01; done");
    const enough = new AbortController();
    let seen = "";
    for await (const chunk of await engine.followLogs(id, { tail: 0, signal: enough.signal })) {
      seen += String(chunk);
      if (seen.length > 20) {
        enough.abort();
      }
    }
    expect(seen).toContain("more\nmore\n");
    expect(await engine.inspectContainer(id)).toMatchObject({ running: true });
  });
});

describe("a container whose standard input we hold", () => {
  const helper = { component: "helper" as const };

  it("ends, and is gone, when we let go", async () => {
    const { id, stdin } = await engine.runAttached(name(), spec(["cat"], helper));
    expect(await engine.inspectContainer(id)).toMatchObject({ running: true });
    stdin.end();
    await vi.waitUntil(async () => (await engine.inspectContainer(id)) === undefined, { timeout: 10_000 });
  });

  it("ends, and is gone, with the connection", async () => {
    const other = await connectEngine({ dockerHost }, process.env);
    const { id } = await other.runAttached(name(), spec(["cat"], helper));
    await other.close();
    await vi.waitUntil(async () => (await engine.inspectContainer(id)) === undefined, { timeout: 10_000 });
  });

  it("leaves nothing if it cannot start", async () => {
    const wanted = name();
    await expect(engine.runAttached(wanted, spec(["/nowhere"], helper))).rejects.toThrow(EngineError);
    await vi.waitUntil(async () => (await engine.inspectContainer(wanted)) === undefined);
  });
});

describe("a program in a container", () => {
  let id: string;

  beforeAll(async () => {
    id = await start("sleep", "1000");
  });

  it("tells how it ended and what it said", async () => {
    const { exitCode, stdout, stderr } = await engine.exec(id, ["bash", "-c", "echo 1; echo ä >&2; exit 3"]);
    expect({ exitCode, stdout: stdout.toString(), stderr }).toEqual({ exitCode: 3, stdout: "1\n", stderr: "ä\n" });
  });

  it("is waited for even if it closes its output", async () => {
    expect(await engine.exec(id, ["bash", "-c", "exec >&- 2>&-; sleep 0.3; exit 4"])).toMatchObject({ exitCode: 4 });
  });

  it("reads all of its input and writes large output", async () => {
    const stdin = randomBytes(20_000_000);
    const { exitCode, stdout } = await engine.exec(id, ["head", "-c", String(stdin.length)], { stdin });
    expect(exitCode).toBe(0);
    expect(stdout.equals(stdin)).toBe(true);
  });

  it("that fails before it has read its input is heard", async () => {
    const stdin = randomBytes(20_000_000);
    const result = await engine.exec(id, ["bash", "-c", "echo no room >&2; exit 5"], { stdin });
    expect(result).toMatchObject({ exitCode: 5, stderr: "no room\n" });
  });

  it("that is not there is a refusal, and so is a container that does not run", async () => {
    await expect(engine.exec(id, ["/nowhere/program"])).rejects.toThrow(/\/nowhere\/program/);
    await expect(engine.exec("no-such-container", ["true"])).rejects.toMatchObject({ name: "EngineError", status: 404 });
    const stopped = await engine.createContainer(name(), spec(["true"]));
    await expect(engine.exec(stopped, ["true"])).rejects.toMatchObject({ name: "EngineError", status: 409 });
  });

  it("is left when its caller does not want to wait", async () => {
    await expect(engine.exec(id, ["sleep", "1000"], { signal: AbortSignal.timeout(200) })).rejects.toThrow("timeout");
    await expect(engine.exec(id, ["true"], { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it("runs beside others", async () => {
    const outputs = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => (await engine.exec(id, ["echo", String(n)])).stdout.toString()),
    );
    expect(outputs).toEqual(Array.from({ length: 20 }, (_, n) => `${n}\n`));
  });

  it("is a stream that gives back 50 MB to a slow reader", async () => {
    const sent = randomBytes(50_000_000);
    const stream = await engine.execStream(id, ["cat"]);
    const received: Buffer[] = [];
    const reader = async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) {
        received.push(chunk);
        if (received.length % 50 === 0) {
          await new Promise(setImmediate);
        }
      }
    };
    await pipeline([sent], stream, reader);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  it("is a stream whose error is what it said", async () => {
    const stream = await engine.execStream(id, ["socat", "-", "TCP:127.0.0.1:1"]);
    await expect(text(stream)).rejects.toThrow(/^socat: .*Connection refused/s);
    await expect(text(await engine.execStream(id, ["/nowhere"]))).rejects.toThrow("/nowhere");
  });

  it("is a stream that ends quietly with the connection", async () => {
    const other = await connectEngine({ dockerHost }, process.env);
    const stream = await other.execStream(id, ["cat"]);
    const closed = once(stream, "close");
    await other.close();
    await closed;
    expect(stream.errored).toBeNull();
  });

  it("is a socket for TLS and HTTP", async () => {
    const { identity } = await makeIdentity(identityRequest);
    const { certificate, privateKey } = identity.ca;
    const body = randomBytes(10_000_000);
    const server = createHttpsServer({ cert: certificate, key: privateKey }, (incoming, response) => {
      incoming.pipe(response);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const stream = await engine.execStream(id, ["socat", "-", `TCP:127.0.0.1:${port},nodelay`]);
    const socket = connectTls({ socket: stream, ca: certificate, checkServerIdentity: () => undefined });
    await once(socket, "secureConnect");
    for (const size of [10, body.length]) {
      const client = request({ method: "POST", createConnection: () => socket, headers: { connection: "keep-alive" } });
      client.end(body.subarray(0, size));
      const [response] = (await once(client, "response")) as [AsyncIterable<Buffer>];
      const chunks: Buffer[] = [];
      for await (const chunk of response) {
        chunks.push(chunk);
      }
      expect(Buffer.concat(chunks).equals(body.subarray(0, size))).toBe(true);
    }
    const closed = once(stream, "close");
    socket.end();
    await closed;
    server.close();
    server.closeAllConnections();
  });
});

function buildContext(dockerfile: string): Readable {
  const archive = pack();
  archive.entry({ name: "Dockerfile" }, dockerfile);
  archive.finalize();
  return Readable.from(archive, { objectMode: false });
}

describe("an image", () => {
  it("is shown, or is not here", async () => {
    const details = await engine.inspectImage(image);
    expect(details).toMatchObject({ os: "linux", labels: { "org.opencontainers.image.version": "v1.20.2" } });
    expect(details?.tags).toContain(image);
    expect(details?.id).toBe(await docker("image", "inspect", "-f", "{{.Id}}", image));
    expect(details?.sizeBytes).toBeGreaterThan(1e6);
    expect(await engine.inspectImage("tsdeploy/nowhere:1")).toBeUndefined();
    expect(await engine.inspectImage(details?.id ?? "")).toEqual(details);
  });

  it("is found by its labels", async () => {
    const found = await engine.listImages(["io.tsdeploy.image.pause", "org.opencontainers.image.version=v1.20.2"]);
    expect(found.flatMap(({ tags }) => tags)).toContain(image);
    expect(await engine.listImages(["io.tsdeploy.image.pause=nothing"])).toEqual([]);
  });

  it("of an impossible name is refused before Docker is asked", async () => {
    await expect(engine.inspectImage("../info?x=")).rejects.toMatchObject({ kind: "usage" });
  });

  it("is built, named and taken away again", async () => {
    const context = buildContext(`FROM ${image}\nLABEL built=yes\nRUN echo "from within"\n`);
    const [tag, other] = [`tsdeploy-test/${Date.now()}:1`, `tsdeploy-test/${Date.now()}:2`];
    const lines: string[] = [];
    const onLine = (line: string): void => void lines.push(line);
    const { signal } = new AbortController();
    await engine.buildImage(context, { tag, onLine, signal });
    expect(lines).toContain("from within");
    const built = await engine.inspectImage(tag);
    expect(built?.labels).toMatchObject({ built: "yes" });
    const base = await engine.inspectImage(image);
    expect(built?.layers.slice(0, base?.layers.length)).toEqual(base?.layers);

    await engine.tagImage(tag, other);
    await engine.removeImage(tag);
    expect((await engine.inspectImage(other))?.tags).toEqual([other]);
    await engine.removeImage(other);
    await engine.removeImage(other);
    expect(await engine.inspectImage(built?.id ?? "")).toBeUndefined();
  });

  it("is built by a proxy that is nowhere in it", async () => {
    const context = buildContext(`FROM ${image}\nRUN echo "by $http_proxy"\n`);
    const tag = `tsdeploy-test/${Date.now()}:1`;
    const lines: string[] = [];
    const onLine = (line: string): void => void lines.push(line);
    const buildArgs = { http_proxy: "http://me:secret@proxy.lab:3128" };
    await engine.buildImage(context, { tag, buildArgs, onLine, signal: new AbortController().signal });
    const all = `${await docker("image", "inspect", tag)}${await docker("history", "--no-trunc", tag)}`;
    await engine.removeImage(tag);
    expect(lines).toContain("by http://me:secret@proxy.lab:3128");
    expect(all).toContain("echo");
    expect(all).not.toContain("proxy.lab");
  });

  it("that cannot be built tells what the builder said last", async () => {
    const context = buildContext(`FROM ${image}\nRUN echo the last words; exit 3\n`);
    const options = { tag: "tsdeploy-test/never:1", onLine: () => undefined, signal: new AbortController().signal };
    await expect(engine.buildImage(context, options)).rejects.toMatchObject({
      name: "EngineError",
      message: expect.stringMatching(/non-zero code: 3[^]*the last words/) as string,
    });
    expect(await engine.inspectImage("tsdeploy-test/never:1")).toBeUndefined();
  });

  it("that is being built is not, after Ctrl-C", async () => {
    const context = buildContext(`FROM ${image}\nRUN echo it goes on; sleep 1000\n`);
    const stop = new AbortController();
    const onLine = (line: string): void => {
      if (line === "it goes on") stop.abort();
    };
    const options = { tag: "tsdeploy-test/never:1", onLine, signal: stop.signal };
    await expect(engine.buildImage(context, options)).rejects.toThrow(/abort/i);
  });
});
