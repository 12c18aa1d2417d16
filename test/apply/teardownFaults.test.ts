import { describe, expect, it } from "vitest";
import type { ApplyContext } from "../../src/apply/applyContext.js";
import { applyPlan } from "../../src/apply/applyPlan.js";
import { lookForTeardown, planHostTeardown } from "../../src/deploy/hostToTearDown.js";
import { openHelper } from "../../src/host/helperSession.js";
import { messageOf } from "../../src/model/errors.js";
import type { Call } from "./memory/faults.js";
import { differences, type MemoryHost } from "./memory/memoryHost.js";
import { freshHost, type Owned, runningMaster, runningWorker } from "./memory/scenes.js";

const of = { version: "v1.20.2", etcd: "3.4.23" };
const node = "machine-2";
const owned: Owned = {
  files: {
    "/etc/kubernetes/addons/mine.json": { mode: 0o640, content: "{}" },
    "/etc/cni/net.d/99-mine.conf": { mode: 0o600, content: "mine" },
    "/var/lib/kubelet/config.json": { mode: 0o600, content: "mine" },
  },
  folders: {
    "/etc/kubernetes/addons": 0o750,
    "/etc/kubernetes/pki": 0o700,
    "/etc/kubernetes/scripts": 0o700,
    "/home": 0o711,
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec": 0o755,
    "/var/lib/kubelet": 0o750,
  },
};

/** `teardown --purge`; of a worker with leaving its cluster. */
async function tearDown(host: MemoryHost): Promise<{ readonly error: unknown; readonly calls: readonly Call[] }> {
  const { engine, api, faults } = host;
  const helper = await openHelper(engine, `tsdeploy/hyperkube:${of.version}`);
  const seen = await lookForTeardown(engine, helper);
  const timeoutMs = 2_000;
  const isWorker = host.state.isWorker && host.state.objects.has(`/api/v1/nodes/${node}`);
  const plan = planHostTeardown(seen, {
    options: { force: false, purge: true, timeoutMs },
    leave: isWorker ? { node, evictionApiVersion: "policy/v1beta1" } : undefined,
  });
  faults.reset();
  const context: ApplyContext = {
    engine,
    helper,
    api,
    containers: [],
    files: seen.files,
    kept: new Set(),
    report: faults.report,
    signal: new AbortController().signal,
    timeoutMs,
    pullTimeoutMs: timeoutMs,
    keepOnFailure: false,
    newId: () => "new",
  };
  const error = await faults.apart(() => applyPlan(plan, context)).then(
    () => undefined,
    (failure: unknown) => failure,
  );
  const calls = [...faults.calls];
  faults.rest();
  await helper.close();
  return { error, calls };
}

const hosts: Readonly<Record<string, { make: () => Promise<MemoryHost>; fresh: MemoryHost }>> = {
  master: { make: () => runningMaster(of, [], owned), fresh: freshHost(false, [of], owned) },
  worker: { make: () => runningWorker(of, [], owned), fresh: freshHost(true, [of], owned) },
};

describe.each(Object.entries(hosts))("a teardown of a %s", (_role, { make, fresh }) => {
  it("leaves the host as it was before the first run, all that is somebody's included", async () => {
    const host = await make();
    expect(await tearDown(host)).toMatchObject({ error: undefined });
    expect(differences(fresh.snapshot(), host.snapshot())).toEqual([]);
  });

  it.each(["refused", "lost"] as const)("is completed by the same command, whichever call is %s", async (how) => {
    const running = await make();
    const { calls } = await tearDown(running.copy());
    expect(calls.length).toBeGreaterThan(5);
    const found: string[] = [];
    for (const call of calls) {
      const host = running.copy();
      host.faults.failAt(call, how);
      const { error: first } = await tearDown(host);
      const { error } = await tearDown(host);
      const what = `${how} ${call.what} of ${call.step} (${messageOf(first)})`;
      if (error !== undefined) found.push(`${what}: ${messageOf(error)}`);
      found.push(...differences(fresh.snapshot(), host.snapshot()).map((line) => `${what}: ${line}`));
    }
    expect(found).toEqual([]);
  });
});

describe("a teardown of a worker that ends before the node has left", () => {
  it.each(["stop kubelet", "remove proxy"])("lets the node take pods again only while it is a node: %s", async (what) => {
    const host = await runningWorker(of);
    const { calls } = await tearDown(host.copy());
    const call = calls.find((one) => one.what === what);
    if (!call) throw new Error(what);
    host.faults.failAt(call);
    expect((await tearDown(host)).error).toBeDefined();
    expect(host.state.objects.has(`/api/v1/nodes/${node}`)).toBe(false);
  });

  it("lets the node take pods again if its Node object cannot be deleted", async () => {
    const host = await runningWorker(of);
    host.faults.failAt({ step: "remove-node", what: `DELETE /api/v1/nodes/${node}` });
    const before = host.snapshot().objects;
    expect((await tearDown(host)).error).toBe(host.faults.error);
    const { spec } = host.state.objects.get(`/api/v1/nodes/${node}`) as { spec?: { unschedulable?: boolean } };
    expect(spec?.unschedulable ?? false).toBe(false);
    expect(Object.keys(host.snapshot().objects)).toEqual(Object.keys(before));
  });
});
