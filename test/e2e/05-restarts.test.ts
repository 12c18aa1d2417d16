import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import { kubectl, said, tsdeploy } from "./support/operator.js";
import { everythingIsBack, nodesReady, readyWebPods, routePods, secretContent, webPodOn } from "./support/workload.js";

beforeAll(() => nodesReady(machines));

/** Pods' containers and their contents on one machine. */
async function podsOf(machine: Machine): Promise<{ containers: string[]; pod: string; content: string }> {
  const pod = await webPodOn(machine);
  return {
    containers: await machine.containers("label=io.kubernetes.pod.namespace=default"),
    pod,
    content: await kubectl(["exec", pod, "--", "sh", "-c", "cat /scratch/file /secret/content"]),
  };
}

describe("a restart of the kubelet container alone", () => {
  it.each([machine1, machine2].map((machine) => [machine.name, machine] as const))(
    "on %s leaves pods running, with their volumes",
    async (_, machine) => {
      const before = await podsOf(machine);
      await machine.docker("restart", await machine.component("kubelet"));
      await nodesReady([machine], Date.now());
      // It first has to learn again which pods are its.
      await eventually("the kubelet knows its pods", () => kubectl(["exec", before.pod, "--", "true"]));
      expect(await podsOf(machine)).toEqual(before);
      expect(before.content).toBe(`kept\n${secretContent}`);
    },
  );

  it("leaves it able to start new pods with a secret and an emptyDir", async () => {
    const pod = await webPodOn(machine2);
    await kubectl(["delete", "pod", pod]);
    const successor = await eventually("a new pod on machine 2", async () => {
      const name = await webPodOn(machine2);
      if (name === pod) throw new Error("still the old one");
      return name;
    });
    await kubectl(["exec", successor, "--", "sh", "-c", "echo kept >/scratch/file"]);
    expect(await kubectl(["exec", successor, "--", "cat", "/secret/content"])).toBe(secretContent);
  });
});

describe("everything is back without a hand", () => {
  it("after a restart of dockerd on a worker", async () => {
    await machine3.restartDocker();
    await everythingIsBack(machines);
  });

  it("after a reboot of a worker, volumes that lie on disk with their content", async () => {
    const pod = await webPodOn(machine2);
    await machine2.reboot();
    await everythingIsBack(machines);
    expect(await webPodOn(machine2)).toBe(pod);
    expect(await kubectl(["exec", pod, "--", "cat", "/scratch/file"])).toBe("kept\n");
    expect(await kubectl(["exec", pod, "--", "cat", "/secret/content"])).toBe(secretContent);
  });

  it("after a restart of dockerd on the master", async () => {
    await machine1.restartDocker();
    await everythingIsBack(machines);
  });

  // As when the kernel's OOM killer takes it. The machine starts it again, as systemd does.
  it.each([machine1, machine2].map((machine) => [machine.name, machine] as const))(
    "after a crash of dockerd on %s",
    async (_, machine) => {
      await machine.crashDocker();
      await everythingIsBack(machines);
    },
  );

  it("after a reboot of the master, with the identity it had", async () => {
    const identity = "sha256sum /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/sa.pub";
    const before = await machine1.sh(identity);
    await machine1.reboot();
    await everythingIsBack(machines);
    expect(await machine1.sh(identity)).toBe(before);
  });

  it("and pods' accounts are still known", async () => {
    const account = "/var/run/secrets/kubernetes.io/serviceaccount";
    const script =
      `curl -sS --cacert ${account}/ca.crt -H "Authorization: Bearer $(cat ${account}/token)" ` +
      "https://$KUBERNETES_SERVICE_HOST/api/v1/secrets";
    await readyWebPods();
    expect(await kubectl(["exec", "toolbox", "--", "bash", "-c", script])).toContain(
      "system:serviceaccount:default:default",
    );
  });
});

describe("a node that somebody has deleted", () => {
  it("is there again by the same command, and its pods when they are made anew as that says", async () => {
    await kubectl(["delete", "node", machine3.name]);
    const join = ["worker", "--master", machine1.address];
    const [, command = ""] = /: kubectl (delete pods .*)/.exec(said(await tsdeploy(join, { machine: machine3 }))) ?? [];
    expect(command).toContain(machine3.name);
    await kubectl(command.trim().split(" "));
    await routePods();
    await everythingIsBack(machines);
    // By topology its pods have to be spread over all three.
    await webPodOn(machine3);
  });
});
