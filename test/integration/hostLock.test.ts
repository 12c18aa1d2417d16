import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { type HelperOptions, openHelper } from "../../src/host/helperSession.js";
import type { HostLock } from "../../src/host/hostLock.js";
import { lockName } from "../../src/model/hostLayout.js";
import type { ReportEvent } from "../../src/report/events.js";
import { freshMachine, hyperkube, sh } from "./support/testMachine.js";

let engine: ContainerEngine;

beforeAll(async () => {
  engine = await freshMachine();
  return async () => engine.close();
});

afterEach(async () => {
  await sh(`docker rm -f ${lockName} >/dev/null 2>&1 || true`);
});

const lock = (more: Partial<HostLock> = {}): HelperOptions => ({
  lock: {
    command: "teardown",
    holder: "me@here",
    wait: false,
    report: () => undefined,
    signal: new AbortController().signal,
    ...more,
  },
});

/** Another process of somebody's. */
function other(holder: string, times: number): ChildProcess {
  const script = "test/integration/support/lockHost.ts";
  return spawn("node_modules/.bin/vite-node", [script, engine.endpoint, hyperkube, holder, String(times)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** A process that holds the lock until it is killed. */
async function held(holder: string): Promise<ChildProcess> {
  const child = other(holder, 0);
  if (child.stdout) await once(child.stdout, "data");
  return child;
}

describe("a host", () => {
  it("is changed by one process at a time, however often they race for it", async () => {
    const times = 15;
    // What a run leaves that died before it started its helper.
    await sh(`docker create --name ${lockName} --label io.tsdeploy.component=helper ${hyperkube} true`);
    const outcomes = await Promise.all(
      ["one", "two"].map(async (holder) => {
        const { stdout, stderr } = other(holder, times);
        return stdout && stderr ? Promise.all([text(stdout), text(stderr)]) : [];
      }),
    );
    const all = "held\n".repeat(times);
    expect(outcomes).toEqual([
      [all, ""],
      [all, ""],
    ]);
    expect(await engine.inspectContainer(lockName)).toBeUndefined();
  }, 180_000);

  it("that is held is refused with who holds it, and is free when its holder is killed", async () => {
    const child = await held("root@laptop");
    const error: unknown = await openHelper(engine, hyperkube, lock()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "conflict", exitCode: 4, problems: [{ code: "HOST_LOCKED" }] });
    expect(String(error)).toMatch(/`tsdeploy master` of root@laptop, .* since \d{4}-\d\d-\d\dT/);

    const events: ReportEvent[] = [];
    const waiting = openHelper(engine, hyperkube, lock({ wait: true, report: (event) => events.push(event) }));
    // Who only looks need not wait.
    await (await openHelper(engine, hyperkube)).close();
    child.kill("SIGKILL");
    await (await waiting).close();
    expect(events).toEqual([{ kind: "notice", message: expect.stringContaining("root@laptop") as string }]);
  });

  it("is waited for no longer than until Ctrl-C", async () => {
    const child = await held("root@laptop");
    const stop = new AbortController();
    const report = (): void => {
      stop.abort();
    };
    await expect(openHelper(engine, hyperkube, lock({ wait: true, report, signal: stop.signal }))).rejects.toThrow();
    expect(stop.signal.aborted).toBe(true);
    expect(await engine.inspectContainer(lockName)).toMatchObject({ running: true });
    child.kill("SIGKILL");
    await engine.waitUntilRemoved(lockName);
  });

  it.each(["create", "run"])("is not held by what a run left that is no more (docker %s)", async (how) => {
    await sh(`docker ${how} --name ${lockName} --label io.tsdeploy.component=helper ${hyperkube} true`);
    const helper = await openHelper(engine, hyperkube, lock());
    expect(await engine.inspectContainer(lockName)).toMatchObject({ id: helper.id, running: true });
    await helper.close();
  });

  it("keeps a container of its owner's that has the lock's name", async () => {
    await sh(`docker create --name ${lockName} ${hyperkube} true`);
    await expect(openHelper(engine, hyperkube, lock({ wait: true }))).rejects.toThrow("not tsdeploy's");
    expect(await engine.inspectContainer(lockName)).toMatchObject({ state: "created" });
  });
});
