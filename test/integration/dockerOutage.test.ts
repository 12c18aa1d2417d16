import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { patientEngine } from "../../src/docker/patientEngine.js";
import { openHelper, prepareLook } from "../../src/host/helperSession.js";
import type { HostLock } from "../../src/host/hostLock.js";
import { lockName } from "../../src/model/hostLayout.js";
import type { ReportEvent } from "../../src/report/events.js";
import { freshMachine, hyperkube, machineName, sh } from "./support/testMachine.js";

const run = promisify(execFile);
const number = machineName.replace("machine-", "");

let connected: ContainerEngine;
let engine: ContainerEngine;
let stop: AbortController;
let events: ReportEvent[];

beforeAll(async () => {
  connected = await freshMachine();
  return async () => connected.close();
});

beforeEach(() => {
  stop = new AbortController();
  events = [];
  const report = (event: ReportEvent): void => void events.push(event);
  engine = patientEngine(connected, { signal: stop.signal, timeoutMs: 60_000, report });
});

afterEach(async () => {
  await sh("kill -CONT $(cat /run/docker.pid) 2>/dev/null; rm -rf /tmp/outage");
  await connected.waitUntilRemoved(lockName);
});

const lock = (): HostLock => ({
  command: "master",
  holder: "me@here",
  wait: false,
  report: (event) => void events.push(event),
  signal: stop.signal,
});

/** Its first run never ends by itself, the second does at once. */
const stuckOnce = `
  mkdir -p /host/tmp/outage && cd /host/tmp/outage && echo run >>runs
  [[ $(wc -l <runs) -gt 1 ]] || { mkfifo fifo && read -r _ <fifo; }
  echo done`;

const isStuck = async (): Promise<void> => {
  await vi.waitUntil(async () => (await sh("ls /tmp/outage/fifo 2>/dev/null || true")) !== "", { timeout: 30_000 });
};

describe("a helper", () => {
  it.each([
    ["is killed", async () => sh("kill -9 $(cat /run/docker.pid)")],
    ["is restarted", async () => run("scripts/dev/machines", ["restart-docker", number])],
  ])("is started anew when dockerd %s, has the lock again, and repeats its script", async (_, restart) => {
    const helper = await openHelper(engine, hyperkube, { lock: lock() });
    const first = helper.id;
    const script = helper.run(stuckOnce);
    await isStuck();
    await restart();
    const { stdout } = await script;
    expect(stdout.toString()).toBe("done\n");
    expect(helper.id).not.toBe(first);
    expect(await engine.inspectContainer(lockName)).toMatchObject({ id: helper.id, running: true });
    expect(await sh("wc -l </tmp/outage/runs")).toBe("2");
    // And once more, by a call that finds it gone.
    await restart();
    const stream = await helper.openTcp("127.0.0.1", 22);
    expect(String(await once(stream, "data"))).toMatch(/^SSH/);
    stream.destroy();
    await helper.close();
    expect(await engine.inspectContainer(lockName)).toBeUndefined();
    expect(events.filter(({ kind }) => kind === "warning")).toEqual([]);
  });

  it("is not started anew when another run has taken the host meanwhile", async () => {
    const helper = await openHelper(engine, hyperkube, { lock: lock() });
    const script = helper.run(stuckOnce);
    await isStuck();
    // Waits for the lock, and has it as soon as Docker is back: the first run is not let to look before that.
    const child = spawn("node_modules/.bin/vite-node", [
      "test/integration/support/lockHost.ts",
      engine.endpoint,
      hyperkube,
      "root@laptop",
      "0",
    ]);
    const inspect = vi.spyOn(connected, "info").mockImplementationOnce(async () => {
      await once(child.stdout, "data");
      return connected.info();
    });
    await sh(`docker rm -f ${lockName}`);
    await expect(script).rejects.toMatchObject({ kind: "conflict", problems: [{ code: "HOST_LOCKED" }] });
    // Nor is anything else done on the host of another run.
    await expect(engine.startContainer("kube_etcd_x")).rejects.toThrow("root@laptop");
    await helper.close();
    inspect.mockRestore();
    child.kill("SIGKILL");
  });
});

describe("a dockerd that hangs", () => {
  const hang = async (): Promise<unknown> => sh("kill -STOP $(cat /run/docker.pid)");

  it("does not keep Ctrl-C from ending a run, nor hides why it ended", async () => {
    const look = { dockerRootDir: "/var/lib/docker" };
    const helper = await openHelper(engine, hyperkube, { lock: lock(), look: await prepareLook(look) });
    await helper.look(look);
    await hang();
    const looks = engine.listContainers();
    const changes = helper.run("true");
    // By the container's own program.
    const brief = helper.run("true", [], { isBrief: true });
    for (const call of [looks, changes, brief]) call.catch(() => undefined);
    stop.abort();
    const beganMs = performance.now();
    await expect(looks).rejects.toMatchObject({ kind: "aborted" });
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    await expect(changes).rejects.toMatchObject({ kind: "aborted" });
    await expect(brief).rejects.toMatchObject({ kind: "aborted" });
    await helper.close();
    expect(performance.now() - beganMs).toBeLessThan(25_000);
    expect(events.at(-1)).toMatchObject({ kind: "warning", message: expect.stringContaining("helper") as string });
  });

  it("is an error that says which call it has not answered", async () => {
    const options = { signal: stop.signal, timeoutMs: 1_000, report: () => undefined };
    const impatient = patientEngine(connected, options);
    await hang();
    await expect(impatient.inspectContainer("kube_etcd_x")).rejects.toMatchObject({
      kind: "unreachable",
      problems: [{ code: "DOCKER_HUNG", message: expect.stringContaining("docker inspect kube_etcd_x") as string }],
    });
  });
});
