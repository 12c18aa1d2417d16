import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { differences, type Footprint, footprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import {
  apply,
  hasFlannel,
  image,
  kubectl,
  kubectlJson,
  networkBackend,
  said,
  tryTsdeploy,
  tsdeploy,
  version,
  workFolder,
} from "./support/operator.js";
import type { RunOptions, RunResult } from "./support/run.js";
import { nodesReady, routePods, service, unroutePods, workload } from "./support/workload.js";

const file = join(workFolder, "upgraded.yaml");
const next = "v1.21.0";
const nextImage = `tsdeploy/hyperkube:${next}`;
const port = 30080;
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

/** The same Kubernetes by the name of the next minor version, which is as long: its programs say so themselves. */
const renamed = `
  docker run -d --name owners-build ${image} sleep infinity >/dev/null
  docker exec owners-build sh -c 'cd /usr/local/bin && sed -i "s/${version.replaceAll(".", "\\.")}/${next}/g" kube*'
  docker stop -t 0 owners-build >/dev/null
  docker commit --change 'CMD ["/pause"]' --change 'LABEL org.opencontainers.image.version=${next}' owners-build ${nextImage} >/dev/null
  docker rm owners-build >/dev/null`;

/** Asks the Service without a pause, until it is stopped. */
class Caller {
  readonly failures: string[] = [];
  answers = 0;
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(url: string) {
    this.#ended = this.#call(url);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #call(url: string): Promise<void> {
    while (!this.#isStopped) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(10_000), headers: { connection: "close" } });
        await response.text();
        if (response.ok) this.answers++;
        else this.failures.push(`status ${response.status}`);
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
    }
  }
}

async function versions(): Promise<string[]> {
  type Items = { items: { status: { nodeInfo: { kubeletVersion: string } } }[] };
  return (await kubectlJson<Items>("get", "nodes")).items.map(({ status }) => status.nodeInfo.kubeletVersion);
}

/** Two pods that never are on one node, which end after the Service has let go of them, and a budget of one. */
function steadyWorkload(): object[] {
  const [secret, deployment] = workload as unknown as [object, { spec: { template: { spec: object } } }];
  const spec = structuredClone(deployment) as {
    spec: { replicas: number; template: { spec: Record<string, unknown> & { containers: Record<string, unknown>[] } } };
  };
  const alone = { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } };
  spec.spec.replicas = 2;
  delete spec.spec.template.spec["topologySpreadConstraints"];
  spec.spec.template.spec["terminationGracePeriodSeconds"] = 15;
  spec.spec.template.spec["affinity"] = {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [alone] },
  };
  for (const container of spec.spec.template.spec.containers) {
    container["lifecycle"] = { preStop: { exec: { command: ["sleep", "5"] } } };
  }
  const budget = {
    apiVersion: "policy/v1beta1",
    kind: "PodDisruptionBudget",
    metadata: { name: "web" },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
  };
  return [secret, spec, budget, service("web-everywhere", { type: "NodePort" }, port)];
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

// The programs are renamed by one name of the same length.
describe.runIf(version === "v1.20.2")("an upgrade of three machines", () => {
  let caller: Caller;

  it("is planned, and refused where there is no way", async () => {
    write(version);
    await tsdeploy(["up", "--file", file], { env });
    await routePods();
    await apply(...steadyWorkload());
    await kubectl(["rollout", "status", "deployment/web", "--timeout=60s"]);
    caller = new Caller(`http://${machine1.address}:${port}/`);

    const back = await upgrade("plan", ["--to", "v1.19.16"]);
    expect([back.exitCode, back.stdout]).toEqual([4, expect.stringContaining("DOWNGRADE")]);
    expect((await upgrade("apply", ["--to", "v1.19.16"])).exitCode).toBe(4);
    const far = await upgrade("plan", ["--to", "v1.22.17", "--output", "json"]);
    const stops = (JSON.parse(far.stdout) as { stops: { version: string; workers: string[] }[] }).stops;
    expect(stops.map(({ version: stop, workers }) => [stop.slice(0, 5), workers.length])).toEqual([["v1.21", 0], ["v1.22", 2]]);

    await machine1.sh(renamed);
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
    expect((await tsdeploy(["status"], { machine: machine1 })).stdout).toMatch(/upgrade to v1\.21\.0: [12] of 3 nodes/);
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
