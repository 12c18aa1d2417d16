import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint } from "./support/footprint.js";
import { machine1, machine2, machine3, machines } from "./support/machine.js";
import { apply, kubectl, said, startKubectl, tryTsdeploy, tsdeploy, workFolder } from "./support/operator.js";
import { runOk } from "./support/run.js";
import {
  clusterIp,
  names,
  namesFromHost,
  namesFromPod,
  nodePort,
  nodes,
  nodesReady,
  readyWebPods,
  routePods,
  secretContent,
  toolbox,
  webPodOn,
  workload,
} from "./support/workload.js";

/** The line that `master` printed for people to run elsewhere, as arguments. */
let workerLine: string[] = [];
let token = "";

describe("three commands make a cluster", () => {
  it("tsdeploy master, over Docker's socket", async () => {
    const { stdout } = await tsdeploy(["master"], { machine: machine1 });
    const line = /^\s*tsdeploy (worker .*)$/m.exec(stdout)?.[1];
    expect(line, "the worker line").toBeDefined();
    workerLine = line?.trim().split(/\s+/) ?? [];
    expect(workerLine).toContain(machine1.address);
    token = workerLine[workerLine.indexOf("--token") + 1] ?? "";
    expect(token).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}\.[0-9a-f]{64}$/);
  });

  it("the operator's kubectl works at once and sees the first node Ready", async () => {
    expect(await kubectl(["get", "nodes"])).toMatch(/^machine-1\s+Ready\s/m);
    await kubectl(["wait", "--for=condition=Ready", "node/machine-1", "--timeout=1s"]);
  });

  it("the printed line on machine 2, over TCP with TLS, by another operator", async () => {
    const result = await tsdeploy(workerLine, { machine: machine2, via: "tcp", home: join(workFolder, "other-home") });
    expect(said(result)).toContain("machine-2");
  });

  it.each([
    ["a wrong token", () => `abcdef.0123456789abcdef.${token.split(".")[2] ?? ""}`, 5],
    ["a wrong CA hash", () => `${token.slice(0, 24)}${"0".repeat(64)}`, 5],
    ["a token that is none", () => "swordfish", 2],
  ])("%s is refused with a clear error and leaves nothing", async (_, wrong, exitCode) => {
    const before = await footprint(machine3);
    const args = ["worker", "--master", machine1.address, "--token", wrong()];
    const result = await tryTsdeploy(args, { machine: machine3, home: join(workFolder, "other-home") });
    expect(result.stderr).toMatch(/token|CA/);
    expect(said(result)).not.toContain(token.split(".")[1]);
    expect(result.exitCode).toBe(exitCode);
    expect(differences(before, await footprint(machine3))).toEqual([]);
  });

  it("an expired token is refused with a clear error and leaves nothing", async () => {
    const before = await footprint(machine3);
    const otherHome = join(workFolder, "other-home");
    const { stdout } = await tsdeploy(["token", "create", "--ttl", "1s"], { machine: machine1, home: otherHome });
    const shortLived = /[a-z0-9]{6}\.[a-z0-9]{16}\.[0-9a-f]{64}/.exec(stdout)?.[0] ?? "";
    await eventually("the token is gone", async () => {
      const list = await tsdeploy(["token", "list"], { machine: machine1 });
      expect(list.stdout).not.toMatch(new RegExp(`${shortLived.slice(0, 6)}(?!.*expired)`));
    });
    const args = ["worker", "--master", machine1.address, "--token", shortLived];
    const result = await tryTsdeploy(args, { machine: machine3, home: otherHome });
    expect(result.stderr).toMatch(/token/);
    expect(result.stderr).toContain("tsdeploy token create");
    expect(result.exitCode).toBe(5);
    expect(differences(before, await footprint(machine3))).toEqual([]);
  });

  it("a revoked token is refused by a machine that has not joined, which may try with --dry-run", async () => {
    const before = await footprint(machine3);
    const otherHome = join(workFolder, "other-home");
    const { stdout } = await tsdeploy(["token", "create"], { machine: machine1, home: otherHome });
    const made = /([a-z0-9]{6})\.([a-z0-9]{16})\.[0-9a-f]{64}/.exec(stdout);
    const [revoked = "", id = "", secret = ""] = made ?? [];
    const args = ["worker", "--master", machine1.address, "--token", revoked, "--dry-run"];
    await tsdeploy(args, { machine: machine3, home: otherHome });
    await tsdeploy(["token", "revoke", id], { machine: machine1, home: otherHome });
    await eventually("the token is refused", async () => {
      const refused = await tryTsdeploy(args, { machine: machine3, home: otherHome });
      expect(refused.stderr).toContain("TOKEN_REFUSED");
      expect(refused.exitCode).toBe(5);
      expect(said(refused)).not.toContain(secret);
    });
    expect(differences(before, await footprint(machine3))).toEqual([]);
  });

  it("tsdeploy worker on machine 3, over SSH, with the token that master saved for its operator", async () => {
    const result = await tsdeploy(["worker", "--master", machine1.address], { machine: machine3, via: "ssh" });
    expect(said(result)).toContain("machine-3");
  });

  it("kubectl get nodes shows three, Ready, each with its machine's own address", async () => {
    await nodesReady(machines);
    const found = (await nodes()).map(({ metadata, status }) => [
      metadata.name,
      status.addresses.find(({ type }) => type === "InternalIP")?.address,
    ]);
    expect(found.sort()).toEqual(machines.map(({ name, address }) => [name, address]));
  });
});

describe("the cluster does what one expects of Kubernetes", () => {
  it("a deployment's pods run on all three machines", async () => {
    await routePods();
    await apply(...workload);
    const pods = await readyWebPods();
    expect([...new Set(pods.map(({ spec }) => spec.nodeName))].sort()).toEqual(machines.map(({ name }) => name));
  });

  it.each(machines.map((machine) => [machine.name, machine] as const))(
    "the Service spreads over all pods from the host %s",
    async (_, machine) => {
      const all = names(await readyWebPods());
      await eventually("all answer", async () => {
        expect(await namesFromHost(machine, await clusterIp())).toEqual(all);
      });
    },
  );

  it.each(machines.map((machine) => [machine.name, machine] as const))(
    "the Service spreads over all pods from a pod on %s",
    async (_, machine) => {
      const all = names(await readyWebPods());
      await eventually("all answer", async () => {
        expect(await namesFromPod(await webPodOn(machine), `${await clusterIp()}:80`)).toEqual(all);
      });
    },
  );

  it("a NodePort answers on every machine, from each other and from this one", async () => {
    const port = await nodePort();
    const all = names(await readyWebPods());
    for (const { address } of machines) {
      expect(await namesFromHost(machine2, `${address}:${port}`)).toEqual(all);
      expect(await runOk("curl", ["-sSf", "-m", "5", `http://${address}:${port}/`])).toMatch(/^web-/);
    }
  });

  it.each([machine1, machine2, machine3].map((machine) => [machine.name, machine] as const))(
    "kubectl exec and logs work for a pod on %s, with its secret and its emptyDir",
    async (_, machine) => {
      const pod = await webPodOn(machine);
      expect(await kubectl(["exec", pod, "--", "cat", "/secret/content"])).toBe(secretContent);
      await kubectl(["exec", pod, "--", "sh", "-c", "echo kept >/scratch/file; echo to the log >/proc/1/fd/1"]);
      await eventually("the log has it", async () => {
        expect(await kubectl(["logs", pod])).toContain("to the log");
      });
    },
  );

  it("kubectl port-forward reaches a pod on a worker", async () => {
    const pod = await webPodOn(machine2);
    const forward = startKubectl(["port-forward", `pod/${pod}`, ":8080"]);
    try {
      let output = "";
      forward.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
      forward.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
      const port = await eventually("a local port", () => {
        const found = /127\.0\.0\.1:(\d+)/.exec(output)?.[1];
        if (!found) throw new Error(output);
        return found;
      });
      expect(await runOk("curl", ["-sSf", "-m", "10", `http://127.0.0.1:${port}/`])).toBe(`${pod}\n`);
    } finally {
      forward.kill();
    }
  });

  it("a pod reaches the API server by its Service address, as its own account", async () => {
    await apply(toolbox("toolbox", machine3, { hostNetwork: false }));
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    const curl = `curl -sS --cacert ${account}/ca.crt -H "Authorization: Bearer $(cat ${account}/token)"`;
    const script = `${curl} https://$KUBERNETES_SERVICE_HOST/api/v1/secrets`;
    await kubectl(["wait", "--for=condition=Ready", "pod/toolbox", "--timeout=60s"]);
    expect(await kubectl(["exec", "toolbox", "--", "bash", "-c", script])).toContain(
      "system:serviceaccount:default:default",
    );
  });
});
