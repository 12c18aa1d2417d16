import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/docker/containerEngine.js";
import { paths } from "../../src/model/hostLayout.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { MemoryHost } from "./memory/memoryHost.js";
import { carryOut, carryOutWell, type Outcome, type Scene } from "./memory/scene.js";
import { freshHost, furtherMasterScene, masterScene, runningMaster } from "./memory/scenes.js";

const old = { version: "v1.20.2", etcd: "3.4.23" };
const newer = { version: "v1.21.14", etcd: "3.5.24" };
const several = { severalMasters: true } as const;
const written = "/api/v1/namespaces/default/configmaps/written-meanwhile";

/** One of two masters, both at the old version. */
async function oneOfTwo(): Promise<MemoryHost> {
  const { state } = await runningMaster({ ...old, options: several });
  const host = freshHost(false, [old, newer], {}, structuredClone({ etcd: state.etcd, objects: state.objects }));
  await carryOutWell(await furtherMasterScene(host, old), host);
  return host;
}

/** Something is written when this step begins, and Ctrl-C ends the upgrade. */
async function stopAt(step: string, scene: Scene, host: MemoryHost): Promise<Outcome> {
  const stop = new AbortController();
  const onEvent = (event: ReportEvent): void => {
    if (event.kind !== "step-started" || event.step !== step) return;
    host.state.objects.set(written, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "written-meanwhile" } });
    stop.abort();
  };
  const outcome = await carryOut(scene, host, { onEvent, signal: stop.signal });
  expect(outcome.error).toMatchObject({ kind: "aborted" });
  return outcome;
}

function etcdStates(host: MemoryHost): string[] {
  const { containers } = host.snapshot();
  return containers.flatMap(({ name, image, state }) => (name === "kube_etcd" ? [`${String(image)} ${String(state)}`] : []));
}

const oldImage = "tsdeploy/hyperkube:v1.20.2";
const newImage = "tsdeploy/hyperkube:v1.21.14";

describe("an upgrade of etcd that is stopped", () => {
  it("on one of several masters leaves the data: the others count on what it has acknowledged", async () => {
    const host = await oneOfTwo();
    const { warnings } = await stopAt("api-serves", await furtherMasterScene(host, newer), host);
    expect(warnings.join()).not.toContain("stays");
    expect(host.state.objects.has(written)).toBe(true);
    expect(etcdStates(host)).toEqual([`${oldImage} running`]);
    expect(host.state.files.has("/var/lib/etcd/member-before-upgrade")).toBe(false);
  });

  it("on the last of several leaves the new etcd, since no old one could start; the next run goes on", async () => {
    const host = await oneOfTwo();
    host.state.etcd.version = newer.etcd;
    const before = host.snapshot().files[paths.options];
    const { warnings } = await stopAt("api-serves", await furtherMasterScene(host, newer), host);
    expect(warnings.join()).toContain("etcd of this master stays at 3.5");
    expect(host.state.objects.has(written)).toBe(true);
    expect(etcdStates(host).sort()).toEqual([`${oldImage} exited`, `${newImage} running`]);
    expect(host.snapshot().files[paths.options]).toBe(before);
    await carryOutWell(await furtherMasterScene(host, newer), host);
    expect(etcdStates(host)).toEqual([`${newImage} running`]);
  });

  it("on the last of several, but before the new etcd has started, brings the old one back", async () => {
    const host = await oneOfTwo();
    host.state.etcd.version = newer.etcd;
    const { warnings } = await stopAt("files", await furtherMasterScene(host, newer), host);
    expect(warnings.join()).not.toContain("stays");
    expect(etcdStates(host)).toEqual([`${oldImage} running`]);
  });

  it("on the last of several brings the old one back where Docker does not start the new one", async () => {
    const host = await oneOfTwo();
    host.state.etcd.version = newer.etcd;
    const start = host.engine.startContainer.bind(host.engine);
    const refusing = async (id: string): Promise<void> => {
      const { name, image } = host.state.containers.get(id) ?? {};
      if (name?.startsWith("kube_etcd") && image === newImage) throw new EngineError(500, "OCI runtime create failed");
      await start(id);
    };
    Object.assign(host.engine, { startContainer: refusing });
    const { error, warnings } = await carryOut(await furtherMasterScene(host, newer), host);
    expect(error).toMatchObject({ message: "OCI runtime create failed" });
    expect(warnings.join()).not.toContain("stays");
    expect(etcdStates(host)).toEqual([`${oldImage} running`]);
  });

  it.each([
    { risen: false, cluster: old.etcd, states: [`${oldImage} running`] },
    { risen: true, cluster: newer.etcd, states: [`${oldImage} exited`, `${newImage} restarting`] },
  ])("on the last of several, whose new etcd never comes up (cluster's version risen: $risen)", async (given) => {
    const host = await oneOfTwo();
    Object.assign(host.state.etcd, { version: newer.etcd, clusterVersion: given.cluster });
    const scene = await furtherMasterScene(host, newer);
    // Too old for the data, it ends again and again.
    Object.assign(host.state.images.get(newImage) ?? {}, { etcd: "3.3.27" });
    const { error, warnings } = await carryOut(scene, host, { timeoutMs: 500 });
    expect(error).toMatchObject({ kind: "failed" });
    expect(warnings.join().includes("etcd of this master stays at 3.5")).toBe(given.risen);
    expect(etcdStates(host).sort()).toEqual(given.states);
  });

  it("on the first of several, while it is alone, puts the data back", async () => {
    const host = await runningMaster({ ...old, options: several }, [newer]);
    await stopAt("api-serves", await masterScene(host, { ...newer, options: several }), host);
    expect(host.state.objects.has(written)).toBe(false);
    expect(etcdStates(host)).toEqual([`${oldImage} running`]);
  });
});
