import { describe, expect, it } from "vitest";
import { changedPods, probeRestarted, probeSettled } from "../../src/apply/staticPods.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import { kubeletLabels } from "../../src/model/kubeletLabels.js";
import type { MemoryHost } from "./memory/memoryHost.js";
import { runningMaster } from "./memory/scenes.js";

const of = { version: "v1.20.2", etcd: "3.4.23" };
const path = `${paths.manifests}/master-multi.json`;

/** The control plane's manifest with another flag. */
function changedManifest({ state }: MemoryHost): HostFile {
  const { mode = 0, content = "" } = state.files.get(path) ?? {};
  const changed = content.replace("--allow-privileged=true", "--allow-privileged=false");
  return { path, mode, content: changed, secret: false };
}

async function changedPod(host: MemoryHost) {
  const file = changedManifest(host);
  const [pod, ...others] = await changedPods(host.engine, [file]);
  if (!pod || others.length > 0) throw new Error("not one pod");
  return { file, pod };
}

describe("static pods", () => {
  it("are those of the manifests that are written, and no other file's", async () => {
    const host = await runningMaster(of);
    const { file, pod } = await changedPod(host);
    expect(pod.name).toBe("k8s-master");
    expect(pod.before).toHaveLength(pod.containers);
    expect(await changedPods(host.engine, [{ ...file, path: "/etc/kubernetes/admin.conf" }])).toEqual([]);
  });

  it("have restarted when as many containers as the manifest has are other ones than before", async () => {
    const host = await runningMaster(of);
    const { file, pod } = await changedPod(host);
    const waits = { done: false, seen: "the kubelet has not restarted pod k8s-master with its new manifest" };
    expect(await probeRestarted(host.engine, pod)).toEqual(waits);
    host.state.files.set(path, file);
    const [first] = (await host.engine.listContainers()).filter(
      ({ labels }) => labels[kubeletLabels.containerName] === "scheduler",
    );
    expect(await probeRestarted(host.engine, pod)).toEqual({ done: true });
    await host.engine.stopContainer(first?.id ?? "", 1);
    expect(await probeRestarted(host.engine, pod)).toEqual(waits);
  });

  it("are not taken for restarted while no kubelet acts on the manifest", async () => {
    const host = await runningMaster(of);
    const { file, pod } = await changedPod(host);
    const [kubelet] = await host.engine.listContainers(["io.tsdeploy.component=kubelet"]);
    await host.engine.stopContainer(kubelet?.id ?? "", 1);
    host.state.files.set(path, file);
    expect(await probeRestarted(host.engine, pod)).toMatchObject({ done: false });
  });

  it("are settled unless containers of two lives run", async () => {
    const host = await runningMaster(of);
    const { file, pod } = await changedPod(host);
    expect(await probeSettled(host.engine, pod)).toEqual({ done: true });
    const old = [...host.state.containers.values()].find(
      ({ labels }) => labels[kubeletLabels.containerName] === "apiserver",
    );
    if (!old) throw new Error("no API server");
    host.state.files.set(path, file);
    await host.engine.listContainers();
    const [kubelet] = await host.engine.listContainers(["io.tsdeploy.component=kubelet"]);
    await host.engine.stopContainer(kubelet?.id ?? "", 1);
    host.state.containers.set(old.id, old);
    expect(await probeSettled(host.engine, pod)).toEqual({
      done: false,
      seen: "pod k8s-master is ending an earlier life",
    });
  });
});
