import { describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { machine1, machine2, machine3, machines } from "./support/machine.js";
import { kubectl, said, tryTsdeploy, tsdeploy } from "./support/operator.js";
import {
  clusterIp,
  names,
  namesFromHost,
  nodesReady,
  readyWebPods,
  replicas,
  unroutePods,
  webPods,
} from "./support/workload.js";

/** etcd's data, the cluster's identity, accepted options, and what the host was like. */
const keptPaths = String.raw`/etc/kubernetes(/pki(/.*)?|/tsdeploy\.yaml|/tsdeploy-files\.json|/host-before\.json)?|/var/lib/etcd/member(/.*)?`;
const kept = new RegExp(`^\\+ (file|content): .* (${keptPaths})$`);

let address = "";

describe("teardown of a worker", () => {
  it("shows first, with --dry-run alone, and changes nothing", async () => {
    const before = await machine3.containers();
    const { stdout } = await tsdeploy(["teardown", "--dry-run"], { machine: machine3 });
    expect(stdout).toMatch(/kube_kubelet_/);
    expect(stdout).not.toContain("owners-");
    expect(await machine3.containers()).toEqual(before);
  });

  it("drains it: its pods move to other nodes, and removes its Node object", async () => {
    address = await clusterIp();
    await tsdeploy(["teardown", "--yes"], { machine: machine3, via: "ssh" });
    expect(await kubectl(["get", "nodes"])).not.toContain("machine-3");
    // Their spread forbids other places while machine 3 counts; that a node has gone does not make v1.20's scheduler
    // look again: it would after a minute.
    await kubectl(["label", "node", "machine-2", "woken=yes"]);
    const pods = await readyWebPods();
    expect(pods.map(({ spec }) => spec.nodeName)).not.toContain("machine-3");
  });

  it("leaves what was the owner's, running", async () => {
    expect(await machine3.docker("ps")).toContain("owners-container");
    expect(await machine3.docker("volume", "ls")).toContain("owners-volume");
    expect(await machine3.sh("cat /opt/cni/bin/owners-plugin")).toBe("owners\n");
  });

  it("of the other one too, and twice in a row succeeds", async () => {
    await tsdeploy(["teardown", "--yes"], { machine: machine2, via: "tcp" });
    expect(said(await tsdeploy(["teardown", "--yes"], { machine: machine2 }))).toMatch(/nothing/i);
    expect(await kubectl(["get", "nodes"])).not.toContain("machine-2");
  });
});

describe("teardown of the master", () => {
  it("keeps data and identity, and is no second time different", async () => {
    await tsdeploy(["teardown", "--yes"], { machine: machine1 });
    await tsdeploy(["teardown", "--yes"], { machine: machine1 });
    await unroutePods();
    const found = differences(savedFootprint(machine1), await footprint(machine1));
    expect(found.filter((line) => !kept.test(line))).toEqual([]);
    expect(found.join("\n")).toContain("/etc/kubernetes/pki/ca.key");
    expect(found.join("\n")).toContain("/var/lib/etcd/member");
  });

  it.each([machine2, machine3].map((machine) => [machine.name, machine] as const))(
    "and of all: %s is what it was before",
    async (_, machine) => {
      expect(differences(savedFootprint(machine), await footprint(machine))).toEqual([]);
    },
  );
});

describe("master and worker again, by a runner that can reach nothing but Docker's socket", () => {
  it("bring the deployment back, with the same Service address", async () => {
    await tsdeploy(["master"], { machine: machine1, withoutNetwork: true });
    await nodesReady([machine1]);
    expect(await clusterIp()).toBe(address);
    await eventually("pods of the deployment run again", async () => {
      const pods = await webPods();
      expect(pods.filter(({ status }) => status.conditions?.some(isReady)).length).toBe(replicas);
      expect(await namesFromHost(machine1, address)).toEqual(names(pods));
    });
  });

  it("a worker joins", async () => {
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine2, withoutNetwork: true });
    await nodesReady([machine2]);
  });

  it("status says how it is", async () => {
    const { stdout } = await tsdeploy(["status"], { machine: machine1, withoutNetwork: true });
    expect(stdout).toContain("machine-2");
  });
});

describe("teardown --purge", () => {
  it("is refused without a terminal and without --yes, and then nothing has changed", async () => {
    const before = await machine1.containers();
    const result = await tryTsdeploy(["teardown", "--purge"], { machine: machine1 });
    expect(result.stderr).toContain("--yes");
    expect(result.exitCode).toBe(2);
    expect(await machine1.containers()).toEqual(before);
  });

  it("with --yes leaves no difference at all", async () => {
    await tsdeploy(["teardown", "--yes", "--purge", "--force"], { machine: machine2, withoutNetwork: true });
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine1, withoutNetwork: true });
    for (const machine of machines) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});

function isReady({ type, status }: { readonly type: string; readonly status: string }): boolean {
  return type === "Ready" && status === "True";
}
