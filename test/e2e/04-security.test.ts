import { beforeAll, describe, expect, it } from "vitest";
import { type Machine, machine1, machine2, machine3, machines } from "./support/machine.js";
import { apply, kubectl, said, tryKubectl, tsdeploy } from "./support/operator.js";
import { leaked, secretsOf } from "./support/secrets.js";
import { nodesReady, toolbox } from "./support/workload.js";

let secrets: string[] = [];

beforeAll(async () => {
  await nodesReady(machines);
  secrets = await secretsOf(machines);
  await apply(
    toolbox("stranger-1", machine1, { hostNetwork: true }),
    toolbox("stranger-2", machine2, { hostNetwork: true }),
  );
  await kubectl(["wait", "--for=condition=Ready", "pod/stranger-1", "pod/stranger-2", "--timeout=60s"]);
});

describe("secrets", () => {
  it("are found to be looked for", () => {
    // ca, sa, front-proxy-ca, etcd-ca and their certificates on the master, one on each worker, tokens.
    expect(secrets.length).toBeGreaterThan(15);
  });

  it.each([
    ["docker inspect", "docker inspect $(docker ps -aq) || true"],
    ["any container's log", "for id in $(docker ps -aq); do docker logs $id 2>&1 || true; done"],
    ["process lists", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' || true"],
    ["process environments", "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' ' || true"],
    ["files that others may read", "find /etc/kubernetes /etc/cni /var/lib/kubelet /var/log /tmp -xdev -type f -perm /077 -exec cat {} + 2>&1 || true"],
  ])("stand in no %s", async (_, command) => {
    for (const machine of machines) {
      const text = await machine.sh(command);
      expect(text.length, machine.name).toBeGreaterThan(0);
      expect(leaked(text, secrets), machine.name).toEqual([]);
    }
  });

  it("stand in no output of --dry-run, status and logs", async () => {
    for (const machine of [machine1, machine2]) {
      for (const args of [["status"], ["status", "--output", "json"], ["logs", "kubelet"], ["teardown", "--dry-run"]]) {
        expect(leaked(said(await tsdeploy(args, { machine })), secrets), args.join(" ")).toEqual([]);
      }
    }
  });

  it("lie in files for root alone, and etcd's data in a folder for root alone", async () => {
    for (const machine of machines) {
      const open = await machine.sh(
        "find /etc/kubernetes /var/lib/kubelet/pki -type f \\( -name '*.key' -o -name '*.conf' -o -name 'kubelet-*.pem' \\) " +
          "! -perm 600; find /var/lib/etcd/member -maxdepth 0 ! -perm 700 2>/dev/null || true",
      );
      expect(open, machine.name).toBe("");
    }
  });
});

/** `000` for a connection that is refused or ends without an answer; then curl's exit code. */
function ask(url: string): string {
  return `curl -sk -m 5 -o /dev/null -w '%{http_code}' ${url}; echo " $?"`;
}

async function askFromMachine(machine: Machine, url: string): Promise<string> {
  return (await machine.trySh(ask(url))).stdout.trim();
}

async function askFromPod(pod: string, url: string): Promise<string> {
  return (await tryKubectl(["exec", pod, "--", "bash", "-c", ask(url)])).stdout.trim();
}

const connectionRefused = /^000 7$/;
/** Exit codes of a handshake that failed, at once or, with TLS 1.3, at the first read. */
const noHandshake = /^000 (35|52|55|56|58)$/;

describe("strangers", () => {
  it("find 8080 and the other insecure ports closed, from elsewhere and on the machine itself", async () => {
    for (const { address } of machines) {
      for (const port of [8080, 10251, 10252, 10255]) {
        expect(await askFromMachine(machine2, `http://${address}:${port}/`), `${address}:${port}`).toMatch(connectionRefused);
      }
    }
    for (const machine of machines) {
      for (const port of [8080, 10251, 10252, 10255]) {
        expect(await askFromMachine(machine, `http://127.0.0.1:${port}/`), `${machine.name} ${port}`).toMatch(
          connectionRefused,
        );
      }
    }
  });

  it.each([
    ["another machine", (url: string) => askFromMachine(machine2, url)],
    ["a host-network pod of another machine", (url: string) => askFromPod("stranger-2", url)],
    ["a host-network pod of the master", (url: string) => askFromPod("stranger-1", url)],
  ])("are refused by etcd from %s", async (_, from) => {
    for (const port of [2379, 2380]) {
      expect(await from(`https://${machine1.address}:${port}/version`)).toMatch(/^000 (7|35|52|55|56|58)$/);
    }
  });

  it("are refused by etcd on the master's loopback", async () => {
    expect(await askFromPod("stranger-1", "https://127.0.0.1:2379/version")).toMatch(noHandshake);
    expect(await askFromPod("stranger-1", "http://127.0.0.1:2379/version")).not.toMatch(/^200/);
  });

  it.each([
    ["another machine", (url: string) => askFromMachine(machine3, url)],
    ["a host-network pod", (url: string) => askFromPod("stranger-2", url)],
  ])("are refused by every kubelet from %s", async (_, from) => {
    for (const { address } of machines) {
      expect(await from(`https://${address}:10250/pods`), address).toMatch(/^401 0$/);
      expect(await from(`https://${address}:10250/run/default/web/web?cmd=id`), address).toMatch(/^401 0$/);
    }
  });

  it("learn nothing from scheduler and controller-manager", async () => {
    for (const port of [10257, 10259]) {
      expect(await askFromMachine(machine2, `https://${machine1.address}:${port}/metrics`)).toMatch(/^(40[13] 0|000 7)$/);
      expect(await askFromPod("stranger-1", `https://127.0.0.1:${port}/metrics`)).toMatch(/^(40[13] 0|000 7)$/);
    }
  });

  it("may not ask the API server anything but cluster-info", async () => {
    const api = `https://${machine1.address}:6443`;
    expect(await askFromMachine(machine2, `${api}/api/v1/nodes`)).toMatch(/^40[13] 0$/);
    expect(await askFromMachine(machine2, `${api}/api/v1/namespaces/kube-system/secrets`)).toMatch(/^40[13] 0$/);
    expect(await askFromMachine(machine2, `${api}/api/v1/namespaces/kube-public/configmaps/cluster-info`)).toBe("200 0");
  });
});

describe("a node's own credential", () => {
  /** kubectl with the credential of machine 2's kubelet. */
  const asNode = async (args: string): Promise<string> => {
    const script = `docker exec ${await machine2.component("kubelet")} kubectl --kubeconfig /etc/kubernetes/kubelet.conf ${args}`;
    const { stdout, stderr } = await machine2.trySh(script);
    return stdout + stderr;
  };

  beforeAll(async () => {
    const pod = toolbox("keeper", machine3, { hostNetwork: false }) as { spec: object };
    const volumes = [{ name: "secret", secret: { secretName: "of-machine-3" } }];
    await apply(
      { apiVersion: "v1", kind: "Secret", metadata: { name: "of-machine-3" }, stringData: { content: "c" } },
      { ...pod, spec: { ...pod.spec, volumes } },
    );
  });

  it("reads a secret that a pod of the node mounts, and no other", async () => {
    expect(await asNode("get secret web -o name")).toContain("secret/web");
    expect(await asNode("get secret of-machine-3 -o name")).toMatch(/Forbidden|forbidden/);
    expect(await asNode("get secrets -n kube-system")).toMatch(/Forbidden|forbidden/);
  });

  it("cannot delete or change another node", async () => {
    expect(await asNode("delete node machine-3 --wait=false")).toMatch(/Forbidden|forbidden|not allowed/);
    expect(await asNode("label node machine-3 mine=yes")).toMatch(/Forbidden|forbidden|not allowed/);
    expect(await asNode("label node machine-2 node-role.kubernetes.io/master=")).toMatch(/Forbidden|forbidden|not allowed/);
    expect(await kubectl(["get", "nodes"])).toContain("machine-3");
  });
});
