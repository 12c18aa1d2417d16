import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/docker/containerEngine.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";
import { containersOf } from "../../src/plan/diff.js";
import { carryOut } from "./memory/scene.js";
import { masterScene, runningMaster } from "./memory/scenes.js";

const of = { version: "v1.20.2", etcd: "3.4.23" };
const newer = { version: "v1.21.14", etcd: "3.5.24" };

/** What our containers are and how they are. */
function states(host: Awaited<ReturnType<typeof runningMaster>>): string[] {
  const { containers } = host.snapshot();
  return containers.flatMap(({ name, state }) => (name.startsWith("kube_") ? [`${name} ${String(state)}`] : []));
}

async function specOf(component: string, making: ReturnType<typeof masterScene>): Promise<ContainerSpec> {
  const scene = await making;
  const spec = containersOf(scene.plan).find((one) => one.component === component);
  if (!spec) throw new Error(component);
  return spec;
}

describe("a host in memory", () => {
  it("is copied whole, and the copy is another host", async () => {
    const host = await runningMaster(of);
    const copy = host.copy();
    expect(copy.snapshot()).toEqual(host.snapshot());
    const [etcd] = await copy.engine.listContainers(["io.tsdeploy.component=etcd"]);
    await copy.engine.removeContainer(etcd?.id ?? "");
    expect(states(copy)).toEqual(["kube_kubelet running"]);
    expect(states(host)).toEqual(["kube_etcd running", "kube_kubelet running"]);
  });

  it("refuses a name that is taken", async () => {
    const host = await runningMaster(of);
    const [taken] = await host.engine.listContainers(["io.tsdeploy.component=etcd"]);
    const creating = host.engine.createContainer(taken?.name ?? "", await specOf("etcd", masterScene(host, of)));
    await expect(creating).rejects.toThrow(EngineError);
  });

  it("ends the second etcd on one port, until the first stops", async () => {
    const host = await runningMaster(of);
    const [first] = await host.engine.listContainers(["io.tsdeploy.component=etcd"]);
    const second = await host.engine.createContainer("kube_etcd_2", await specOf("etcd", masterScene(host, of)));
    await host.engine.startContainer(second);
    expect(states(host)).toContain("kube_etcd restarting");
    await host.engine.stopContainer(first?.id ?? "", 1);
    expect(states(host)).toEqual(["kube_etcd exited", "kube_etcd running", "kube_kubelet running"]);
  });

  it("ends an etcd that finds data of a newer one", async () => {
    const host = await runningMaster(of, [newer]);
    const [old] = await host.engine.listContainers(["io.tsdeploy.component=etcd"]);
    await host.engine.stopContainer(old?.id ?? "", 1);
    const next = await host.engine.createContainer("kube_etcd_2", await specOf("etcd", masterScene(host, newer)));
    await host.engine.startContainer(next);
    await host.engine.stopContainer(next, 1);
    await host.engine.startContainer(old?.id ?? "");
    expect(states(host)).toContain("kube_etcd restarting");
  });

  it("has an API server while etcd and the control plane's pod run, and pods outlive their kubelet", async () => {
    const host = await runningMaster(of);
    const [kubelet] = await host.engine.listContainers(["io.tsdeploy.component=kubelet"]);
    const [etcd] = await host.engine.listContainers(["io.tsdeploy.component=etcd"]);
    await host.engine.stopContainer(kubelet?.id ?? "", 1);
    await expect(host.api.healthz()).resolves.toBeUndefined();
    await host.engine.stopContainer(etcd?.id ?? "", 1);
    await expect(host.api.healthz()).rejects.toThrow("API_UNREACHABLE");
  });

  it("keeps no copy of etcd's data that an earlier run has left unfinished", async () => {
    const host = await runningMaster(of);
    const cutOff = "/var/lib/etcd/member-before-upgrade.part";
    host.state.files.set(cutOff, { mode: 0o600, content: "" });
    expect(await carryOut(await masterScene(host, of), host)).toMatchObject({ error: undefined });
    expect(host.state.files.has(cutOff)).toBe(false);
  });

  it("lets the call that is named fail, once", async () => {
    const host = await runningMaster(of);
    const scene = await masterScene(host, { ...of, options: { extraArgs: { etcd: { "quota-backend-bytes": "1" } } } });
    host.faults.failAt({ step: "etcd", what: "start etcd" });
    expect(await carryOut(scene, host)).toMatchObject({ error: host.faults.error });
    expect(host.faults.error?.message).toContain("start etcd of step etcd");
    expect(await carryOut(scene, host)).toMatchObject({ error: undefined });
  });
});
