import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cutShort } from "./support/cutShort.js";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machine4, machines } from "./support/machine.js";
import { kubectl, said, tryKubectl, tryTsdeploy, tsdeploy, workFolder } from "./support/operator.js";
import { type RunOptions, runOk } from "./support/run.js";
import { makeMachines } from "./support/setup.js";
import { Writer } from "./support/writer.js";
import { toolbox } from "./support/workload.js";

/** An administrator's, which outlives the contexts of masters that leave. */
const kubeconfig = join(workFolder, "several-masters.conf");
const writer = new Writer(machines);

/** kubectl by one master, whichever the operator's own contexts name. */
async function by(master: Machine, args: readonly string[], options: RunOptions = {}): Promise<string> {
  return kubectl(["--kubeconfig", kubeconfig, "--server", `https://${master.address}:6443`, ...args], options);
}

async function jsonBy<T>(master: Machine, ...args: string[]): Promise<T> {
  return JSON.parse(await by(master, [...args, "-o", "json"])) as T;
}

/** The line for a further master, as `token create` on one prints it; without the program's name. */
async function joinLine(master: Machine): Promise<string[]> {
  const { stdout } = await tsdeploy(["token", "create", "--role", "master"], { machine: master });
  const [program, ...args] = stdout.trim().split(" ");
  expect(program).toBe("tsdeploy");
  return args;
}

interface Member {
  readonly name: string;
  readonly address: string;
  readonly state: string;
}

async function members(master: Machine): Promise<readonly Member[]> {
  const { stdout } = await tsdeploy(["member", "list", "--output", "json"], { machine: master });
  return (JSON.parse(stdout) as { members: readonly Member[] }).members;
}

/** As `member list` says of masters that are all well. */
async function allVote(master: Machine, voters: readonly Machine[]): Promise<void> {
  const found = [...(await members(master))].sort((one, other) => one.name.localeCompare(other.name));
  expect(found).toEqual(voters.map(({ name, address }) => ({ name, address, state: "votes" })));
}

/** When each node became Ready, of those that are. */
async function readySince(master: Machine): Promise<Map<string, string>> {
  interface Condition {
    readonly type: string;
    readonly status: string;
    readonly lastTransitionTime: string;
  }
  interface Node {
    readonly metadata: { readonly name: string };
    readonly status: { readonly conditions: readonly Condition[] };
  }
  const { items } = await jsonBy<{ items: readonly Node[] }>(master, "get", "nodes");
  return new Map(
    items.flatMap(({ metadata, status }) => {
      const ready = status.conditions.find(({ type }) => type === "Ready");
      return ready?.status === "True" ? [[metadata.name, ready.lastTransitionTime] as const] : [];
    }),
  );
}

async function areReady(master: Machine, wanted: readonly Machine[]): Promise<void> {
  await eventually(`${wanted.map(({ name }) => name).join(", ")} are Ready`, async () => {
    const ready = await readySince(master);
    expect([...ready.keys()]).toEqual(expect.arrayContaining(wanted.map(({ name }) => name)));
  });
}

/** The controller-manager and the scheduler have leaders on masters that live, who have said so since. */
async function leadersLive(master: Machine, living: readonly Machine[], sinceMs: number): Promise<void> {
  interface Lease {
    readonly spec: { readonly holderIdentity: string; readonly renewTime: string };
  }
  for (const program of ["kube-controller-manager", "kube-scheduler"]) {
    await eventually(`${program} has a leader`, async () => {
      const { spec } = await jsonBy<Lease>(master, "get", "lease", "-n", "kube-system", program);
      expect(living.map(({ name }) => name)).toContain(spec.holderIdentity.replace(/_.*/, ""));
      expect(Date.parse(spec.renewTime)).toBeGreaterThan(sinceMs);
    });
  }
}

/** A pod runs on the worker: its kubelet has heard of it, and has said so. */
async function workerTakesPods(master: Machine): Promise<void> {
  const pod = toolbox("asked", machine4, { hostNetwork: true });
  await by(master, ["apply", "-f", "-"], { input: JSON.stringify(pod) });
  await by(master, ["wait", "pod/asked", "--for=condition=Ready", "--timeout=120s"], { timeoutMs: 150_000 });
  await by(master, ["delete", "pod", "asked", "--now"]);
}

/** What goes on while one master is lost: writes, kubectl, nodes, leaders, the worker's kubelet. */
async function goesOnWithout(lost: Machine, how: string, lose: () => Promise<unknown>): Promise<void> {
  const living = machines.filter((one) => one !== lost);
  const [other] = living as [Machine, ...Machine[]];
  const before = await readySince(other);
  writer.takeGapMs();
  const sinceMs = Date.now();
  const written = writer.count;
  await lose();
  await eventually("writes go on", () => { expect(writer.count).toBeGreaterThan(written + 20); });
  console.log(`${lost.name} without ${how}: no write was acknowledged for ${writer.takeGapMs()} ms`);
  for (const one of living) await eventually(`kubectl by ${one.name}`, () => by(one, ["get", "nodes"]));
  await leadersLive(other, living, sinceMs);
  await workerTakesPods(other);
  console.log(`${lost.name} without ${how}: leaders and the worker's kubelet did their work after ${Date.now() - sinceMs} ms`);
  // Only now a controller would have found out whose kubelet is silent.
  await eventually(`${lost.name} is found out`, async () => {
    expect([...(await readySince(other)).keys()]).not.toContain(lost.name);
  });
  const after = await readySince(other);
  for (const { name } of [...living, machine4]) expect(after.get(name), `${name} was Ready all the while`).toBe(before.get(name));
  expect((await members(other)).find(({ name }) => name === lost.name)?.state).toBe("does not answer");
  console.log(`${lost.name} without ${how}: all the while no write was acknowledged for ${writer.takeGapMs()} ms at most`);
}

/** It is a master like the others again: Ready, a voter, with all that was written meanwhile. */
async function isBack(machine: Machine): Promise<void> {
  const [other] = machines.filter((one) => one !== machine) as [Machine, ...Machine[]];
  await eventually("all members vote", () => allVote(other, machines));
  await areReady(other, [...machines, machine4]);
  await eventually(`kubectl by ${machine.name}`, () => by(machine, ["get", "nodes"]));
  expect(await writer.lostOn(machine)).toEqual([]);
}

/** As when its disk is not mounted: etcd has started again since, by itself, without it. */
async function loseData(machine: Machine): Promise<void> {
  const id = await machine.component("etcd");
  await machine.sh(`
    docker pause ${id} && rm -rf /var/lib/etcd/member && kill -9 $(docker inspect -f '{{.State.Pid}}' ${id})
    docker unpause ${id} || true`);
  await eventually("etcd has started again", async () => {
    expect(Number(await machine.docker("inspect", "-f", "{{.RestartCount}}", id))).toBeGreaterThan(1);
  });
}

async function isAsItWas(machine: Machine): Promise<void> {
  // Machines share a kernel: these are another machine's while a cluster runs there.
  const kernelWide = /sysctl: (kernel|vm)\./;
  await eventually(`${machine.name} is as it was`, async () => {
    const found = differences(savedFootprint(machine), await footprint(machine));
    expect(found.filter((line) => !kernelWide.test(line))).toEqual([]);
  });
}

beforeAll(async () => {
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await makeMachines([machine4]);
});

afterAll(async () => {
  await writer.stop();
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await runOk("scripts/dev/machines", ["down", String(machine4.number)]);
});

describe("a cluster of three masters", () => {
  it("begins with one, which takes a worker", async () => {
    await tsdeploy(["master", "--several-masters"], { machine: machine1 });
    const { stdout } = await tsdeploy(["kubeconfig"], { machine: machine1 });
    writeFileSync(kubeconfig, stdout, { mode: 0o600 });
    writer.start(stdout);
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine4 });
    await areReady(machine1, [machine1, machine4]);
  });

  it("a worker's token lets no master in", async () => {
    const token = (await tsdeploy(["token", "create", "--output", "json"], { machine: machine1 })).stdout;
    const args = ["master", "--join", machine1.address, "--token", (JSON.parse(token) as { token: string }).token];
    const result = await tryTsdeploy(args, { machine: machine2 });
    expect(result.exitCode, said(result)).not.toBe(0);
    await isAsItWas(machine2);
  });

  it("one whose joining is killed, and given up, is taken away by teardown, and etcd has no trace of it", async () => {
    const line = await joinLine(machine1);
    // etcd knows the member, which has never run.
    await cutShort([...line, "--wait"], machine2, "etcd", "SIGKILL");
    await tsdeploy(["teardown", "--yes", "--purge", "--wait"], { machine: machine2 });
    await isAsItWas(machine2);
    await allVote(machine1, [machine1]);
  });

  it("a second one, stopped by Ctrl-C as soon as it votes, leaves the first alone, which goes on", async () => {
    // etcd refuses to let go of a member that it has known for less than five seconds.
    const result = await cutShort([...(await joinLine(machine1)), "--wait"], machine2, "kubelet", "SIGINT");
    expect(result.exitCode, said(result)).toBe(130);
    expect(said(result)).not.toContain("could not be");
    await isAsItWas(machine2);
    await allVote(machine1, [machine1]);
    const written = writer.count;
    await eventually("writes go on", () => { expect(writer.count).toBeGreaterThan(written + 20); });
  });

  it("a second one joins by the line that the first prints, though killed twice on the way", async () => {
    const line = await joinLine(machine1);
    await cutShort([...line, "--wait"], machine2, "etcd", "SIGKILL");
    expect((await members(machine1)).map(({ name }) => name).sort()).toEqual([machine2.address, machine1.name]);
    await cutShort([...line, "--wait"], machine2, "etcd-votes", "SIGKILL");
    await tsdeploy([...line, "--wait"], { machine: machine2 });
    await allVote(machine1, [machine1, machine2]);
    await areReady(machine2, [machine1, machine2, machine4]);
  });

  it("a third one, stopped by Ctrl-C when it votes, leaves the two as they were", async () => {
    const result = await cutShort([...(await joinLine(machine2)), "--wait"], machine3, "node-ready", "SIGINT");
    expect(result.exitCode, said(result)).toBe(130);
    await isAsItWas(machine3);
    await allVote(machine1, [machine1, machine2]);
    expect(await by(machine1, ["get", "nodes", "-o", "name"])).not.toContain(machine3.name);
  });

  it("a third one joins over SSH, by the second", async () => {
    await tsdeploy(await joinLine(machine2), { machine: machine3, via: "ssh" });
    for (const one of machines) await allVote(one, machines);
    await areReady(machine3, [...machines, machine4]);
  });

  it("each of them, asked again, has nothing to change, and status shows all nodes", async () => {
    for (const one of machines) {
      expect(said(await tsdeploy(["master"], { machine: one })), one.name).toContain("Nothing to change");
      const { stdout } = await tsdeploy(["status"], { machine: one });
      expect(stdout).toMatch(/^API server https:\/\/[\d.]+:6443: ok$/m);
      for (const { name } of [...machines, machine4]) expect(stdout).toMatch(new RegExp(`${name} +Ready`));
    }
  });

  it("the worker knows all of them", async () => {
    const list = machines.map(({ address }) => `${address}:6443\n`).join("");
    await eventually("the worker's list", async () => {
      expect(await machine4.sh("cat /etc/kubernetes/masters/list")).toBe(list);
    });
  });
});

describe("the loss of one of three", () => {
  it("of its power: all goes on, and it comes back by itself", async () => {
    await goesOnWithout(machine1, "power", () => machine1.powerOff());
    await machine1.powerOn();
    await isBack(machine1);
  });

  it("of its network: all goes on, and it comes back by itself", async () => {
    await goesOnWithout(machine2, "network", () => machine2.unplug());
    await machine2.plug();
    await isBack(machine2);
  });

  it("of its disk: all goes on, and the one line makes a new machine its successor", async () => {
    await goesOnWithout(machine3, "disk", () => runOk("scripts/dev/machines", ["down", String(machine3.number)]));
    await makeMachines([machine3]);
    await tsdeploy(await joinLine(machine1), { machine: machine3 });
    await isBack(machine3);
  });

  it("of etcd's data alone, on a further one: `master` there lets it in anew", async () => {
    await loseData(machine2);
    expect(said(await tsdeploy(["master"], { machine: machine2 }))).not.toContain("Nothing to change");
    await isBack(machine2);
  });

  it("of etcd's data alone, on the first one: it makes no other cluster, is taken off and joins anew", async () => {
    await loseData(machine1);
    const refused = await tryTsdeploy(["master"], { machine: machine1 });
    expect([refused.exitCode, refused.stderr]).toEqual([4, expect.stringContaining("ETCD_DATA_LOST")]);
    const answer = await tryKubectl(["--kubeconfig", kubeconfig, "--server", `https://${machine1.address}:6443`, "get", "nodes"]);
    expect(answer.exitCode, said(answer)).not.toBe(0);
    expect((await members(machine2)).find(({ name }) => name === machine1.name)?.state).toBe("does not answer");
    const unforced = await tryTsdeploy(["teardown", "--purge", "--yes"], { machine: machine1 });
    expect([unforced.exitCode, unforced.stderr]).toEqual([5, expect.stringContaining("--force")]);
    await tsdeploy(["teardown", "--purge", "--force", "--yes"], { machine: machine1 });
    await isAsItWas(machine1);
    const living = await tryTsdeploy(["member", "remove", machine3.name], { machine: machine2 });
    expect([living.exitCode, living.stderr]).toEqual([4, expect.stringContaining("MEMBER_LIVES")]);
    await tsdeploy(["member", "remove", machine1.name], { machine: machine2 });
    await allVote(machine2, [machine2, machine3]);
    await tsdeploy(await joinLine(machine2), { machine: machine1 });
    await isBack(machine1);
  });

  it("that is removed, and comes back, is told so, and joins anew after a teardown", async () => {
    await machine3.unplug();
    await eventually("it is seen that it is lost", () =>
      tsdeploy(["member", "remove", machine3.name], { machine: machine1 }),
    );
    await machine3.plug();
    await eventually("it is told so", async () => {
      const told = await tryTsdeploy(["master"], { machine: machine3 });
      expect([told.exitCode, told.stderr]).toEqual([4, expect.stringContaining("MEMBER_REMOVED")]);
    });
    await tsdeploy(["teardown", "--yes"], { machine: machine3 });
    await isAsItWas(machine3);
    await tsdeploy(await joinLine(machine1), { machine: machine3 });
    await isBack(machine3);
  });
});

describe("the end", () => {
  it("teardown is refused where the others could not go on", async () => {
    await machine3.unplug();
    await eventually("it is seen that it is lost", async () => {
      expect((await members(machine2)).map(({ state }) => state)).toContain("does not answer");
    });
    const result = await tryTsdeploy(["teardown", "--yes"], { machine: machine2 });
    expect([result.exitCode, said(result)]).toEqual([4, expect.stringContaining("ETCD_QUORUM")]);
    await machine3.plug();
    await isBack(machine3);
  });

  it("every acknowledged write is there, on each master", async () => {
    await writer.stop();
    console.log(`${writer.count} writes were acknowledged`);
    for (const one of machines) expect(await writer.lostOn(one), one.name).toEqual([]);
  });

  it("teardown of each leaves the others in order, and no difference at all", async () => {
    await tsdeploy(["teardown", "--yes"], { machine: machine1 });
    await isAsItWas(machine1);
    await allVote(machine2, [machine2, machine3]);
    await tsdeploy(["teardown", "--yes"], { machine: machine3 });
    await isAsItWas(machine3);
    await allVote(machine2, [machine2]);
    expect(await writer.lostOn(machine2)).toEqual([]);
    await eventually("the worker's list", async () => {
      expect(await machine4.sh("cat /etc/kubernetes/masters/list")).toBe(`${machine2.address}:6443\n`);
    });
    await tsdeploy(["teardown", "--yes"], { machine: machine4 });
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine2 });
    for (const one of [...machines, machine4]) await isAsItWas(one);
  });
});
