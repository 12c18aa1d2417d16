import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine4, machines } from "./support/machine.js";
import { image, kubectl, said, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import { runOk } from "./support/run.js";
import { makeMachines } from "./support/setup.js";
import { toolbox } from "./support/workload.js";

/** A name and a port that nothing of tsdeploy's has: of a load balancer, on the worker's machine. */
const name = "api.lab.test";
const port = 7443;
const file = join(workFolder, "endpoint.yaml");
const all: readonly Machine[] = [...machines, machine4];
let env: NodeJS.ProcessEnv = {};

/** HAProxy as its owner would set it up: TCP alone, to the masters that answer. */
async function startBalancer(): Promise<void> {
  const servers = machines.map((one) => `  server ${one.name} ${one.address}:6443 check inter 500ms on-marked-down shutdown-sessions`);
  const timeouts = ["connect 2s", "client 1h", "server 1h"].map((one) => `  timeout ${one}`);
  const lines = ["defaults", "  mode tcp", ...timeouts, "listen masters", `  bind :${port}`, ...servers];
  await machine4.sh(`
    printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")} >/srv/balancer.cfg
    docker run -d --name owners-balancer --network host -v /srv/balancer.cfg:/balancer.cfg:ro ${image} haproxy -db -f /balancer.cfg`);
}

/** As who is elsewhere does, who knows the name by a DNS of the owner's: this machine's is left alone. */
async function byEndpoint(...args: string[]): Promise<string> {
  return kubectl(["--server", `https://${machine4.address}:${port}`, "--tls-server-name", name, ...args], { timeoutMs: 150_000 });
}

/** As it was before the name was there. */
async function forgetName(machine: Machine): Promise<void> {
  // What Docker has mounted there can only be written anew.
  await machine.sh(`sed '/ ${name}$/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts; rm /tmp/hosts`);
}

/** When the worker became Ready; fails if it is not. */
async function workerReadySince(): Promise<string> {
  const path = '{.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].lastTransitionTime}';
  const [status = "", since = ""] = (await byEndpoint("get", "node", machine4.name, "-o", `jsonpath=${path}`)).split(" ");
  expect(status).toBe("True");
  return since;
}

async function up(): Promise<readonly string[]> {
  const { stdout, stderr } = await tryTsdeploy(["up", "--file", file, "--output", "json"], { env });
  expect(stdout, stderr).not.toBe("");
  return (JSON.parse(stdout) as { hosts: readonly { outcome: string }[] }).hosts.map(({ outcome }) => outcome);
}

beforeAll(async () => {
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await makeMachines([machine4]);
  const found = await Promise.all(all.map((machine) => machine.environment("ssh")));
  env = { PATH: found[0]?.["PATH"] };
  const hosts = all.map(({ name: nodeName }, n) => ({
    role: machines[n] ? "master" : "worker",
    dockerHost: found[n]?.["DOCKER_HOST"],
    nodeName,
  }));
  const shared = { clusterName: "endpoint", k8sVersion: version, network: "bridge", dns: false };
  writeFileSync(file, JSON.stringify({ ...shared, controlPlaneEndpoint: `${name}:${port}`, hosts }));
});

afterAll(async () => {
  await tryTsdeploy(["down", "--file", file, "--purge", "--yes", "--force"], { env });
  await Promise.all(machines.map(forgetName));
  if (process.env["TSDEPLOY_E2E_KEEP"] === undefined) await runOk("scripts/dev/machines", ["down", String(machine4.number)]);
});

describe("masters behind a load balancer of the owner's", () => {
  it("are refused while its name leads nowhere, before anything is touched", async () => {
    const result = await tryTsdeploy(["master", "--control-plane-endpoint", `${name}:${port}`], { machine: machine1 });
    expect(said(result)).toContain("ENDPOINT_UNKNOWN");
    expect(differences(savedFootprint(machine1), await footprint(machine1))).toEqual([]);
  });

  it("are made by one up, and the worker knows nothing but that name", async () => {
    for (const machine of all) await machine.sh(`echo '${machine4.address} ${name}' >>/etc/hosts`);
    await startBalancer();
    expect(await up()).toEqual(["made", "joined", "joined", "joined"]);
    expect(await machine4.sh("cat /etc/kubernetes/kubelet.conf")).toContain(`server: https://${name}:${port}`);
    expect(await machine4.containers("label=io.tsdeploy.component=haproxy")).toEqual([]);
    await workerReadySince();
    expect(await up()).toEqual(["same", "same", "same", "same"]);
  });

  it("go on without the first one, and the worker stays Ready", async () => {
    const since = await workerReadySince();
    await machine1.powerOff();
    await eventually("the load balancer leads to another", () => byEndpoint("get", "nodes"));
    await eventually(`${machine1.name} is found out`, async () => {
      expect(await byEndpoint("get", "nodes", machine1.name)).toContain("NotReady");
    });
    expect(await workerReadySince()).toBe(since);
    // Its kubelet hears of a pod, and says so.
    const pod = JSON.stringify(toolbox("asked", machine4, { hostNetwork: true }));
    await kubectl(["--server", `https://${machine4.address}:${port}`, "--tls-server-name", name, "apply", "-f", "-"], { input: pod });
    await byEndpoint("wait", "pod/asked", "--for=condition=Ready", "--timeout=120s");
    await byEndpoint("delete", "pod", "asked", "--now");
    await machine1.powerOn();
    await eventually("all masters vote", async () => {
      const { stdout } = await tsdeploy(["member", "list"], { machine: machine1 });
      for (const one of machines) expect(stdout).toMatch(new RegExp(`${one.name}.*votes`));
    });
  });

  it("are taken off by down, and the load balancer is as it was", async () => {
    const { exitCode, stderr } = await tryTsdeploy(["down", "--file", file, "--purge", "--yes"], { env });
    expect(exitCode, stderr).toBe(0);
    expect(await machine4.docker("inspect", "-f", "{{.State.Running}}", "owners-balancer")).toBe("true\n");
    await machine4.sh("docker rm -f owners-balancer && rm /srv/balancer.cfg");
    for (const machine of all) {
      await forgetName(machine);
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
