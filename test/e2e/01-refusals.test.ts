import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3 } from "./support/machine.js";
import { image, otherVersion, said, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import type { RunResult } from "./support/run.js";

const noDocker = { env: { DOCKER_HOST: "unix:///nowhere/docker.sock" } };
const wellFormedToken = `abcdef.0123456789abcdef.${"0".repeat(64)}`;

afterEach(async () => {
  expect(differences(savedFootprint(machine1), await footprint(machine1)), "left on the machine").toEqual([]);
});

describe("wrong options", () => {
  it("are all reported in one go, before Docker is asked", async () => {
    const args = ["--pod-cidr", "10.244.0.0/33", "--service-cidr", "banana", "--k8s-version", "v9.9.9"];
    const result = await tryTsdeploy(["master", ...args], noDocker);
    expect(result.stderr).toContain("10.244.0.0/33");
    expect(result.stderr).toContain("banana");
    expect(result.stderr).toContain("v9.9.9");
    expect(result.stderr).not.toContain("/nowhere/docker.sock");
    expect(result.exitCode).toBe(2);
  });

  it("of overlapping ranges name both", async () => {
    const args = ["--pod-cidr", "10.96.0.0/16", "--service-cidr", "10.96.0.0/12"];
    const result = await tryTsdeploy(["master", ...args], noDocker);
    expect(result.stderr).toMatch(/10\.96\.0\.0\/16.*10\.96\.0\.0\/12|10\.96\.0\.0\/12.*10\.96\.0\.0\/16/s);
    expect(result.exitCode).toBe(2);
  });

  it("of a YAML file are reported with line and column", async () => {
    const file = join(workFolder, "cluster.yaml");
    mkdirSync(workFolder, { recursive: true });
    writeFileSync(file, "podCidr: 10.244.0.0/16\nserviceCidr: banana\nbananas: 3\n");
    const result = await tryTsdeploy(["master", "--config", file], noDocker);
    expect(result.stderr).toMatch(/cluster\.yaml:2:\d+/);
    expect(result.stderr).toMatch(/cluster\.yaml:3:1/);
    expect(result.stderr).toContain("bananas");
    expect(result.exitCode).toBe(2);
  });

  it("are told for an unknown command and an unknown option", async () => {
    expect((await tryTsdeploy(["mater"], noDocker)).exitCode).toBe(2);
    expect((await tryTsdeploy(["master", "--pod-cdr", "10.244.0.0/16"], noDocker)).exitCode).toBe(2);
  });
});

describe("a version", () => {
  it.each([
    ["that is none", "banana", "banana"],
    ["that is too new", "v1.99.0", "v1.36"],
    ["that is too old", "v1.2.7", "v1.3"],
    ["that is too new, without its last number", "1.99", "v1.36"],
  ])("%s is refused, before Docker is asked", async (_, asked, told) => {
    const result = await tryTsdeploy(["master", "--k8s-version", asked], noDocker);
    expect(result.stderr).toContain(asked);
    expect(result.stderr).toContain(told);
    expect(result.stderr).not.toContain("/nowhere/docker.sock");
    expect(result.exitCode).toBe(2);
  });

  it("that has no insecure port refuses --insecure-api with that reason", async () => {
    const result = await tryTsdeploy(["master", "--insecure-api"], { machine: machine1 });
    expect(result.stderr).toMatch(/--insecure-api|insecure port/);
    expect(result.stderr).toContain(version);
    expect(result.exitCode).toBe(2);
  });

  it("other than the image's is refused before anything starts", async () => {
    const args = ["--image", image, "--k8s-version", otherVersion];
    const result = await tryTsdeploy(["master", ...args], { machine: machine1 });
    expect(result.stderr).toContain(version);
    expect(result.stderr).toContain(otherVersion);
    expect(result.exitCode).toBe(3);
  });

  it("that is supported, and whether it was tried, is told without Docker", async () => {
    const { stdout } = await tsdeploy(["versions"], noDocker);
    for (const told of ["v1.3", "v1.36", version, "not tried"]) expect(stdout).toContain(told);
  });
});

describe("a label that a kubelet may not give itself", () => {
  it("is refused with the kubectl line to use instead", async () => {
    const args = ["--master", "10.77.0.99", "--node-label", "node-role.kubernetes.io/database="];
    const result = await tryTsdeploy(["worker", ...args], noDocker);
    expect(result.stderr).toMatch(/kubectl label node .*node-role\.kubernetes\.io\/database=/);
    expect(result.exitCode).toBe(2);
  });
});

describe("a machine that cannot run it", () => {
  it("has no Docker daemon", async () => {
    const result = await tryTsdeploy(["master"], noDocker);
    expect(result.stderr).toContain("/nowhere/docker.sock");
    expect(result.exitCode).toBe(5);
  });

  it("has port 6443 taken, and is told by what", async () => {
    await machine1.sh(`/usr/sbin/sshd -p 6443 -h /machine/ssh_host_ed25519_key -o PidFile=/run/sshd-6443.pid`);
    const result = await tryTsdeploy(["master"], { machine: machine1 });
    await machine1.sh(`pid=$(cat /run/sshd-6443.pid); kill $pid; tail --pid=$pid -f /dev/null; rm -f /run/sshd-6443.pid`);
    expect(result.stderr).toMatch(/6443.*sshd/s);
    expect(result.exitCode).toBe(4);
  });

  it("has private mount propagation, and is told the remedy", async () => {
    await machine1.sh("mount --make-private /var");
    const result = await tryTsdeploy(["master"], { machine: machine1 });
    await machine1.sh("mount --make-shared /var");
    expect(result.stderr).toMatch(/propagation|shared/i);
    expect(result.stderr).toContain("mount --make-");
    expect(result.exitCode).toBe(3);
  });

  it("has no such image and cannot get it", async () => {
    const image = `127.0.0.1:9/no/such/hyperkube:${version}`;
    const result = await tryTsdeploy(["master", "--image", image], { machine: machine1 });
    expect(result.stderr).toContain(image);
    expect([3, 5]).toContain(result.exitCode);
  });
});

describe("a worker without a master", () => {
  it.each([
    ["that answers", "10.77.0.99"],
    ["that is Kubernetes", `${machine2.address}:2376`],
    ["that speaks TLS", `${machine2.address}:22`],
  ])("%s is refused, naming the address", async (_, master) => {
    const args = ["worker", "--master", master, "--token", wellFormedToken];
    const result = await tryTsdeploy(args, { machine: machine1 });
    expect(result.stderr).toContain(master);
    expect(result.exitCode).toBe(5);
  });

  it("or without a token is told where to get one", async () => {
    const result = await tryTsdeploy(["worker", "--master", "10.77.0.99"], { machine: machine1 });
    expect(result.stderr).toContain("tsdeploy token create");
    expect(result.exitCode).toBe(2);
  });
});

describe("--dry-run on a fresh machine", () => {
  it("shows containers, files and manifests and leaves nothing behind", async () => {
    const { stdout } = await tsdeploy(["master", "--dry-run"], { machine: machine1 });
    for (const part of ["etcd", "kubelet", "/var/lib/kubelet", "/etc/kubernetes/pki/ca.key", "master-multi.json"]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).not.toContain("PRIVATE KEY");
  });

  it("says what is unknown while the image is not here", async () => {
    const image = `127.0.0.1:9/no/such/hyperkube:${version}`;
    const result = await tsdeploy(["master", "--dry-run", "--image", image], { machine: machine1 });
    expect(said(result)).toContain("unknown until the image is here");
  });
});

/** `tsdeploy master` on a machine that gets a signal as soon as a container with this label runs there. */
async function killedMaster(machine: Machine, signal: NodeJS.Signals, label: string): Promise<RunResult> {
  const kill = new AbortController();
  const running = tryTsdeploy(["master"], { machine, kill: kill.signal });
  let ended = false;
  void running.finally(() => (ended = true));
  await eventually("the moment has come", async () => {
    if (!ended && (await machine.containers(`label=${label}`)).length === 0) throw new Error("not yet");
  });
  kill.abort(signal);
  return running;
}

describe("master on a fresh machine", () => {
  it.each([
    ["when the control plane starts", machine2, "io.tsdeploy.component=kubelet"],
    ["when pods are starting", machine3, "io.kubernetes.container.name=apiserver"],
  ] as const)("leaves the machine as it was after Ctrl-C %s", async (_, machine, label) => {
    const result = await killedMaster(machine, "SIGINT", label);
    expect(said(result)).toMatch(/ABORTED|stopped/i);
    expect(result.exitCode).toBe(130);
    expect(differences(savedFootprint(machine), await footprint(machine))).toEqual([]);
  });

  it("that was killed leaves nothing that teardown does not take away", async () => {
    await killedMaster(machine1, "SIGKILL", "io.kubernetes.container.name=apiserver");
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine1 });
  });
});

describe("teardown of a machine that has nothing", () => {
  it("succeeds and says so", async () => {
    expect(said(await tsdeploy(["teardown", "--yes"], { machine: machine1 }))).toMatch(/nothing/i);
  });

  it("with --purge is refused without a terminal and without --yes", async () => {
    const result = await tryTsdeploy(["teardown", "--purge"], { machine: machine1 });
    expect(result.stderr).toContain("--yes");
    expect(result.exitCode).toBe(2);
  });
});
