import { mkdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.js";
import { differences } from "../e2e/support/footprint.js";
import { apply, hasCoredns, hasFlannel, home, image, kubectl, tsdeploy, version, workFolder } from "../e2e/support/operator.js";
import { copyPrograms } from "../e2e/support/setup.js";
import {
  clusterIp,
  everythingIsBack,
  names,
  namesFromHost,
  nodePort,
  nodesReady,
  readyWebPods,
  secretContent,
  serviceReachesAll,
  webPodOn,
  workload,
} from "../e2e/support/workload.js";
import { ownFootprint } from "./support/ownFootprint.js";
import { routePods, unroutePods } from "./support/pods.js";
import { settings } from "./support/settings.js";
import { recordRun } from "./support/recordRun.js";
import { VirtualMachine } from "./support/virtualMachine.js";

const { suite, arch, proxyMode, backend, timeout } = settings;
const images = [image, "tsdeploy/workload:test"];
const master = new VirtualMachine(1, { ...settings, images });
const workers = settings.machines === 1 ? [] : [new VirtualMachine(2, { ...settings, images })];
const machines = [master, ...workers];

/** Those that the tests may take: a machine that is emulated needs minutes for a control plane. */
const hourMs = 3_600_000;

let before: ReadonlyMap<VirtualMachine, readonly string[]>;
let hasFailed = false;

beforeAll(async () => {
  rmSync(workFolder, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await copyPrograms();
  if (settings.machines === 1) await new VirtualMachine(2, { ...settings, images }).down();
  // One disk for all: the first makes it.
  for (const machine of machines) await machine.up();
  before = new Map(await Promise.all(machines.map(async (machine) => [machine, await ownFootprint(machine)] as const)));
}, hourMs);

/** After the first failure the rest would show nothing new, and take an hour to do so. */
function step(name: string, act: () => Promise<void>): void {
  it(name, { timeout: hourMs }, async ({ skip }) => {
    if (hasFailed) skip();
    try {
      await act();
    } catch (error) {
      hasFailed = true;
      throw error;
    }
  });
}

async function staysWhole(machine: VirtualMachine, restart: () => Promise<void>): Promise<void> {
  const pod = await webPodOn(machine);
  await restart();
  await eventually("the API answers", () => kubectl(["get", "--raw", "/healthz"]), 120_000);
  await routePods(machines);
  await everythingIsBack(machines);
  expect(await kubectl(["exec", pod, "--", "cat", "/scratch/file"])).toBe("kept\n");
}

describe(`Kubernetes ${version} with ${backend} and ${proxyMode} on Debian ${suite}, ${arch}`, () => {
  step("master comes up by one command", async () => {
    const network = hasFlannel() ? ["--network", "flannel", "--network-backend", backend] : ["--network", "bridge"];
    const dns = hasCoredns() ? [] : ["--no-dns"];
    // A kubelet asks Docker for its version at each look at its node, for which Docker starts two programs.
    const calm = ["--extra-arg", "kubelet:node-status-update-frequency=10s"];
    const options = [...network, ...dns, ...calm, "--proxy-mode", proxyMode, "--image", image, "--timeout", timeout];
    await tsdeploy(["master", ...options], { machine: master, via: "ssh" });
  });

  for (const worker of workers) {
    step("a worker joins by another", async () => {
      await tsdeploy(["worker", "--master", master.address, "--timeout", timeout], { machine: worker, via: "ssh" });
    });
  }

  step("a Service reaches pods on all machines, from their pods and from themselves", async () => {
    await nodesReady(machines);
    await routePods(machines);
    // A control plane as slow as that may fail once to store an object; a person would say it again.
    await eventually("the workload is applied", () => apply(...workload));
    await serviceReachesAll(machines);
    const all = names(await readyWebPods());
    for (const { address } of machines) {
      expect(await namesFromHost(workers[0] ?? master, `${address}:${await nodePort()}`)).toEqual(all);
    }
  });

  step("names resolve, if there is DNS", async () => {
    if (!hasCoredns()) return;
    const pod = await webPodOn(workers[0] ?? master);
    await eventually("the Service's name", async () => {
      const found = await kubectl(["exec", pod, "--", "nslookup", "web.default.svc.cluster.local", "10.96.0.10"]);
      expect(found).toContain(await clusterIp());
    });
  });

  step("logs, and exec with its volumes", async () => {
    for (const machine of machines) {
      const pod = await webPodOn(machine);
      await kubectl(["exec", pod, "--", "sh", "-c", "echo kept >/scratch/file"]);
      expect(await kubectl(["exec", pod, "--", "cat", "/secret/content"])).toBe(secretContent);
      await kubectl(["logs", pod]);
    }
  });

  step("`systemctl restart docker` leaves everything working", async () => {
    for (const machine of machines) await machine.restartDocker();
    await everythingIsBack(machines);
  });

  step("reboots leave everything working, and what lies on disk", async () => {
    for (const machine of [...workers, master]) await staysWhole(machine, () => machine.reboot());
  });

  step("so does a power cut of the master", async () => {
    await staysWhole(master, () => master.cutPower());
  });

  step("teardown leaves all as they were, systemd's units too", async () => {
    await kubectl(["delete", "deployment", "web"]);
    for (const machine of [...workers, master]) {
      await tsdeploy(["teardown", "--yes", "--purge", "--timeout", timeout], { machine, via: "ssh" });
    }
    await unroutePods(machines);
    for (const machine of machines) {
      expect(differences(before.get(machine) ?? [], await ownFootprint(machine)), machine.name).toEqual([]);
    }
  });

  step("and that is noted", () => recordRun(master));
});

afterAll(async () => {
  if (!settings.keep) await Promise.all(machines.map((machine) => machine.down()));
}, hourMs);
