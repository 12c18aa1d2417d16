import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machine4, machines } from "./support/machine.js";
import { apply, hasFlannel, kubectl, networkBackend, said, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import { type RunOptions, type RunResult, runOk } from "./support/run.js";
import { makeMachines } from "./support/setup.js";
import { bringNext, Caller, hasNext, next, nextImage, nodePort, steadyWorkload, versions } from "./support/upgrade.js";
import { nodesReady, routePods, unroutePods } from "./support/workload.js";
import { Writer } from "./support/writer.js";

const file = join(workFolder, "upgraded-masters.yaml");
const all: readonly Machine[] = [...machines, machine4];
const writer = new Writer(machines);
const endpoints = new Map<Machine, string>();
let env: NodeJS.ProcessEnv = {};
let caller: Caller;

/** The cluster's file: three masters, and machine 4 as a worker unless it is left to itself. */
function write(k8sVersion: string, hosts = all): void {
  const lines = hosts.map((machine) => {
    const role = machine === machine4 ? "worker" : "master";
    return `  - {role: ${role}, dockerHost: '${endpoints.get(machine) ?? ""}', nodeName: ${machine.name}}\n`;
  });
  const network = hasFlannel() ? `networkBackend: ${networkBackend}` : "network: bridge";
  const shared = `clusterName: upgraded\nk8sVersion: ${k8sVersion}\n${network}\ndns: false\n`;
  writeFileSync(file, `${shared}hosts:\n${lines.join("")}`);
}

async function upgrade(verb: "plan" | "apply", more: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return tryTsdeploy(["upgrade", verb, "--file", file, ...more], { env, timeoutMs: 900_000, ...options });
}

async function allVote(): Promise<void> {
  const { stdout } = await tsdeploy(["member", "list", "--output", "json"], { machine: machine1 });
  const { members } = JSON.parse(stdout) as { members: readonly { name: string; state: string }[] };
  expect(members.map(({ name, state }) => `${name} ${state}`).sort()).toEqual(machines.map(({ name }) => `${name} votes`));
}

async function unrouteAll(): Promise<void> {
  await unroutePods();
  await runOk("scripts/dev/machines", ["unroutes", String(machine4.number)]);
}

beforeAll(async () => {
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await makeMachines([machine4]);
  const found = await Promise.all(all.map((machine) => machine.environment("ssh")));
  for (const [n, one] of found.entries()) endpoints.set(all[n] ?? machine1, one["DOCKER_HOST"] ?? "");
  env = { PATH: found[0]?.["PATH"] };
});

afterAll(async () => {
  await unrouteAll();
  write(version);
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force"], { env });
  for (const machine of all) await machine.trySh(`docker rmi ${nextImage}`);
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await runOk("scripts/dev/machines", ["down", String(machine4.number)]);
});

// Four nodes in turn take their time.
describe.runIf(hasNext)("an upgrade of three masters and a worker", { timeout: 900_000 }, () => {
  it("is refused while a master is away that etcd would need", async () => {
    write(version);
    await tsdeploy(["up", "--file", file], { env });
    await routePods();
    await apply(...steadyWorkload());
    await kubectl(["rollout", "status", "deployment/web", "--timeout=120s"], { timeoutMs: 150_000 });
    await bringNext(machine1);
    await machine3.docker("stop", await machine3.component("etcd"));
    // By itself a master is asked for what it alone knows.
    const alone = await tryTsdeploy(["upgrade", "apply", "--to", next, "--timeout", "20s"], { machine: machine1 });
    expect([alone.exitCode, said(alone)]).toEqual([6, expect.stringContaining(`${machine3.name} does not answer`)]);
    expect(new Set(await versions())).toEqual(new Set([version]));
    await machine3.sh("docker start $(docker ps -aqf label=io.tsdeploy.component=etcd)");
    await nodesReady(all);
    await allVote();
  });

  it("killed in the middle of the second master, it is half done, and etcd takes writes", async () => {
    const { stdout } = await tsdeploy(["kubeconfig"], { machine: machine1 });
    writer.start(stdout);
    caller = new Caller(`http://${machine1.address}:${nodePort}/`);
    write(version, machines);
    const killAt = { says: `[${machine2.name}] step kubelet: started`, signal: "SIGKILL" } as const;
    const killed = await upgrade("apply", ["--to", next, "--verbose"], { killAt });
    expect(killed.stderr).toContain(killAt.says);
    expect(killed.stderr).toContain(`[${machine1.name}] step etcd-copy: done`);
    expect([...new Set(await versions())].sort()).toEqual([version, next]);
    expect((await tsdeploy(["status"], { machine: machine1 })).stdout).toMatch(new RegExp(`upgrade to ${next}: [12] of 4 nodes`));
  });

  it("run again it goes on to its end; of etcd's members a majority has lived all the time", async () => {
    const result = await upgrade("apply", ["--to", next, "--wait"]);
    expect(result.exitCode, said(result)).toBe(0);
    await nodesReady(all);
    await allVote();
    const found = await versions();
    expect([...found].sort()).toEqual([version, next, next, next]);
    console.log(`no write was acknowledged for ${writer.takeGapMs()} ms at most`);
  });

  it("a worker alone follows by its own Docker, drained before", async () => {
    const planned = await tsdeploy(["upgrade", "plan"], { machine: machine4 });
    expect(planned.stdout).toContain(`Kubernetes ${version} -> ${next}, the cluster's, drained before`);
    const copy = ["image", "copy", "--image", nextImage, "--network", "bridge", "--no-dns", "--to", endpoints.get(machine4) ?? ""];
    await tsdeploy(copy, { env: { ...env, DOCKER_HOST: endpoints.get(machine1) } });
    const { stdout } = await tsdeploy(["upgrade", "apply"], { machine: machine4 });
    expect(stdout).toContain(`Node ${machine4.name} runs Kubernetes ${next}, after ${version}`);
    await nodesReady(all);
    expect(new Set(await versions())).toEqual(new Set([next]));
    const again = await tsdeploy(["upgrade", "apply"], { machine: machine4 });
    expect(again.stdout).toContain("as it did");
  });

  it("no request of the caller has failed, and no acknowledged write is lost", async () => {
    await caller.stop();
    await writer.stop();
    expect(caller.failures).toEqual([]);
    expect(caller.answers).toBeGreaterThan(100);
    for (const machine of machines) expect(await writer.lostOn(machine)).toEqual([]);
    expect(writer.count).toBeGreaterThan(50);
  });

  it("the file with that version has nothing to change, and down leaves no difference", async () => {
    write(next);
    expect((await tsdeploy(["up", "--file", file], { env })).stdout).toContain("Nothing to change");
    await unrouteAll();
    await tsdeploy(["down", "--file", file, "--purge", "--yes"], { env });
    for (const machine of all) {
      await machine.sh(`docker rmi ${nextImage} >/dev/null`);
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
