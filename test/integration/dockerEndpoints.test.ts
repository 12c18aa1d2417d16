import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { nanoid } from "nanoid";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connectEngine } from "../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import type { TsdeployError } from "../../src/model/errors.js";

const run = promisify(execFile);
const number = process.env["TSDEPLOY_TEST_MACHINE"] ?? "4";
const machine = `machine-${number}`;
const machines = "/run/tsdeploy-machines";
const address = `10.77.0.${10 + Number(number)}`;
const image = "tsdeploy/hyperkube:v1.20.2";
const tlsFolder = `${machines}/${number}/tls`;

/** An operator's home, and an ssh that knows the test machines. */
let homeDir: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  await run("scripts/dev/machines", ["up", "--only", number]);
  await run("scripts/dev/machines", ["load", image, number]);
  homeDir = mkdtempSync(join(tmpdir(), "operator-"));
  // Of its own, so that what ssh leaves there is seen.
  mkdirSync(join(homeDir, "tmp"));
  vi.stubEnv("TMPDIR", join(homeDir, "tmp"));
  env = { HOME: homeDir, PATH: `${machines}/bin:${process.env["PATH"] ?? ""}` };
});

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(homeDir, { recursive: true });
});

function problem(text: string) {
  return expect.objectContaining({
    kind: "unreachable",
    problems: [
      expect.objectContaining({ code: "DOCKER_UNREACHABLE", message: expect.stringContaining(text) as string }),
    ],
  }) as TsdeployError;
}

/** That everything goes through: requests, hijacked streams both ways, and the end. */
async function expectItToWork(engine: ContainerEngine): Promise<void> {
  expect((await engine.info()).hostname).toBe(machine);
  const { id } = await engine.runAttached(`tsdeploy-test-${nanoid(8)}`, {
    component: "helper",
    image,
    command: ["cat"],
    binds: [],
    labels: {},
    hostPid: false,
    privileged: false,
    hostCgroupNamespace: false,
    restartPolicy: "no",
  });
  try {
    const sent = randomBytes(10_000_000);
    const argv = ["head", "-c", String(sent.length)];
    expect((await engine.exec(id, argv, { stdin: sent })).stdout.equals(sent)).toBe(true);
    const stream = await engine.execStream(id, argv);
    stream.write(sent);
    expect((await buffer(stream)).equals(sent)).toBe(true);
    const echo = await engine.execStream(id, ["cat"]);
    echo.end("the end of what is sent is seen, too");
    expect((await buffer(echo)).toString()).toBe("the end of what is sent is seen, too");
  } finally {
    await engine.close();
  }
  const socket = await connectEngine({ dockerHost: `unix://${machines}/${number}/docker.sock` }, env);
  await vi.waitUntil(async () => (await socket.inspectContainer(id)) === undefined, { timeout: 10_000 });
  await socket.close();
}

describe("tcp:// with TLS", () => {
  const dockerHost = `tcp://${address}:2376`;

  it("works with DOCKER_CERT_PATH", async () => {
    const tls = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: tlsFolder };
    await expectItToWork(await connectEngine({}, { ...env, ...tls, DOCKER_HOST: dockerHost }));
  });

  it("works by a context, the current one", async () => {
    const id = createHash("sha256").update("far").digest("hex");
    const contexts = join(homeDir, ".docker", "contexts");
    mkdirSync(join(contexts, "meta", id), { recursive: true });
    mkdirSync(join(contexts, "tls", id, "docker"), { recursive: true });
    const meta = { Name: "far", Metadata: {}, Endpoints: { docker: { Host: dockerHost, SkipTLSVerify: false } } };
    writeFileSync(join(contexts, "meta", id, "meta.json"), JSON.stringify(meta));
    for (const file of ["ca.pem", "cert.pem", "key.pem"]) {
      copyFileSync(join(tlsFolder, file), join(contexts, "tls", id, "docker", file));
    }
    writeFileSync(join(homeDir, ".docker", "config.json"), JSON.stringify({ currentContext: "far" }));
    await expectItToWork(await connectEngine({}, env));
    rmSync(join(homeDir, ".docker"), { recursive: true });
  });

  it("does not trust another authority", async () => {
    const folder = join(homeDir, "certificates");
    mkdirSync(folder);
    const authority = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    await run("openssl", [...authority, "-subj", "/CN=x", "-keyout", join(folder, "x"), "-out", join(folder, "ca.pem")]);
    const tls = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: folder };
    await expect(connectEngine({ dockerHost }, { ...env, ...tls })).rejects.toThrow(problem("certificate"));
  });

  it("is refused by the daemon without a client's certificate", async () => {
    await expect(connectEngine({ dockerHost }, { ...env, DOCKER_TLS: "1" })).rejects.toThrow(problem(dockerHost));
  });

  it("is asked for by a daemon that has it, in a way that helps", async () => {
    await expect(connectEngine({ dockerHost }, env)).rejects.toMatchObject({
      problems: [{ code: "DOCKER_UNREACHABLE", hint: expect.stringContaining("DOCKER_TLS_VERIFY") as string }],
    });
  });
});

describe("ssh://", () => {
  const dockerHost = `ssh://root@${machine}`;

  /** Processes of tunnels that end on this machine's private socket. */
  async function tunnels(): Promise<string[]> {
    const { stdout } = await run("ps", ["-eo", "pid,args", "--no-headers"]);
    return stdout.split("\n").filter((line) => line.includes(join(homeDir, "tmp")));
  }

  async function expectNothingLeft(): Promise<void> {
    await vi.waitUntil(async () => (await tunnels()).length === 0, { timeout: 5_000 });
    expect((await run("ls", [join(homeDir, "tmp")])).stdout).toBe("");
  }

  it("works, its socket is private, and nothing is left", async () => {
    const engine = await connectEngine({ dockerHost }, env);
    expect(engine.endpoint).toBe(dockerHost);
    const { stdout } = await run("find", [join(homeDir, "tmp"), "-mindepth", "1", "-printf", "%y %m\n"]);
    expect(stdout).toMatch(/^d 700\ns [0-7]00\n$/);
    await expectItToWork(engine);
    await expectNothingLeft();
  });

  it("says what ssh says if it does not get in", async () => {
    await expect(connectEngine({ dockerHost: `ssh://nobody-here@${machine}` }, env)).rejects.toThrow(
      problem("Permission denied"),
    );
    await expect(connectEngine({ dockerHost: "ssh://no-such-host.invalid" }, env)).rejects.toThrow(problem("resolve"));
    await expect(connectEngine({ dockerHost }, { ...env, PATH: homeDir })).rejects.toThrow(problem("ssh"));
    await expectNothingLeft();
  });

  it("does not connect to a host whose key it does not know", async () => {
    const folder = join(homeDir, "strict");
    mkdirSync(folder);
    const config = readFileSync(`${machines}/ssh_config`, "utf8").replace(/UserKnownHostsFile .*/, "UserKnownHostsFile /dev/null");
    writeFileSync(join(folder, "config"), config);
    writeFileSync(join(folder, "ssh"), `#!/bin/sh\nexec /usr/bin/ssh -F ${folder}/config "$@"\n`, { mode: 0o755 });
    const PATH = `${folder}:${process.env["PATH"] ?? ""}`;
    await expect(connectEngine({ dockerHost }, { ...env, PATH })).rejects.toThrow(problem("Host key verification failed"));
  });

  it("says what ssh says if there is no daemon behind it", async () => {
    await expect(connectEngine({ dockerHost: `${dockerHost}/nowhere/docker.sock` }, env)).rejects.toThrow(
      problem("open failed"),
    );
    await expectNothingLeft();
  });

  it("tells when the tunnel breaks", async () => {
    const engine = await connectEngine({ dockerHost }, env);
    const [ssh] = (await tunnels()).filter((line) => /^ *\d+ \/usr\/bin\/ssh /.test(line));
    process.kill(Number.parseInt(ssh ?? ""));
    await expect(engine.info()).rejects.toThrow(problem(dockerHost));
    await engine.close();
    await expectNothingLeft();
  });

  it("survives Ctrl-C, for what has to be undone, but not the process that it is for", async () => {
    const script = "test/integration/support/holdEngine.ts";
    const child = spawn("node_modules/.bin/vite-node", [script, dockerHost], {
      env: { ...env, TMPDIR: join(homeDir, "tmp") },
      detached: true,
    });
    await once(child.stdout, "data");
    const before = await tunnels();
    expect(before.length).toBeGreaterThan(0);
    // As a terminal does: to the whole group.
    process.kill(-(child.pid ?? 0), "SIGINT");
    const [answer] = (await once(child.stdout, "data")) as [Buffer];
    expect(answer.toString()).toBe(`${machine}\n`);
    expect(await tunnels()).toEqual(before);
    child.kill("SIGKILL");
    await expectNothingLeft();
  });
});
