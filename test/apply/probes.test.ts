import { describe, expect, it } from "vitest";
import { openHelper } from "../../src/host/helperSession.js";
import {
  nodeOf,
  probeApi,
  probeApiServes,
  probeNodeReady,
  probeNodeRegistered,
} from "../../src/apply/probes.js";
import { TsdeployError } from "../../src/model/errors.js";
import { paths } from "../../src/model/hostLayout.js";
import type { MemoryHost } from "./memory/memoryHost.js";
import { runningMaster } from "./memory/scenes.js";

const of = { version: "v1.20.2", etcd: "3.4.23" };
const image = `tsdeploy/hyperkube:${of.version}`;
const never = new AbortController().signal;
const node = "machine-1";

async function stop({ engine }: MemoryHost, component: string): Promise<void> {
  for (const { id } of await engine.listContainers([`io.tsdeploy.component=${component}`])) {
    await engine.stopContainer(id, 1);
  }
}

async function start({ engine }: MemoryHost, component: string): Promise<void> {
  for (const { id } of await engine.listContainers([`io.tsdeploy.component=${component}`])) {
    await engine.startContainer(id);
  }
}

describe("the API server", () => {
  it("serves and is well where a master runs", async () => {
    const host = await runningMaster(of);
    const helper = await openHelper(host.engine, image);
    expect(await probeApiServes(host.api, helper, of.version, never)).toEqual({ done: true });
    expect(await probeApi(host.api, never)).toEqual({ done: true });
  });

  it("of another minor version does not do", async () => {
    const host = await runningMaster(of);
    const helper = await openHelper(host.engine, image);
    expect(await probeApiServes(host.api, helper, "v1.20.15", never)).toEqual({ done: true });
    const seen = "the API server is of v1.20.2, not of v1.21.0: see its manifest in /etc/kubernetes/manifests-multi";
    expect(await probeApiServes(host.api, helper, "v1.21.0", never)).toEqual({ done: false, seen });
  });

  it("is waited for inside the host until its port accepts", async () => {
    const host = await runningMaster(of);
    const helper = await openHelper(host.engine, image);
    await stop(host, "etcd");
    const serving = probeApiServes(host.api, helper, of.version, never);
    await start(host, "etcd");
    expect(await serving).toEqual({ done: true });
    expect(host.faults.calls.filter(({ what }) => what.startsWith("exec until"))).toHaveLength(1);
  });

  it("is no failure while it is away, but a sight", async () => {
    const host = await runningMaster(of);
    await stop(host, "etcd");
    const away = { done: false, seen: "the API server: API_UNREACHABLE: the API server cannot be reached" };
    expect(await probeApi(host.api, never)).toEqual(away);
    expect(await probeNodeRegistered(host.api, node, never)).toMatchObject({ done: false });
  });

  it("that fails otherwise is a failure", async () => {
    const host = await runningMaster(of);
    host.faults.failAt({ step: "", what: "GET /healthz" });
    await expect(probeApi(host.api, never)).rejects.toThrow(TsdeployError);
  });
});

describe("a node", () => {
  it("has registered, and is read without its name's being there", async () => {
    const host = await runningMaster(of);
    expect(await probeNodeRegistered(host.api, node, never)).toEqual({ done: true });
    expect(await probeNodeRegistered(host.api, "other", never)).toEqual({
      done: false,
      seen: "node other has not registered",
      isMissing: true,
    });
    expect(await nodeOf(host.api, "other", never)).toBeUndefined();
  });

  it("is Ready by a heartbeat of this life of its kubelet alone", async () => {
    const host = await runningMaster(of);
    expect(await probeNodeReady(host.api, node, Date.now() - 5_000, never)).toEqual({ done: true });
    await stop(host, "kubelet");
    host.state.heartbeatMs = Date.now() - 60_000;
    expect(await probeNodeReady(host.api, node, Date.now(), never)).toEqual({
      done: false,
      seen: `node ${node} has not reported since its kubelet started`,
    });
  });

  it("that reports itself as not Ready is shown with its reason", async () => {
    const host = await runningMaster(of);
    host.state.files.delete(paths.cniConfigFile);
    expect(await probeNodeReady(host.api, node, 0, never)).toEqual({
      done: false,
      seen: `node ${node} is not Ready: no network`,
    });
  });
});
