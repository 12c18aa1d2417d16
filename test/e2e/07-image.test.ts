import { rmSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import {
  apply,
  kubectl,
  kubectlJson,
  otherVersion,
  programsFolder,
  said,
  tryTsdeploy,
  tsdeploy,
  version,
  workFolder,
} from "./support/operator.js";
import { runOk } from "./support/run.js";
import { capacityOf, nodesReady, routePods, serviceReachesAll, unroutePods, workload } from "./support/workload.js";

/** A name that tsdeploy would not think of. */
const built = `tsdeploy-e2e/kubernetes:${version}`;
const base = "tsdeploy/base:test";
const archive = join(workFolder, "images.tar");

const joinMaster = ["worker", "--master", machine2.address];
const buildArgs = (kubernetes: string): string[] => [
  ...["image", "build", "--k8s-version", kubernetes],
  ...["--binaries", programsFolder, "--base", base, "--tag", built],
];
/** What the image holds: Debian has neither flannel nor CoreDNS. */
const parts = process.env["TSDEPLOY_TEST_BINARIES"] === undefined ? ["--network", "bridge", "--no-dns"] : [];
const ofImage = ["--image", built, ...parts];

/** What tells that it is the same one: its id is another where containerd keeps it. */
async function contentOn(machine: Machine): Promise<string> {
  return machine.docker("image", "inspect", "-f", "{{json .RootFS.Layers}} {{json .Config.Labels}} {{.Created}}", built);
}

describe("an image that nobody publishes", () => {
  it("is not built of programs of another version than asked for", async () => {
    await runOk("scripts/dev/image", ["base"]);
    await runOk("scripts/dev/machines", ["load", base, String(machine2.number)]);
    const result = await tryTsdeploy(buildArgs(otherVersion), { machine: machine2 });
    expect(result.stderr).toContain(version);
    expect(result.stderr).toContain(otherVersion);
    expect([2, 3]).toContain(result.exitCode);
  });

  it("is built of programs in a folder and of a base that is here, and says what is inside", async () => {
    const result = await tsdeploy(buildArgs(version), { machine: machine2 });
    expect(said(result)).toMatch(/sha256:[0-9a-f]{64}/);
    const { stdout } = await tsdeploy(["image", "list"], { machine: machine2 });
    expect(stdout).toMatch(new RegExp(`${built}\\s+${version}\\s`));
  });

  it("goes to a machine as a file", async () => {
    await tsdeploy(["image", "save", archive, ...ofImage], { machine: machine2 });
    expect(said(await tsdeploy(["image", "load", archive], { machine: machine3 }))).toContain(built);
    rmSync(archive);
    expect(await contentOn(machine3)).toBe(await contentOn(machine2));
  });

  it("goes to a machine from Docker to Docker", async () => {
    const { PATH } = await machine1.environment("ssh");
    const copy = ["image", "copy", "--to", `ssh://root@${machine1.name}`, ...ofImage];
    expect(said(await tsdeploy(copy, { machine: machine2, env: { PATH } }))).toContain(built);
    expect(await contentOn(machine1)).toBe(await contentOn(machine2));
  });
});

describe("a cluster of that image, with Docker 26 on its master", () => {
  it("comes up; its workers learn the image from the master", async () => {
    await tsdeploy(["master", "--image", built], { machine: machine2 });
    await Promise.all([machine1, machine3].map((machine) => tsdeploy(joinMaster, { machine })));
    await nodesReady(machines);
    for (const machine of machines) {
      const kubelet = await machine.component("kubelet");
      expect((await machine.docker("inspect", "-f", "{{.Config.Image}}", kubelet)).trim()).toBe(built);
    }
  });

  it("carries Services between all machines", async () => {
    await routePods();
    await apply(...workload);
    await serviceReachesAll(machines);
  });
});

interface ConfigMap {
  readonly data: Readonly<Record<string, string>>;
}

const kubeletConfig = ["configmap", "kubelet-config", "--namespace", "kube-system"];

describe("the configuration that all nodes share", () => {
  it("stands in ConfigMaps of the names that administrators know", async () => {
    const kubelet = await kubectlJson<ConfigMap>("get", ...kubeletConfig);
    expect(parse(kubelet.data["kubelet"] ?? "")).toMatchObject({ kind: "KubeletConfiguration" });
    const proxy = await kubectlJson<ConfigMap>("get", "configmap", "kube-proxy", "--namespace", "kube-system");
    expect(parse(proxy.data["config.conf"] ?? "")).toMatchObject({ kind: "KubeProxyConfiguration" });
  });

  it("can be edited there, and reaches a worker when its command runs again", async () => {
    const { data } = await kubectlJson<ConfigMap>("get", ...kubeletConfig);
    const edited = stringify({ ...(parse(data["kubelet"] ?? "") as object), maxPods: 55 });
    await kubectl(["patch", ...kubeletConfig, "--patch", JSON.stringify({ data: { kubelet: edited } })]);
    expect(said(await tsdeploy(joinMaster, { machine: machine3 }))).toContain("maxPods");
    await eventually("the node has the new value", async () => {
      expect(await capacityOf(machine3)).toMatchObject({ pods: "55" });
    });
    expect(await capacityOf(machine1)).toMatchObject({ pods: "110" });
  });

  it("keeps the edit when master runs again, whose own kubelet follows it", async () => {
    await tsdeploy(["master"], { machine: machine2 });
    const { data } = await kubectlJson<ConfigMap>("get", ...kubeletConfig);
    expect(parse(data["kubelet"] ?? "")).toMatchObject({ maxPods: 55 });
    await eventually("the node has the new value", async () => {
      expect(await capacityOf(machine2)).toMatchObject({ pods: "55" });
    });
  });
});

describe("teardown of all at once", () => {
  it("leaves the machines as they were", async () => {
    await Promise.all([machine1, machine3].map((machine) => tsdeploy(["teardown", "--yes"], { machine })));
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine2 });
    await unroutePods();
    await Promise.all(machines.map((machine) => machine.docker("rmi", built)));
    await machine2.docker("rmi", base);
    for (const machine of machines) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
