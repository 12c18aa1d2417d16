import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { machine1, machine2, machine3, machines } from "./support/machine.js";
import { kubectl, said, tryKubectl, tryTsdeploy, tsdeploy, version, workFolder } from "./support/operator.js";
import { run, runOk } from "./support/run.js";
import { leaked, secretsOf } from "./support/secrets.js";
import { capacityOf, names, nodesReady, readyWebPods, service, toolbox } from "./support/workload.js";

const joinMaster = ["worker", "--master", machine1.address];
const manifest = "/etc/kubernetes/manifests-multi/master-multi.json";

beforeAll(() => nodesReady(machines));

/** What must stay the same when nothing changes. */
async function stateOf(machine: (typeof machines)[number]): Promise<string> {
  const files = "find /etc/kubernetes /etc/cni -type f -exec sha256sum {} + | sort";
  return `${(await machine.containers()).join("\n")}\n${await machine.sh(files)}`;
}

describe("running the commands again", () => {
  it.each([
    ["master", machine1, ["master"]],
    ["worker", machine2, joinMaster],
  ] as const)("%s changes nothing and says so", async (_, machine, args) => {
    const before = await stateOf(machine);
    expect(said(await tsdeploy(args, { machine }))).toContain("Nothing to change");
    expect(await stateOf(machine)).toBe(before);
  });

  it("master without a version stays with the one that it has", async () => {
    const before = await stateOf(machine1);
    const env = { TSDEPLOY_K8S_VERSION: "" };
    expect(said(await tsdeploy(["master"], { machine: machine1, env }))).toContain("Nothing to change");
    expect(await stateOf(machine1)).toBe(before);
  });

  it("with --dry-run shows no secret and changes nothing", async () => {
    const secrets = await secretsOf(machines);
    const before = await stateOf(machine1);
    for (const args of [["master"], ["master", "--output", "json"], ["teardown"]]) {
      const result = await tsdeploy([...args, "--dry-run"], { machine: machine1 });
      expect(leaked(said(result), secrets)).toEqual([]);
    }
    expect(await stateOf(machine1)).toBe(before);
  });
});

describe("a disk that is mounted while the cluster runs", () => {
  // The kubelet itself mounts a part of a volume for a pod; of a whole one Docker does.
  it("is what a pod gets a part of, and can be taken off again", async () => {
    await machine2.sh("mkdir /mnt/late && mount -t tmpfs late /mnt/late && mkdir /mnt/late/part && echo disk >/mnt/late/part/file");
    const pod = toolbox("late", machine2, { hostNetwork: false }) as { spec: { containers: object[] } };
    const mount = { name: "late", mountPath: "/late", subPath: "part" };
    const containers = pod.spec.containers.map((container) => ({ ...container, volumeMounts: [mount] }));
    const volumes = [{ name: "late", hostPath: { path: "/mnt/late", type: "Directory" } }];
    const input = JSON.stringify({ ...pod, spec: { ...pod.spec, containers, volumes } });
    await kubectl(["apply", "-f", "-"], { input });
    try {
      await eventually("the pod sees the disk", async () => {
        expect(await kubectl(["exec", "late", "--", "cat", "/late/file"])).toBe("disk\n");
      });
    } finally {
      await kubectl(["delete", "pod", "late", "--wait"]);
    }
    await eventually("nobody has it mounted any more", () => machine2.sh("umount /mnt/late && rmdir /mnt/late"));
    expect(await machine2.sh("grep -l ' /mnt/late ' /proc/[0-9]*/mountinfo || true")).toBe("");
  });
});

describe("changed options", () => {
  it("are shown, and replace just the container that they concern", async () => {
    const [kubelet, proxy] = [await machine3.component("kubelet"), await machine3.component("proxy")];
    const pods = await machine3.containers("label=io.kubernetes.pod.namespace=default");
    const args = [...joinMaster, "--extra-arg", "kubelet:max-pods=77"];
    expect(said(await tsdeploy(args, { machine: machine3 }))).toContain("--max-pods=77");
    expect(await machine3.component("proxy")).toBe(proxy);
    expect(await machine3.component("kubelet")).not.toBe(kubelet);
    expect(await machine3.containers("label=io.kubernetes.pod.namespace=default")).toEqual(pods);
    await eventually("the node has the new value", async () => {
      expect(await capacityOf(machine3)).toMatchObject({ pods: "77" });
    });
  });

  it("that do not work are taken back: the old container runs again", async () => {
    const kubelet = await machine3.component("kubelet");
    const args = [...joinMaster, "--extra-arg", "kubelet:no-such-flag=1", "--timeout", "20s"];
    const result = await tryTsdeploy(args, { machine: machine3 });
    const since = Date.now();
    expect(result.stderr).toContain("no-such-flag");
    expect(result.exitCode).toBe(6);
    expect(await machine3.component("kubelet")).toBe(kubelet);
    await nodesReady([machine3], since);
  });

  it("that would need a new cluster are refused before anything stops", async () => {
    const before = await stateOf(machine1);
    const result = await tryTsdeploy(["master", "--service-cidr", "10.200.0.0/16"], { machine: machine1 });
    expect(result.stderr).toContain("10.200.0.0/16");
    expect(result.exitCode).toBe(4);
    expect(await stateOf(machine1)).toBe(before);
  });

  it("that a joined node cannot take are refused with the kubectl line to use instead", async () => {
    const before = await stateOf(machine2);
    const result = await tryTsdeploy([...joinMaster, "--node-taint", "mine=yes:NoSchedule"], { machine: machine2 });
    expect(result.stderr).toMatch(/kubectl taint .*node machine-2 mine=yes:NoSchedule/);
    expect(result.exitCode).toBe(4);
    expect(await stateOf(machine2)).toBe(before);
  });

  it("a master on a worker's machine is refused", async () => {
    const before = await stateOf(machine2);
    const result = await tryTsdeploy(["master"], { machine: machine2 });
    expect(result.stderr).toMatch(/worker/);
    expect(result.exitCode).toBe(4);
    expect(await stateOf(machine2)).toBe(before);
  });
});

describe("a manifest edited on the host", () => {
  const range = "--service-node-port-range=80-32767";
  const hasRange = async (): Promise<boolean> => (await machine1.sh(`cat ${manifest}`)).includes(range);

  it("restarts the API server with the new value", async () => {
    const refused = await tryKubectl(["apply", "-f", "-"], { input: onPort80 });
    expect(refused.stderr).toContain("not in the valid range");
    // As vi and sed -i do: a new file in the old one's place.
    await machine1.sh(
      `jq '(.spec.containers[] | select(.name == "apiserver").command) += ["${range}"]' ${manifest} >/tmp/edited
       cat /tmp/edited >${manifest} && rm /tmp/edited`,
    );
    await eventually("the Service on port 80 is accepted", () => kubectl(["apply", "-f", "-"], { input: onPort80 }));
    const pods = names(await readyWebPods());
    await eventually("port 80 answers", async () => {
      expect(pods).toContain((await runOk("curl", ["-sSf", "-m", "5", `http://${machine2.address}/`])).trim());
    });
    // Back to the first manifest while that one's pod is still ending would be a race that kubelet v1.20 loses.
    await eventually("the old one has ended", async () => {
      expect(await machine1.containers("name=k8s_apiserver")).toHaveLength(1);
    });
  });

  it("is kept and shown by a later run of master", async () => {
    expect(said(await tsdeploy(["master"], { machine: machine1 }))).toContain(range);
    expect(await hasRange()).toBe(true);
  });

  it("is replaced with --overwrite", async () => {
    await kubectl(["delete", "service", "web-80"]);
    await tsdeploy(["master", "--overwrite"], { machine: machine1 });
    expect(await hasRange()).toBe(false);
    await eventually("port 80 is refused again", async () => {
      const result = await tryKubectl(["create", "-f", "-"], { input: onPort80 });
      if (result.exitCode === 0) await kubectl(["delete", "service", "web-80"]);
      expect(result.stderr).toContain("not in the valid range");
    });
  });
});

const onPort80 = JSON.stringify(service("web-80", { type: "NodePort" }, 80));

describe("what else an operator asks", () => {
  it.each([
    [machine1, ["etcd", "kubelet", "apiserver", "controller-manager", "scheduler"]],
    [machine2, ["kubelet", "proxy"]],
  ] as const)("status, as text and as JSON", async (machine, components) => {
    const text = (await tsdeploy(["status"], { machine })).stdout;
    const json = (await tsdeploy(["status", "--output", "json"], { machine })).stdout;
    for (const component of [...components, version]) {
      expect(text).toContain(component);
      expect(json).toContain(component);
    }
    expect(() => JSON.parse(json) as unknown).not.toThrow();
  });

  it("status with the operator's kubeconfig names all nodes", async () => {
    const { stdout } = await tsdeploy(["status"], { machine: machine1 });
    for (const { name } of machines) expect(stdout).toContain(name);
  });

  it("logs of each component", async () => {
    expect((await tsdeploy(["logs", "etcd"], { machine: machine1 })).stdout).toMatch(/etcd|embed/);
    // Each of its lines has a time of its own: no other program has said them.
    // That of the case before may still be ending.
    const apiserver = await eventually("one API server", async () => {
      const [only = "", ...others] = await machine1.containers("name=k8s_apiserver");
      if (only === "" || others.length > 0) throw new Error("not one alone");
      return only;
    });
    const socket = await machine1.environment("socket");
    const log = await run("docker", ["logs", "--tail", "1", apiserver], { env: { ...process.env, ...socket } });
    const line = `${log.stdout}${log.stderr}`.trim();
    expect(line).not.toBe("");
    expect((await tsdeploy(["logs", "apiserver", "--tail", "1000"], { machine: machine1 })).stdout).toContain(line);
    expect((await tsdeploy(["logs", "kubelet"], { machine: machine2, via: "tcp" })).stdout).toMatch(/kubelet/);
    const unknown = await tryTsdeploy(["logs", "no-such-component"], { machine: machine1 });
    expect(unknown.stderr).toContain("etcd");
    expect(unknown.exitCode).toBe(2);
  });

  it("token create, list and revoke", async () => {
    const created = (await tsdeploy(["token", "create", "--output", "json"], { machine: machine1 })).stdout;
    const token = /[a-z0-9]{6}\.[a-z0-9]{16}\.[0-9a-f]{64}/.exec(created)?.[0] ?? "";
    const [id = "", secret = ""] = token.split(".");
    expect(id).not.toBe("");
    const list = (await tsdeploy(["token", "list"], { machine: machine1 })).stdout;
    expect(list).toContain(id);
    expect(list).not.toContain(secret);
    await tsdeploy(["token", "revoke", id], { machine: machine1 });
    expect((await tsdeploy(["token", "list"], { machine: machine1 })).stdout).not.toContain(id);
  });

  it("kubeconfig prints one that kubectl can use", async () => {
    const { stdout } = await tsdeploy(["kubeconfig"], { machine: machine1, via: "ssh" });
    expect((parse(stdout) as { kind: string }).kind).toBe("Config");
    const file = join(workFolder, "printed.conf");
    writeFileSync(file, stdout, { mode: 0o600 });
    expect(await kubectl(["--kubeconfig", file, "get", "nodes"])).toContain("machine-3");
  });

  it("master merges into a kubeconfig that has other clusters, and clobbers nothing", async () => {
    const file = join(workFolder, "mine.conf");
    const mine = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "mine",
      clusters: [{ name: "mine", cluster: { server: "https://192.0.2.1" } }],
      users: [{ name: "mine", user: { token: "mine" } }],
      contexts: [{ name: "mine", context: { cluster: "mine", user: "mine" } }],
    };
    writeFileSync(file, JSON.stringify(mine), { mode: 0o600 });
    await tsdeploy(["master", "--kubeconfig", file], { machine: machine1 });
    const merged = JSON.parse(await kubectl(["--kubeconfig", file, "config", "view", "--raw", "-o", "json"])) as typeof mine;
    expect(merged.users).toContainEqual(mine.users[0]);
    expect(merged.contexts).toContainEqual(mine.contexts[0]);
    expect(merged.contexts).toHaveLength(2);
  });

  it.each(["bash", "zsh", "fish"])("completion for %s", async (shell) => {
    const { stdout } = await tsdeploy(["completion", shell]);
    expect(stdout).toContain("teardown");
    if (shell === "bash") await runOk("bash", ["-n"], { input: stdout });
  });

  it("--help has an example for each command", async () => {
    const commands = ["master", "worker", "teardown", "status", "logs", "token create", "token revoke", "kubeconfig"];
    for (const command of commands) {
      const { stdout } = await run("node", ["dist/cli.js", ...command.split(" "), "--help"]);
      expect(stdout).toMatch(new RegExp(`^ +(\\$ )?tsdeploy ${command}`, "m"));
    }
  });
});

