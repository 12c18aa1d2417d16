import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { withClusterFile } from "../clusterFile.mjs";
import { BenchError, endGroup, execute, interrupted, onInterruption, pause, root } from "../execute.mjs";

/** Machines of the control plane; one more is where the writers are. */
const masterCount = 3;
/** Connections that each side has. */
const lanes = 3;
/** Where the balancers of that one machine listen. */
const ports = { tsdeploy: 6443, kubeadm: 8443 };
const balancer = "bench_balancer";
const gapOf = (side) => `${side}: no write for`;

/** How long a cluster of three may take to be whole again, and writes to go on. */
const patienceMs = 180_000;

/**
 * The same three masters, each cut off its power in turn, as writers on a worker see it: by the balancer that tsdeploy
 * has on each node, and by one as kubeadm's documentation sets it up for a control plane.
 */
export const failover = {
  name: "failover",
  about: "power cut of each of three masters: longest time without a write, beside a balancer as kubeadm's layout has it",
  machines: masterCount + 1,
  runs: 1,
  needs: [],
  targets: () => ({ [gapOf("tsdeploy")]: { against: gapOf("kubeadm's layout") } }),
  async run(testbed, note) {
    const masters = testbed.machines.slice(0, masterCount);
    const client = testbed.machines[masterCount];
    await withClusterFile({ ...testbed, machines: [...masters, client] }, masterCount, async (file) => {
      const writers = {};
      try {
        await testbed.tsdeploy(masters[0], "up", "--file", file);
        await startBalancer(testbed, await membersBy(testbed, masters[0]), client);
        writers.tsdeploy = await Writer.start(testbed, client, ports.tsdeploy);
        writers["kubeadm's layout"] = await Writer.start(testbed, client, ports.kubeadm);
        for (const lost of masters) await lose(lost, { testbed, masters, writers, note });
      } finally {
        for (const writer of Object.values(writers)) writer.stop();
        await testbed.machinesScript(["up", "--only", masters.join()], { always: true });
        await removeBalancer(testbed, client);
      }
      await testbed.tsdeploy(masters[0], "down", "--file", file, "--purge", "--yes");
    });
  },
};

async function lose(lost, { testbed, masters, writers, note }) {
  for (const writer of Object.values(writers)) writer.forget();
  await testbed.machinesScript(["power-off", lost]);
  for (const [side, writer] of Object.entries(writers)) {
    for (const gapMs of await writer.gapsMs()) note(gapOf(side), gapMs);
  }
  await testbed.machinesScript(["up", "--only", lost]);
  const other = masters.find((n) => n !== lost);
  await until("all members of etcd vote", async () => {
    const members = await membersBy(testbed, other).catch(() => []);
    return members.length === masterCount && members.every(({ state }) => state === "votes");
  });
}

async function membersBy(testbed, master) {
  return (await testbed.tsdeploy(master, "member", "list")).members;
}

/** With the settings of kubeadm's documentation for a software load balancer. */
async function startBalancer(testbed, members, client) {
  const configuration = `global
  log stdout format raw local0 notice
defaults
  mode tcp
  log global
  option redispatch
  retries 1
  timeout queue 20s
  timeout connect 5s
  timeout client 35s
  timeout server 35s
  timeout check 10s
listen masters
  bind 127.0.0.1:${ports.kubeadm}
  balance roundrobin
  option httpchk GET /healthz
  http-check expect status 200
${members.map(({ name, address }) => `  server ${name} ${address}:6443 check check-ssl verify none`).join("\n")}
`;
  // Of a run that was killed.
  await removeBalancer(testbed, client);
  const start = 'printf %s "$1" >/tmp/haproxy.cfg && exec haproxy -f /tmp/haproxy.cfg';
  const what = [testbed.image, "bash", "-c", start, "balancer", configuration];
  await testbed.docker(client, "run", "-d", "--name", balancer, "--network", "host", ...what);
}

/** Even when interrupted. One that is not there is an error for old Dockers alone. */
async function removeBalancer(testbed, client) {
  const argv = ["docker", "rm", "-f", balancer];
  await execute(argv, { env: testbed.env(client), on: client, always: true }).catch(() => undefined);
}

async function until(what, isSo) {
  const deadline = Date.now() + patienceMs;
  while (!(await isSo())) {
    if (interrupted.aborted) throw new BenchError("interrupted");
    if (Date.now() > deadline) throw new BenchError(`${what}: not within ${patienceMs / 1000} s`);
    await pause(500);
  }
}

/** Writes in lanes, on a machine of its own network, by what listens there. */
class Writer {
  #child;
  #forgetInterruption;
  /** Of each lane: when a write was acknowledged last, and the longest time between two. */
  #lanes = Array.from({ length: lanes }, () => ({ lastMs: undefined, gapMs: 0, writes: 0 }));

  static async start(testbed, machine, port) {
    const container = `tsdeploy-machine-${machine}`;
    const { stdout } = await execute(["docker", "inspect", "-f", "{{.State.Pid}}", container]);
    const script = join(root, "scripts/dev/bench/writer.mjs");
    const namespace = ["nsenter", `--net=/proc/${stdout.trim()}/ns/net`];
    const argv = [...namespace, process.execPath, script, testbed.kubeconfigs.tsdeploy, String(port), String(lanes)];
    const writer = new Writer(argv);
    await writer.#write(5);
    return writer;
  }

  constructor([program, ...args]) {
    this.#child = spawn(program, args, { detached: true, stdio: ["ignore", "pipe", "inherit"] });
    this.#child.on("error", () => undefined);
    this.#forgetInterruption = onInterruption(() => this.stop());
    createInterface({ input: this.#child.stdout }).on("line", (line) => {
      const [number, nowMs] = line.split(" ").map(Number);
      const lane = this.#lanes[number];
      if (lane.lastMs !== undefined) lane.gapMs = Math.max(lane.gapMs, nowMs - lane.lastMs);
      lane.lastMs = nowMs;
      lane.writes++;
    });
  }

  /** What was before. */
  forget() {
    for (const lane of this.#lanes) Object.assign(lane, { gapMs: 0, writes: 0 });
  }

  /** Of each lane, once it goes on. */
  async gapsMs() {
    // The first may have been on their way.
    await pause(15_000);
    await this.#write(20);
    return this.#lanes.map(({ gapMs }) => gapMs);
  }

  stop() {
    this.#forgetInterruption();
    endGroup(this.#child);
  }

  /** Waits for so many more writes in each lane. */
  async #write(count) {
    const wanted = this.#lanes.map(({ writes }) => writes + count);
    await until("writes go on", async () => {
      if (this.#child.exitCode !== null) throw new BenchError("a writer has ended");
      return this.#lanes.every(({ writes }, place) => writes >= wanted[place]);
    });
  }
}
