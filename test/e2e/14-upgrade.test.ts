import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differences, type Footprint, footprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import {
  apply,
  hasFlannel,
  kubectl,
  networkBackend,
  said,
  tryTsdeploy,
  tsdeploy,
  version,
  workFolder,
} from "./support/operator.js";
import type { RunOptions, RunResult } from "./support/run.js";
import { bringNext, Caller, hasNext, minorFrom, next, nextImage, nodePort, steadyWorkload, versions } from "./support/upgrade.js";
import { nodesReady, routePods, unroutePods } from "./support/workload.js";

const file = join(workFolder, "upgraded.yaml");
const before = new Map<Machine, Footprint>();
let env: NodeJS.ProcessEnv = {};
let hosts = "";

/** The cluster's file, with this version. */
function write(k8sVersion: string): void {
  const network = hasFlannel() ? `networkBackend: ${networkBackend}` : "network: bridge";
  writeFileSync(file, `clusterName: upgraded\nk8sVersion: ${k8sVersion}\n${network}\ndns: false\nhosts:\n${hosts}`);
}

async function upgrade(verb: "plan" | "apply", more: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return tryTsdeploy(["upgrade", verb, "--file", file, ...more], { env, ...options });
}

beforeAll(async () => {
  const all = await Promise.all(machines.map((machine) => machine.environment("ssh")));
  hosts = all.map((one, n) => `  - {role: ${n === 0 ? "master" : "worker"}, dockerHost: '${one["DOCKER_HOST"] ?? ""}'}\n`).join("");
  env = { PATH: all[0]?.["PATH"] };
  for (const machine of machines) before.set(machine, await footprint(machine));
});

afterAll(async () => {
  await unroutePods();
  write(version);
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force"], { env });
  for (const machine of machines) await machine.trySh(`docker rmi ${nextImage}`);
});

describe.runIf(hasNext)("an upgrade of three machines", () => {
  let caller: Caller;

  it("is planned, and refused where there is no way", async () => {
    write(version);
    await tsdeploy(["up", "--file", file], { env });
    await routePods();
    await apply(...steadyWorkload());
    await kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
    caller = new Caller(`http://${machine1.address}:${nodePort}/`);

    const back = await upgrade("plan", ["--to", minorFrom(-1)]);
    expect([back.exitCode, back.stdout]).toEqual([4, expect.stringContaining("DOWNGRADE")]);
    expect((await upgrade("apply", ["--to", minorFrom(-1)])).exitCode).toBe(4);
    const far = await upgrade("plan", ["--to", minorFrom(2), "--output", "json"]);
    const stops = (JSON.parse(far.stdout) as { stops: { version: string; workers: string[] }[] }).stops;
    expect(stops.map(({ version: stop, workers }) => [stop.split(".")[1], workers.length])).toEqual([
      [minorFrom(1).split(".")[1], 0],
      [minorFrom(2).split(".")[1], 2],
    ]);

    await bringNext(machine1);
    const { stdout, exitCode } = await upgrade("plan", ["--to", next]);
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toMatch(/to be copied from the master/);
    expect(new Set(await versions())).toEqual(new Set([version]));
  });

  it("killed when a worker's turn comes, it is half done", async () => {
    await kubectl(["cordon", machine3.name]);
    const killAt = { says: `[${machine2.name}] upgrade to ${next} …`, signal: "SIGKILL" } as const;
    const killed = await upgrade("apply", ["--to", next], { killAt });
    expect(killed.exitCode, said(killed)).not.toBe(0);
    expect(await versions()).toContain(next);
    expect((await tsdeploy(["status"], { machine: machine1 })).stdout).toMatch(new RegExp(`upgrade to ${next}: [12] of 3 nodes`));
  });

  it("run again it comes to its end, every request has been answered, and the owner's cordon stays", async () => {
    const result = await upgrade("apply", ["--to", next, "--wait"]);
    expect(result.exitCode, said(result)).toBe(0);
    expect(new Set(await versions())).toEqual(new Set([next]));
    await nodesReady(machines);
    const unschedulable = await kubectl(["get", "nodes", "--field-selector", "spec.unschedulable=true", "-o", "name"]);
    expect(unschedulable.trim()).toBe(`node/${machine3.name}`);
    await caller.stop();
    expect(caller.failures).toEqual([]);
    expect(caller.answers).toBeGreaterThan(100);
  });

  it("the file with that version has nothing to change, and down leaves no difference", async () => {
    write(next);
    expect((await tsdeploy(["up", "--file", file], { env })).stdout).toContain("Nothing to change");
    await unroutePods();
    await tsdeploy(["down", "--file", file, "--purge", "--yes"], { env });
    for (const machine of machines) {
      await machine.sh(`docker rmi ${nextImage} >/dev/null`);
      expect(differences(before.get(machine) ?? [], await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
