import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { connectEngine } from "../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { parseDockerEndpoint } from "../../src/docker/dockerEndpoint.js";
import { patientEngine } from "../../src/docker/patientEngine.js";
import { openSshTunnel, type SshTunnel } from "../../src/docker/sshTunnel.js";
import { type FakeDaemon, fakeDaemon } from "./fakeDaemon.js";
import { connect as connectAsUsual, type FakeSsh, fakeSsh } from "./fakeSsh.js";

/** As little of `docker info` as there may be. */
const info = { Name: "far", OSType: "linux", Architecture: "x86_64", DockerRootDir: "/var/lib/docker", NCPU: 1, MemTotal: 1 };

/** A busy machine is no failure. */
const patience = { timeout: 30_000 };

let daemon: FakeDaemon;
let ssh: FakeSsh;
let engine: ContainerEngine | undefined;
let hear: () => void = () => undefined;

beforeEach(async () => {
  ssh = fakeSsh();
  daemon = await fakeDaemon((request, response) => {
    if (request.url?.includes("/containers/silent/") === true) hear();
    else response.end(request.url?.endsWith("/info") === true ? JSON.stringify(info) : "[]");
  });
});

afterEach(async () => {
  await engine?.close();
  engine = undefined;
  await daemon.close();
  ssh.remove();
});

async function openTunnel(): Promise<SshTunnel> {
  return openSshTunnel(parseDockerEndpoint(`ssh://far${daemon.socketPath}`) as Parameters<typeof openSshTunnel>[0], ssh.env);
}

async function connect(timeoutMs: number): Promise<{ engine: ContainerEngine; stop: AbortController }> {
  const stop = new AbortController();
  const connected = await connectEngine({ dockerHost: `ssh://far${daemon.socketPath}` }, ssh.env, { signal: stop.signal });
  engine = patientEngine(connected, { signal: stop.signal, timeoutMs, report: () => undefined });
  return { engine, stop };
}

function breakConnection(): void {
  process.kill(ssh.pids().at(-1) ?? 0, "SIGKILL");
}

describe("an SSH connection that breaks", () => {
  it("is made again before the call that met it", async () => {
    const { engine } = await connect(30_000);
    for (const connections of [1, 2, 3]) {
      expect(await engine.listContainers()).toEqual([]);
      expect(ssh.pids()).toHaveLength(connections);
      breakConnection();
    }
  });

  it("is made again for what has to be undone after Ctrl-C", async () => {
    const { engine, stop } = await connect(30_000);
    const heard = new Promise<void>((resolve) => (hear = resolve));
    const call = engine.inspectContainer("silent");
    await heard;
    stop.abort();
    await expect(call).rejects.toThrow("ABORTED");
    breakConnection();
    await engine.removeContainer("x");
    expect(daemon.requests.at(-1)).toContain("DELETE");
  });

  it("and cannot be made again is tried for as long as any call, and said with ssh's own words", async () => {
    const { engine } = await connect(1_000);
    ssh.behave(`console.error("far: No route to host"); process.exit(255);`);
    breakConnection();
    await expect(engine.listContainers()).rejects.toThrow(/cannot reach Docker at ssh:\/\/far.*No route to host/);
    expect(ssh.pids().length).toBeGreaterThan(1);
  });

  it("leaves nothing when it is closed, not even while it is made again", async () => {
    const tunnel = await openTunnel();
    // It answers to nobody any more.
    ssh.behave(`setInterval(() => undefined, 1_000_000);`);
    breakConnection();
    let connecting: Promise<unknown> | undefined;
    await vi.waitUntil(() => {
      connecting = tunnel.reconnect(60_000).catch(() => "ended");
      return ssh.pids().length === 2;
    }, patience);
    expect(existsSync(dirname(tunnel.socketPath))).toBe(true);
    await tunnel.close();
    expect(await connecting).toBe("ended");
    expect(existsSync(dirname(tunnel.socketPath))).toBe(false);
    expect(() => process.kill(ssh.pids().at(-1) ?? 0, 0)).toThrow("ESRCH");
    await tunnel.reconnect(60_000);
    expect(ssh.pids()).toHaveLength(2);
  });

  it("and is not made again in time is given up, with its ssh", async () => {
    const tunnel = await openTunnel();
    ssh.behave(`setInterval(() => undefined, 1_000_000);`);
    breakConnection();
    const again = async (): Promise<unknown> => tunnel.reconnect(300).then(() => undefined, (error: unknown) => error);
    const late = vi.waitUntil(again, patience);
    expect(await late).toMatchObject({ message: expect.stringContaining("ssh did not connect in time") as string });
    expect(() => process.kill(ssh.pids().at(-1) ?? 0, 0)).toThrow("ESRCH");
    ssh.behave(undefined);
    await tunnel.reconnect(30_000);
    await tunnel.close();
  });
});

it("Ctrl-C ends an ssh that has not connected yet", async () => {
  ssh.behave(`setInterval(() => undefined, 1_000_000);`);
  const stop = new AbortController();
  const connecting = connectEngine({ dockerHost: `ssh://far${daemon.socketPath}` }, ssh.env, { signal: stop.signal });
  const failure = connecting.catch((error: unknown) => error);
  await vi.waitUntil(() => ssh.pids().length === 1, patience);
  stop.abort();
  expect(await failure).toMatchObject({ kind: "aborted" });
  expect(() => process.kill(ssh.pids()[0] ?? 0, 0)).toThrow("ESRCH");
});

it("what ssh leaves in the background with its stderr keeps no process that has closed its tunnel", async () => {
  const pipes = (): number => process.getActiveResourcesInfo().filter((name) => name === "PipeWrap").length;
  const before = pipes();
  ssh.behave(`
    const left = spawn("sleep", ["1000"], { detached: true, stdio: ["ignore", "ignore", "inherit"] });
    fs.appendFileSync(__dirname + "/pids", left.pid + "\\n");
    left.unref();
    ${connectAsUsual}`);
  const tunnel = await openTunnel();
  await tunnel.close();
  expect(pipes()).toBe(before);
  process.kill(ssh.pids()[1] ?? 0);
});
