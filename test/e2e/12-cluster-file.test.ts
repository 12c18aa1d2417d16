import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differences, type Footprint, footprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import { image, kubectl, said, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import type { RunResult } from "./support/run.js";
import { nodesReady } from "./support/workload.js";

const file = join(workFolder, "cluster.yaml");
const nowhere = "  - {role: worker, dockerHost: 'tcp://10.77.0.250:2376', nodeName: nowhere}\n";
let first: string;
let second: string;
let third: string;
/** Where ssh is that knows the machines. */
let env: NodeJS.ProcessEnv = {};
const before = new Map<Machine, Footprint>();

/** The cluster's file with these hosts. */
function write(...hosts: readonly string[]): void {
  const shared = `clusterName: many\nk8sVersion: ${version}\nnetwork: bridge\ndns: false\nnodeLabels: {site: lab}\n`;
  writeFileSync(file, `${shared}hosts:\n${hosts.join("")}`);
}

async function up(...more: readonly string[]): Promise<RunResult> {
  return tryTsdeploy(["up", "--file", file, ...more], { env });
}

interface UpResult {
  readonly ok: boolean;
  readonly changed: boolean;
  readonly hosts: readonly { readonly node?: string; readonly outcome: string }[];
}

/** What became of the hosts, in the order of the file. */
function outcomes({ stdout }: RunResult): string[] {
  return (JSON.parse(stdout) as UpResult).hosts.map(({ outcome }) => outcome);
}

async function nothingHasChanged(): Promise<void> {
  for (const machine of machines) {
    expect(differences(before.get(machine) ?? [], await footprint(machine)), machine.name).toEqual([]);
  }
}

beforeAll(async () => {
  const [one, two, three] = await Promise.all([
    machine1.environment("socket"),
    machine2.environment("tcp"),
    machine3.environment("ssh"),
  ]);
  first = `  - {role: master, dockerHost: '${one["DOCKER_HOST"] ?? ""}'}\n`;
  second = `  - {role: worker, dockerHost: '${two["DOCKER_HOST"] ?? ""}', tlsFolder: '${two["DOCKER_CERT_PATH"] ?? ""}'}\n`;
  third = `  - {role: worker, dockerHost: '${three["DOCKER_HOST"] ?? ""}', nodeLabels: {disk: ssd}}\n`;
  env = { PATH: three["PATH"] };
  for (const machine of machines) before.set(machine, await footprint(machine));
});

// What a failed case has left would be in the way of later runs.
afterAll(async () => {
  write(first, second, third);
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force"], { env });
});

describe("a cluster of many machines from one file", () => {
  it("is refused for all mistakes at once, and nothing is touched", async () => {
    write(first, second.replace("worker", "wroker"), third.replace("nodeLabels", "nodelabels"), "  - {role: master}\n");
    const result = await up();
    expect(result.exitCode).toBe(2);
    for (const code of ["ROLE_INVALID", "OPTION_UNKNOWN", "DOCKER_MISSING"]) {
      expect(result.stderr).toMatch(new RegExp(`${code}: .*cluster.yaml:\\d+:\\d+: `));
    }
  });

  it("a check that stands against one machine keeps all others as they are", async () => {
    write(first, second, third.replace("role: worker", "role: worker, ip: 10.99.99.99"));
    const result = await up();
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toContain("10.99.99.99");
    await nothingHasChanged();
  });

  it("--dry-run prints one plan and leaves nothing", async () => {
    write(first, second, third);
    const { stdout, exitCode } = await up("--dry-run");
    expect(exitCode).toBe(0);
    for (const machine of machines) expect(stdout).toContain(machine === machine1 ? "make" : "join (2 at once)");
    await nothingHasChanged();
  });

  it("up makes a master and a worker; a machine that is not there is told, and stops nobody", async () => {
    write(first, second, nowhere);
    const result = await up("--output", "json");
    expect(outcomes(result)).toEqual(["made", "joined", "skipped"]);
    expect(result.exitCode).toBe(5);
    const events = result.stderr.trimEnd().split("\n").map((line) => JSON.parse(line) as { kind: string; host?: string });
    expect(events).toContainEqual(expect.objectContaining({ kind: "problems", host: "nowhere" }));
    expect(events.filter(({ kind }) => kind === "host-finished").length).toBe(2);
    await nodesReady([machine1, machine2]);
  });

  it("a machine that is added gets the image and joins, and the others are not touched", async () => {
    write(first, second, third);
    const kubelets = await Promise.all([machine1, machine2].map((machine) => machine.component("kubelet")));
    // It was built, and no registry has it: the master's Docker has to give it.
    await machine3.docker("rmi", image);
    const result = await up("--output", "json");
    expect(outcomes(result)).toEqual(["same", "same", "joined"]);
    expect(result.stderr).toMatch(/"kind":"transfer-progress".*"host"/);
    await nodesReady(machines);
    expect(await Promise.all([machine1, machine2].map((machine) => machine.component("kubelet")))).toEqual(kubelets);
    const labelled = await kubectl(["get", "nodes", "-l", "site=lab,disk=ssd", "-o", "name"]);
    expect(labelled.trim()).toBe(`node/${machine3.name}`);
  });

  it("a second up changes nothing, starts no container, and leaves no token", async () => {
    const began = String(Date.now() / 1000);
    const result = await up();
    expect(result.exitCode).toBe(0);
    const ended = String(Date.now() / 1000);
    const eventsOn = async (machine: Machine, event: string, component: string): Promise<string[]> => {
      const filters = ["--filter", `event=${event}`, "--filter", `label=io.tsdeploy.component=${component}`];
      // One line each: an exec's event has all of its script.
      filters.push("--format", "{{.ID}}");
      const said = await machine.docker("events", "--since", began, "--until", ended, ...filters);
      return said.split("\n").filter(Boolean);
    };
    for (const machine of machines) expect(await eventsOn(machine, "create", "helper"), machine.name).toEqual([]);
    // A worker is looked at, and asks nobody: what it follows the master has said.
    for (const worker of [machine2, machine3]) {
      expect(await eventsOn(worker, "exec_create", "kubelet"), worker.name).toHaveLength(1);
    }
    expect(result.stdout).toContain("Nothing to change: 3 hosts are as the file says");
    expect((await tsdeploy(["token", "list"], { machine: machine1 })).stdout).toContain("No join tokens.");
    expect(said(result)).not.toMatch(/[a-z0-9]{6}\.[a-z0-9]{16}/);
  });

  it("status --file is one table", async () => {
    const { stdout } = await tsdeploy(["status", "--file", file], { env });
    for (const { name } of machines) expect(stdout).toMatch(new RegExp(`${name} +Ready +${version} +same`));
  });

  it("status --file --watch has a line for each host, and ends with Ctrl-C", async () => {
    const { stdout, exitCode } = await tryTsdeploy(["status", "--file", file, "--watch", "--output", "json"], {
      env,
      interruptAtLine: machines.length,
    });
    const rows = stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as { node: string; ready: boolean });
    expect(rows.map(({ node, ready }) => [node, ready])).toEqual(machines.map(({ name }) => [name, true]));
    expect(exitCode).toBe(0);
  });

  it("logs and exec reach hosts by their names, and all of them", async () => {
    const { stdout } = await tsdeploy(["logs", "--file", file, "kubelet", "--tail", "1"], { env });
    expect(new Set(stdout.trimEnd().split("\n").map((line) => line.split(" ")[0])).size).toBe(machines.length);
    const all = await tsdeploy(["exec", "--file", file, "--all", "--", "uname", "-n"], { env });
    for (const { name } of machines) expect(all.stdout).toMatch(new RegExp(`^\\[.*\\] ${name}$`, "m"));
    const one = await tryTsdeploy(["exec", "--file", file, "machine-3", "--", "sh", "-c", "uname -n; exit 7"], { env });
    expect([one.stdout, one.exitCode]).toEqual([`${machine3.name}\n`, 7]);
  });

  it("what differs on the workers is changed one after the other", async () => {
    const extraArgs = ", extraArgs: {kubelet: {v: '3'}}}\n";
    write(first, second.replace("}\n", extraArgs), third.replace("}}\n", `}${extraArgs}`));
    const result = await up("--output", "json");
    expect(outcomes(result)).toEqual(["same", "changed", "changed"]);
    const work = result.stderr.split("\n").flatMap((line) => /"kind":"host-(started|finished)"/.exec(line)?.[1] ?? []);
    expect(work).toEqual(["started", "finished", "started", "finished"]);
    await nodesReady(machines);
  });

  it("a node that is not in the file is named, and removed with --prune", async () => {
    const extraArgs = ", extraArgs: {kubelet: {v: '3'}}}\n";
    write(first, second.replace("}\n", extraArgs));
    expect((await up()).stdout).toContain(`not in the file: ${machine3.name}`);
    expect((await up("--prune")).exitCode).toBe(2);
    expect(await kubectl(["get", "nodes"])).toContain(machine3.name);
    expect((await up("--prune", "--yes")).exitCode).toBe(0);
    expect(await kubectl(["get", "nodes"])).not.toContain(machine3.name);
  });

  it("down takes the workers, then the master off, and leaves no difference at all", async () => {
    write(first, second, third);
    expect((await tryTsdeploy(["down", "--file", file, "--purge"], { env })).exitCode).toBe(2);
    const { stderr } = await tsdeploy(["down", "--file", file, "--purge", "--yes", "--output", "json"], { env });
    const ended = stderr.split("\n").flatMap((line) => /"kind":"host-finished","host":"([^"]*)"/.exec(line)?.[1] ?? []);
    expect(ended.length).toBe(3);
    expect(ended.at(-1)).toMatch(/^unix:/);
    await nothingHasChanged();
  });
});
