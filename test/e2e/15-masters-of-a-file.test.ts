import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machine4, machines } from "./support/machine.js";
import { image, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import { type RunResult, runOk } from "./support/run.js";
import { makeMachines } from "./support/setup.js";
import { nodesReady } from "./support/workload.js";

const file = join(workFolder, "masters.yaml");
const all: readonly Machine[] = [...machines, machine4];
const endpoints = new Map<Machine, string>();
let env: NodeJS.ProcessEnv = {};

/** The cluster's file: three masters and a worker, whose kubelet says this much. */
function write(verbosity: number): void {
  const hosts = all.map((machine) => {
    const role = machine === machine4 ? `worker, extraArgs: {kubelet: {v: '${verbosity}'}}` : "master";
    return `  - {role: ${role}, dockerHost: '${endpoints.get(machine) ?? ""}', nodeName: ${machine.name}}\n`;
  });
  const shared = `clusterName: masters\nk8sVersion: ${version}\nnetwork: bridge\ndns: false\n`;
  writeFileSync(file, `${shared}hosts:\n${hosts.join("")}`);
}

async function up(): Promise<{ readonly run: RunResult; readonly outcomes: readonly string[] }> {
  const run = await tryTsdeploy(["up", "--file", file, "--output", "json"], { env });
  const { hosts } = JSON.parse(run.stdout) as { hosts: readonly { outcome: string }[] };
  return { run, outcomes: hosts.map(({ outcome }) => outcome) };
}

async function allVote(master: Machine): Promise<void> {
  const { stdout } = await tsdeploy(["member", "list", "--output", "json"], { machine: master });
  const { members } = JSON.parse(stdout) as { members: readonly { name: string; state: string }[] };
  const found = members.map(({ name, state }) => `${name} ${state}`).sort();
  expect(found).toEqual(machines.map(({ name }) => `${name} votes`));
}

beforeAll(async () => {
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await makeMachines([machine4]);
  const found = await Promise.all(all.map((machine) => machine.environment("ssh")));
  for (const [n, one] of found.entries()) endpoints.set(all[n] ?? machine1, one["DOCKER_HOST"] ?? "");
  env = { PATH: found[0]?.["PATH"] };
  write(2);
});

afterAll(async () => {
  write(2);
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force"], { env });
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await runOk("scripts/dev/machines", ["down", String(machine4.number)]);
});

describe("three masters and a worker from one file", () => {
  it("are made by one up, though only the first has the image", async () => {
    for (const machine of [machine2, machine3, machine4]) await machine.docker("rmi", image);
    const { run, outcomes } = await up();
    expect(outcomes, run.stderr).toEqual(["made", "joined", "joined", "joined"]);
    expect(run.exitCode).toBe(0);
    await nodesReady(all);
    await allVote(machine3);
  });

  it("are left alone by another up, and no token is left", async () => {
    expect((await up()).outcomes).toEqual(["same", "same", "same", "same"]);
    expect((await tsdeploy(["token", "list"], { machine: machine2 })).stdout).toContain("No join tokens.");
  });

  it("go on without the first: the worker is changed, status shows all, and the exit code says that one is away", async () => {
    await machine1.powerOff();
    write(3);
    const { run, outcomes } = await up();
    expect(outcomes, run.stderr).toEqual(["skipped", "same", "same", "changed"]);
    expect(run.exitCode).toBe(5);
    const { stdout } = await tryTsdeploy(["status", "--file", file], { env });
    for (const { name } of [machine2, machine3, machine4]) expect(stdout).toMatch(new RegExp(`${name} +Ready`));
    await machine1.powerOn();
    await eventually("the first is a member again", () => allVote(machine1));
    await nodesReady(all);
    await eventually("all are as the file says", async () => {
      expect((await up()).outcomes).toEqual(["same", "same", "same", "same"]);
    });
  });

  it("are taken off by down, and no difference is left", async () => {
    const { exitCode, stderr } = await tryTsdeploy(["down", "--file", file, "--purge", "--yes"], { env });
    expect(exitCode, stderr).toBe(0);
    for (const machine of all) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
