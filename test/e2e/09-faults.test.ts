import type { ChildProcess } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cutShort } from "./support/cutShort.js";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3 } from "./support/machine.js";
import { image, kubectl, said, tryTsdeploy, tsdeploy } from "./support/operator.js";
import type { RunResult } from "./support/run.js";
import { Wire } from "./support/wire.js";
import { nodesReady } from "./support/workload.js";

/** `TSDEPLOY_FAULTS=all` (`npm run test:faults`): at every step of every plan; else at some of each kind. */
const all = process.env["TSDEPLOY_FAULTS"] === "all";

function steps(some: readonly string[], others: readonly string[]): string[] {
  return all ? [...some, ...others] : [...some];
}

const ofMaster = steps(
  ["files", "kubelet", "api-serves", "objects"],
  ["etcd-data", "etcd", "api", "more-pods", "node-registered", "pod-cidr", "node-labels", "node-ready"],
);
const ofWorker = steps(["kubelet", "node-ready"], ["files", "proxy", "node-registered"]);
const ofTeardown = steps(["remove-containers", "clean-up"], ["stop-kubelet", "stop-etcd", "remove-kubelet"]);

/** Machines share a kernel: these are another machine's while a cluster runs there. */
const kernelWide = /sysctl: (kernel|vm)\./;

async function isAsItWas(machine: Machine, others: "idle" | "running" = "idle"): Promise<void> {
  // Docker removes the helper of a run that was killed when its connection ends.
  await eventually(`${machine.name} is as it was`, async () => {
    const found = differences(savedFootprint(machine), await footprint(machine));
    expect(others === "idle" ? found : found.filter((line) => !kernelWide.test(line))).toEqual([]);
  });
}

async function purge(machine: Machine, others: "idle" | "running" = "idle"): Promise<void> {
  await tsdeploy(["teardown", "--yes", "--purge", "--wait"], { machine });
  await isAsItWas(machine, others);
}

describe("master on a fresh machine", () => {
  it.each(ofMaster)("killed at step %s: the same command goes on, and teardown leaves nothing", async (step) => {
    await cutShort(["master"], machine2, step, "SIGKILL");
    await tsdeploy(["master", "--wait"], { machine: machine2 });
    await nodesReady([machine2]);
    await purge(machine2);
  });

  it.each(ofMaster.slice(1))("stopped by Ctrl-C at step %s undoes all that it did", async (step) => {
    const result = await cutShort(["master"], machine3, step, "SIGINT");
    expect(result.exitCode).toBe(130);
    await isAsItWas(machine3);
  });

  it("killed, and never run again, is taken away by teardown", async () => {
    await cutShort(["master"], machine3, "api-serves", "SIGKILL");
    await purge(machine3);
  });
});

describe("teardown --purge", () => {
  it.each(ofTeardown)("killed at step %s is finished by the same command", async (step) => {
    await tsdeploy(["master"], { machine: machine3 });
    await cutShort(["teardown", "--yes", "--purge"], machine3, step, "SIGKILL");
    await purge(machine3);
  });
});

describe("two operators at once", () => {
  it("on one fresh machine: one is refused at once, told by whom, and the other's cluster comes up", async () => {
    const both = await Promise.all([
      tryTsdeploy(["master"], { machine: machine1 }),
      tryTsdeploy(["master"], { machine: machine1, via: "tcp" }),
    ]);
    const [first, second] = [...both].sort((one, other) => one.exitCode - other.exitCode);
    expect([first?.exitCode, second?.exitCode], both.map(said).join("\n")).toEqual([0, 4]);
    expect(second?.stderr).toMatch(/HOST_LOCKED.*tsdeploy master.*@.*since \d{4}-/s);
    await nodesReady([machine1]);
    await purge(machine1);
  });

  it("one by master, one by teardown --wait: the later waits", async () => {
    let teardown: Promise<RunResult> | undefined;
    const act = (): void => {
      teardown = tryTsdeploy(["teardown", "--yes", "--purge", "--wait"], { machine: machine1 });
    };
    // The line of the first phase comes when the host is held.
    const whenSaid = { says: "files …", act };
    const master = await tryTsdeploy(["master"], { machine: machine1, whenSaid });
    expect(master.exitCode, said(master)).toBe(0);
    const result = await teardown;
    expect(result?.stderr).toContain("waiting for `tsdeploy master`");
    expect(result?.exitCode).toBe(0);
    await isAsItWas(machine1);
  });
});

describe("an upgrade that fails", () => {
  const broken = `
    docker run -d --name owners-build ${image} sleep infinity >/dev/null
    docker exec owners-build mv /hyperkube /hyperkube.real
    docker exec -i owners-build sh -c 'cat >/hyperkube && chmod +x /hyperkube' <<'END'
#!/bin/sh
case "$1 $2" in
  "kubelet --version") echo "Kubernetes v1.21.0" ;;
  "kube-apiserver "* | "apiserver "*) echo "this one does not work" >&2; exit 1 ;;
  *) exec /hyperkube.real "$@" ;;
esac
END
    docker commit --change 'CMD ["/pause"]' --change 'LABEL org.opencontainers.image.version=v1.21.0' \\
      owners-build tsdeploy/hyperkube:v1.21.0 >/dev/null
    docker rm -f owners-build >/dev/null`;

  // Names in the fake image are v1.20.2's.
  it.runIf(image.endsWith("v1.20.2"))("brings back the old version with its data", async () => {
    await tsdeploy(["master"], { machine: machine1 });
    await kubectl(["create", "configmap", "before-the-upgrade"]);
    await machine1.sh(broken);
    const options = { machine: machine1, env: { TSDEPLOY_K8S_VERSION: "v1.21.0" } };
    const result = await tryTsdeploy(["master", "--verbose"], options);
    expect(result.stderr).toContain("step etcd-copy: done");
    expect(result.stderr).toContain("this one does not work");
    expect(result.exitCode).toBe(6);
    await nodesReady([machine1], Date.now());
    await kubectl(["get", "configmap", "before-the-upgrade"]);
    expect(said(await tsdeploy(["master"], { machine: machine1 }))).toContain("Nothing to change");
    expect(await machine1.sh("ls /var/lib/etcd")).toBe("default\nmember\n");
  });
});

describe("worker on a fresh machine", () => {
  const join = ["worker", "--master", machine1.address];

  beforeAll(async () => {
    await tsdeploy(["master"], { machine: machine1 });
  });

  it.each(ofWorker)("killed at step %s: the same command goes on", async (step) => {
    await cutShort(join, machine2, step, "SIGKILL");
    await tsdeploy([...join, "--wait"], { machine: machine2 });
    await nodesReady([machine2]);
    await tsdeploy(["teardown", "--yes"], { machine: machine2 });
    await isAsItWas(machine2, "running");
  });

  it.each(ofWorker)("stopped by Ctrl-C at step %s undoes all, its Node object included", async (step) => {
    expect((await cutShort(join, machine2, step, "SIGINT")).exitCode).toBe(130);
    await isAsItWas(machine2, "running");
    expect(await kubectl(["get", "nodes", "-o", "name"])).toBe("node/machine-1\n");
  });
});

describe("dockerd restarted in the middle of a run", () => {
  afterEach(async () => {
    // The cluster of the two parts before.
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine1 });
    await machine1.trySh("docker rmi tsdeploy/hyperkube:v1.21.0");
    await isAsItWas(machine1);
  });

  it("is waited for: the run ends well, or all is undone and the next one ends well", async () => {
    let restarted: Promise<void> | undefined;
    const act = (): void => {
      restarted = machine2.restartDocker();
    };
    const whenSaid = { says: "step kubelet: started", act };
    const result = await tryTsdeploy(["master", "--verbose"], { machine: machine2, whenSaid });
    await restarted;
    expect([0, 6], said(result)).toContain(result.exitCode);
    if (result.exitCode === 6) await isAsItWas(machine2, "running");
    await tsdeploy(["master", "--wait"], { machine: machine2 });
    await purge(machine2, "running");
  });
});

describe("a connection to Docker that is cut in the middle of a run", () => {
  const says = "step kubelet: started";

  it("ends the run soon if it stays so; if it comes back the run goes on to its end", async () => {
    const wire = await Wire.to(machine3);
    const through = { machine: machine3, via: "tcp", env: { DOCKER_HOST: wire.dockerHost } } as const;
    const cut = { says, act: () => { wire.cut(); } };
    const first = await tryTsdeploy(["master", "--verbose", "--timeout", "5s"], { ...through, whenSaid: cut });
    expect(first.stderr).toContain("DOCKER_UNREACHABLE");
    expect(first.exitCode, said(first)).toBe(5);
    expect(first.durationMs).toBeLessThan(60_000);

    wire.mend();
    const mend = { says: "does not answer; waiting for it", act: () => { wire.mend(); } };
    const second = await tryTsdeploy(["master", "--verbose", "--wait"], { ...through, whenSaid: [cut, mend] });
    wire.cut();
    expect(second.stderr).toContain(mend.says);
    expect(second.exitCode, said(second)).toBe(0);
    await nodesReady([machine3]);
    await purge(machine3);
  });
});

describe("a full disk", () => {
  const disks = ["/etc/kubernetes", "/var/lib/etcd"] as const;

  async function resize(folder: string, size: string): Promise<void> {
    await machine3.sh(`mount -o remount,size=${size} ${folder}`);
  }

  afterAll(async () => {
    await machine3.sh(`umount -l ${disks.join(" ")}`);
  });

  it("in the middle of a run: all is undone, and the same command works when there is room", async () => {
    await machine3.sh(disks.map((folder) => `mount -t tmpfs -o mode=755,size=2g disk ${folder}`).join("\n"));
    const before = await footprint(machine3);
    const isAsBefore = async (): Promise<void> => {
      expect(differences(before, await footprint(machine3))).toEqual([]);
    };

    await resize(disks[0], "32k");
    const atFiles = await tryTsdeploy(["master"], { machine: machine3 });
    expect(said(atFiles)).toMatch(/HOST_DISK_FULL.*No space left on device/);
    expect(atFiles.exitCode).toBe(6);
    await isAsBefore();
    await resize(disks[0], "2g");

    // Not before, or it would be refused. The run waits meanwhile.
    let resized: Promise<void> | undefined;
    const act = (child: ChildProcess): void => {
      child.kill("SIGSTOP");
      resized = resize(disks[1], "1m").finally(() => child.kill("SIGCONT"));
    };
    const whenSaid = { says: "step files: started", act };
    const atEtcd = await tryTsdeploy(["master", "--verbose"], { machine: machine3, whenSaid });
    await resized;
    expect(said(atEtcd)).toMatch(/no space left on device/i);
    expect(atEtcd.exitCode, said(atEtcd)).toBe(6);
    await isAsBefore();
    await resize(disks[1], "2g");

    await tsdeploy(["master"], { machine: machine3 });
    await nodesReady([machine3]);
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine3 });
    await isAsBefore();
  });
});

describe("what is somebody else's", () => {
  it.each([
    ["an etcd's data", "mkdir /var/lib/etcd/member && echo x >/var/lib/etcd/member/db", "rm -r /var/lib/etcd/member", 4],
    ["a stopped kubeadm's files", "echo x >/etc/kubernetes/admin.conf", "rm /etc/kubernetes/admin.conf", 4],
    ["a stopped k3s' pods", "mkdir -p /var/lib/kubelet/pods/1f0c/volumes", "rm -r /var/lib/kubelet/pods/1f0c", 4],
    [
      "a link where a folder is expected",
      "mkdir /srv/pki && ln -s /srv/pki /etc/kubernetes/pki",
      "rm /etc/kubernetes/pki && rmdir /srv/pki",
      3,
    ],
  ])("%s: master is refused, and teardown leaves it", async (_, make, remove, exitCode) => {
    await machine3.sh(make);
    const before = await footprint(machine3);
    const result = await tryTsdeploy(["master"], { machine: machine3 });
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine3 });
    expect(differences(before, await footprint(machine3))).toEqual([]);
    await machine3.sh(remove);
    expect(result.exitCode, said(result)).toBe(exitCode);
  });
});
