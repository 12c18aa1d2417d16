import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, type Footprint, footprint } from "./support/footprint.js";
import { type Machine, machine1, machine2 } from "./support/machine.js";
import { kubectlJson, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import { describe as describeRun } from "./support/run.js";
import { nodesReady } from "./support/workload.js";

/** By `npm run test:faults` Ctrl-C as well, which undoes what has to be done again each time. */
const signals: readonly NodeJS.Signals[] = process.env["TSDEPLOY_FAULTS"] === "all" ? ["SIGKILL", "SIGINT"] : ["SIGKILL"];
const used = [machine1, machine2];
const file = join(workFolder, "interrupted.yaml");
const before = new Map<Machine, Footprint>();

beforeAll(async () => {
  const environments = await Promise.all(used.map((machine) => machine.environment("socket")));
  const hosts = environments.map(({ DOCKER_HOST: dockerHost }, place) => ({ dockerHost, role: place ? "worker" : "master" }));
  for (const machine of used) before.set(machine, await footprint(machine));
  writeFileSync(file, JSON.stringify({ clusterName: "cut", k8sVersion: version, network: "bridge", dns: false, hosts }));
});

// What a failed case has left would be in the way of later runs.
afterAll(async () => {
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force", "--wait"]);
});

/** Runs `up` again and again, each time to a step of a host at which no run has been stopped yet. @returns these */
async function stopAtEachStep(signal: NodeJS.Signals): Promise<string[]> {
  const stoppedAt: string[] = [];
  for (;;) {
    let next: string | undefined;
    const says = (stderr: string): boolean => {
      const begun = [...stderr.matchAll(/^\[.*\] step \S+: started$/gm)].map(([line]) => line);
      next = begun.find((line) => !stoppedAt.includes(line));
      return next !== undefined;
    };
    const result = await tryTsdeploy(["up", "--file", file, "--wait", "--verbose"], { killAt: { says, signal } });
    if (next === undefined) {
      expect(result.exitCode, describeRun("the run that nobody stopped", result)).toBe(0);
      return stoppedAt;
    }
    if (signal === "SIGINT") expect(result.exitCode, describeRun(`stopped at ${next}`, result)).toBe(130);
    stoppedAt.push(next);
  }
}

describe("up", () => {
  it.each(signals)("stopped by %s at every step of every host goes on by the same command, to the same end", async (signal) => {
    const stoppedAt = await stopAtEachStep(signal);
    for (const step of ["files", "etcd", "kubelet", "node-ready", "objects"]) {
      expect(stoppedAt.filter((line) => line.endsWith(`step ${step}: started`))).not.toEqual([]);
    }
    expect(new Set(stoppedAt.map((line) => line.split(" ")[0])).size).toBe(used.length);
    console.log(`up was stopped ${stoppedAt.length} times by ${signal}`);

    await nodesReady(used);
    const { stdout } = await tsdeploy(["up", "--file", file, "--output", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ changed: false, hosts: [{ outcome: "same" }, { outcome: "same" }] });
    const { items } = await kubectlJson<{ items: readonly { spec: { unschedulable?: boolean } }[] }>("get", "nodes");
    expect(items.map(({ spec }) => spec.unschedulable ?? false)).toEqual([false, false]);

    await tsdeploy(["down", "--file", file, "--purge", "--yes"]);
    for (const machine of used) {
      await eventually(`${machine.name} is as it was`, async () => {
        expect(differences(before.get(machine) ?? [], await footprint(machine))).toEqual([]);
      });
    }
  });
});
