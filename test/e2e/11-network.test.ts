import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { eventually } from "./support/eventually.js";
import { differences, type Footprint, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2, machine3 } from "./support/machine.js";
import { apply, hasFlannel, image, kubectl, kubectlJson, tryTsdeploy, tsdeploy, version } from "./support/operator.js";
import {
  nodes,
  nodesReady,
  type Pod,
  routePods,
  serviceReachesAll,
  toolbox,
  unroutePods,
  workload,
} from "./support/workload.js";

const both = [machine1, machine2];

/** Address of the machine that the tests run on, in the network of the test machines. */
const here = "10.77.0.1";

/** Machine 2 has two addresses. */
const joined = ["worker", "--master", machine1.address, "--ip", machine2.address];

/** Smaller than that of machine 1: what pods on it send has to fit through. */
const smallMtu = 1400;

async function kernelHas(type: string): Promise<boolean> {
  return (await machine1.trySh(`unshare --net ip link add probe type ${type}`)).exitCode === 0;
}

interface Network {
  readonly name: string;
  readonly options: readonly string[];
  /** Bytes that it takes of an interface's packets. */
  readonly overhead: number;
}

const backends = { vxlan: 50, "host-gw": 0, udp: 28 };
const hasVxlan = hasFlannel() && (await kernelHas("vxlan id 1 dstport 4789 dev lo"));
const networks: Network[] = hasFlannel()
  ? Object.entries(backends)
      .filter(([name]) => name !== "vxlan" || hasVxlan)
      .map(([name, overhead]) => ({ name, options: ["--network-backend", name], overhead }))
  : [{ name: "bridge, routed by hand", options: ["--network", "bridge"], overhead: 0 }];

async function podIp(name: string): Promise<string> {
  return (await kubectlJson<Pod>("get", "pod", name)).status.podIP;
}

/** What a pod's shell says. */
async function inPod(name: string, script: string): Promise<string> {
  return (await kubectl(["exec", name, "--", "bash", "-euc", script])).trim();
}

describe.each(networks)("the pod network $name", ({ options, overhead }) => {
  let echo: Server;

  beforeAll(async () => {
    await machine2.sh(`ip link set eth0 mtu ${smallMtu}`);
    // Says who has called.
    echo = createServer((socket) => socket.end(`${(socket.remoteAddress ?? "").replace("::ffff:", "")}\n`));
    await new Promise<void>((resolve) => echo.listen(7070, here, resolve));
  });

  afterAll(() => {
    echo.close();
  });

  it("begins with a master", async () => {
    await tsdeploy(["master", ...options], { machine: machine1 });
  });

  it("does not guess which address of a machine without a default route is the node's", async () => {
    await machine2.sh("ip route delete default && ip address add 10.79.0.12/24 dev eth0");
    const refused = await tryTsdeploy(joined.slice(0, 3), { machine: machine2 });
    expect(refused.stderr).toContain("NO_ADDRESS");
    expect(refused.stderr).toContain("10.77.0.12 (eth0), 10.79.0.12 (eth0)");
    expect(refused.exitCode).toBe(3);
  });

  it("comes up by the second command, which ends when it works", async () => {
    const { stderr } = await tsdeploy(joined, { machine: machine2 });
    expect(stderr).toContain("no default route");
    await machine2.sh("ip route add default dev eth0 metric 1000");
    await nodesReady(both);
    await routePods();
    await apply(...workload, ...both.map((machine) => toolbox(`on-${machine.number}`, machine, { hostNetwork: false })));
    await kubectl(["wait", "--for=condition=Ready", "pod/on-1", "pod/on-2", "--timeout=60s"]);
  });

  it("carries Services from pods and machines to all pods, their own among them", async () => {
    await serviceReachesAll(both);
  });

  it("leaves pods their own addresses on the way to each other", async () => {
    const listening = inPod("on-2", "socat -T 10 TCP-LISTEN:7777,reuseaddr,fork SYSTEM:'echo $SOCAT_PEERADDR'").catch(() => "");
    const server = await podIp("on-2");
    await eventually("the pod on machine 2 says who has called", async () => {
      expect(await inPod("on-1", `socat -T 5 - TCP:${server}:7777`)).toBe(await podIp("on-1"));
    });
    await inPod("on-2", "pkill socat || kill $(pidof socat)");
    await listening;
  });

  it("gives what leaves it the address of the node", async () => {
    for (const machine of both) {
      expect(await inPod(`on-${machine.number}`, `socat -T 5 - TCP:${here}:7070`)).toBe(machine.address);
    }
  });

  it("has on each node packets that fit through that node's interface, and large answers arrive", async () => {
    const mtuIn = async (pod: string): Promise<number> => Number(await inPod(pod, "cat /sys/class/net/eth0/mtu"));
    expect(await mtuIn("on-1")).toBe(1500 - overhead);
    expect(await mtuIn("on-2")).toBe(smallMtu - overhead);
    for (const [from, to] of [
      ["on-1", "on-2"],
      ["on-2", "on-1"],
    ] as const) {
      const serving = inPod(to, "socat -T 10 TCP-LISTEN:7778,reuseaddr SYSTEM:'head -c 1000000 /dev/zero'").catch(() => "");
      const server = await podIp(to);
      await eventually(`a megabyte from ${to} to ${from}`, async () => {
        expect(await inPod(from, `socat -T 5 -u TCP:${server}:7778 - | wc -c`)).toBe("1000000");
      });
      await serving;
    }
  });

  it("answers on a hostPort", async () => {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "host-port" },
      spec: {
        nodeName: machine2.name,
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "web",
            image: "tsdeploy/workload:test",
            imagePullPolicy: "IfNotPresent",
            ports: [{ containerPort: 8080, hostPort: 8088 }],
          },
        ],
      },
    };
    await apply(pod);
    await eventually("an answer", async () => {
      expect(await machine1.sh(`curl -sSf -m 5 http://${machine2.address}:8088/`)).toContain("host-port");
    });
  });

  if (hasFlannel()) {
    it("forgets a node that leaves, and finds one that comes back", async () => {
      const podCidr = (await nodes()).find(({ metadata }) => metadata.name === machine2.name)?.spec.podCIDR ?? "";
      await kubectl(["delete", "pod", "on-2", "host-port", "--wait=true"]);
      // Not by --force, which leaves the Node object to others.
      await tsdeploy(["teardown", "--yes"], { machine: machine2 });
      await eventually("no way to the pods of machine 2", async () => {
        expect(await machine1.sh("ip -4 route; ip -4 neigh show nud permanent; bridge fdb show")).not.toMatch(
          new RegExp(`${podCidr.replace("0/24", "")}|dst ${machine2.address}`),
        );
      });
      await tsdeploy(joined, { machine: machine2 });
      await nodesReady(both);
      // Pods that have moved do not come back by themselves.
      await kubectl(["delete", "pod", "-l", "app=web"]);
      await serviceReachesAll(both);
    });

    it("is not exchanged for another on a node that runs", async () => {
      const changed = await tryTsdeploy(["master", "--network", "bridge"], { machine: machine1, env: { TSDEPLOY_NETWORK_BACKEND: "" } });
      expect(changed.stderr).toContain("NETWORK_CHANGE");
      expect(changed.exitCode).toBe(4);
    });
  }

  if (options.includes("host-gw")) {
    it("says of a machine behind another network that its gateways do not reach there", async () => {
      await machine3.sh("ip link add elsewhere type bridge && ip address add 10.78.0.13/24 dev elsewhere && ip link set elsewhere up");
      const before = await footprint(machine3);
      const args = ["worker", "--master", machine1.address, "--network-interface", "elsewhere"];
      const refused = await tryTsdeploy(args, { machine: machine3 });
      expect(refused.stderr).toContain("NOT_ONE_ETHERNET");
      expect(refused.exitCode).toBe(3);
      expect(differences(before, await footprint(machine3))).toEqual([]);
      await machine3.sh("ip link delete elsewhere");
    });
  }

  it("leaves nothing behind", async () => {
    await tsdeploy(["teardown", "--yes", "--force"], { machine: machine2 });
    await tsdeploy(["teardown", "--yes", "--force", "--purge"], { machine: machine1 });
    await unroutePods();
    await machine2.sh(
      "ip link set eth0 mtu 1500; ip route delete default; ip route add default via 10.77.0.1; ip address delete 10.79.0.12/24 dev eth0",
    );
    for (const machine of both) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});

// On a bridge it is the owner who moves the routes.
describe.each(hasFlannel() ? ["flannel"] : [])("machines that get other addresses, on %s", () => {
  const later = ({ address }: { readonly address: string }): string => address.replace(/\d+$/, (last) => `2${last}`);
  const move = (machine: typeof machine1, from: string, to: string): Promise<string> =>
    machine.sh(`ip address delete ${from}/24 dev eth0
      ip address add ${to}/24 dev eth0
      ip route replace default via ${here}`);
  const nodeAddresses = async (): Promise<string[]> => {
    const { items } = await kubectlJson<{ items: { status: { addresses: { type: string; address: string }[] } }[] }>("get", "nodes");
    return items.flatMap(({ status }) => status.addresses.filter(({ type }) => type === "InternalIP").map(({ address }) => address));
  };
  const podsAnswerAll = async (): Promise<void> => {
    const { items } = await kubectlJson<{ items: Pod[] }>("get", "pods", "-l", "app=web");
    expect(items.length).toBeGreaterThan(1);
    for (const machine of both) {
      for (const { status } of items) {
        await eventually(`${machine.name} reaches ${status.podIP}`, async () => {
          expect(await machine.sh(`curl -sSf -m 5 http://${status.podIP}:8080/`)).toContain("web");
        });
      }
    }
  };

  it("make a cluster", async () => {
    await tsdeploy(["master"], { machine: machine1 });
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine2 });
    await nodesReady(both);
    await apply(...workload);
    await kubectl(["wait", "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=60s"]);
    await podsAnswerAll();
  });

  it("are followed: a worker by the same command again, which status names", async () => {
    await move(machine2, machine2.address, later(machine2));
    const { stdout } = await tsdeploy(["status"], { machine: machine2 });
    expect(stdout).toContain(`${machine2.address}, which this host has no more (now: ${later(machine2)})`);
    expect(stdout).toContain(`tsdeploy worker --master ${machine1.address}`);
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine2 });
    expect(await nodeAddresses()).toContain(later(machine2));
    await podsAnswerAll();
  });

  it("are followed: a master, and by its workers when they are told where it is", async () => {
    await move(machine1, machine1.address, later(machine1));
    const { stderr } = await tsdeploy(["master"], { machine: machine1 });
    expect(stderr).toContain(`run \`tsdeploy worker --master ${later(machine1)}\` on each worker`);
    await tsdeploy(["worker", "--master", later(machine1)], { machine: machine2 });
    await nodesReady(both);
    expect((await nodeAddresses()).sort()).toEqual([later(machine1), later(machine2)].sort());
    await podsAnswerAll();
    const again = await tsdeploy(["worker", "--master", later(machine1)], { machine: machine2 });
    expect(again.stdout).toContain("Nothing to change");
  });

  it("leave nothing behind", async () => {
    await tsdeploy(["teardown", "--yes", "--force"], { machine: machine2 });
    await tsdeploy(["teardown", "--yes", "--force", "--purge"], { machine: machine1 });
    for (const machine of both) {
      await move(machine, later(machine), machine.address);
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});

/** On every node, answers by both families with its pod's name. */
const answering = {
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "names" },
  spec: {
    selector: { matchLabels: { app: "names" } },
    template: {
      metadata: { labels: { app: "names" } },
      spec: {
        terminationGracePeriodSeconds: 0,
        tolerations: [{ operator: "Exists" }],
        containers: [
          {
            name: "names",
            image,
            imagePullPolicy: "IfNotPresent",
            command: ["socat", "-T5", "TCP6-LISTEN:8080,ipv6only=0,reuseaddr,fork", "SYSTEM:hostname"],
          },
        ],
      },
    },
  },
};

interface TwoFamilies {
  readonly spec: { readonly clusterIPs: readonly string[] };
  readonly status: { readonly podIPs: readonly { readonly ip: string }[] };
  readonly metadata: { readonly name: string };
}

async function disableIpv6(value: 0 | 1): Promise<void> {
  const names = ["all", "default", "lo", "eth0", "docker0"].map((name) => `net.ipv6.conf.${name}.disable_ipv6=${value}`);
  for (const machine of both) await machine.sh(`sysctl -q -w ${names.join(" ")}`);
}

describe.runIf(featuresOf(version).dualStack)("two address families", () => {
  const ipv6Of = (machine: Machine): string => `fd77::${machine.number}`;
  const before = new Map<Machine, Footprint>();

  beforeAll(async () => {
    await disableIpv6(0);
    for (const machine of both) {
      await machine.sh(
        `ip -6 address add ${ipv6Of(machine)}/64 dev eth0 nodad; ip -6 route add default dev eth0 metric 1000`,
      );
      before.set(machine, await footprint(machine));
    }
  });

  afterAll(async () => {
    for (const machine of both) await machine.sh(`ip -6 address flush dev eth0 scope global; ip -6 route del default`);
    await disableIpv6(1);
  });

  it("come from the master's ranges, and a worker takes them from the master", async () => {
    const ranges = ["--pod-cidr", "10.244.0.0/16,fd00:10:244::/56", "--service-cidr", "10.96.0.0/16,fd00:10:96::/112"];
    await tsdeploy(["master", "--network", "bridge", ...ranges], { machine: machine1, env: { TSDEPLOY_NETWORK_BACKEND: "" } });
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine2 });
    const { stdout } = await tsdeploy(["status", "--output", "json"], { machine: machine1 });
    const { routes } = JSON.parse(stdout) as { routes: readonly string[] };
    for (const machine of both) {
      const addresses = [machine.address, ipv6Of(machine)];
      const own = routes.filter((route) => addresses.some((address) => route.endsWith(` via ${address}`)));
      expect(own).toHaveLength(2);
      for (const other of both.filter((one) => one !== machine)) {
        await other.sh(own.map((route) => `ip route add ${route}`).join("; "));
      }
    }
  });

  it("carry pods and Services of both across machines, and to machines", async () => {
    const spec = { ipFamilyPolicy: "RequireDualStack", selector: { app: "names" }, ports: [{ port: 80, targetPort: 8080 }] };
    await apply(answering, { apiVersion: "v1", kind: "Service", metadata: { name: "names" }, spec });
    await kubectl(["rollout", "status", "daemonset/names", "--timeout=60s"]);
    const { items: pods } = await kubectlJson<{ items: TwoFamilies[] }>("get", "pods", "-l", "app=names");
    const service = await kubectlJson<TwoFamilies>("get", "service", "names");
    const ask = (address: string, port: number): string =>
      `socat -T 5 - TCP:${address.includes(":") ? `[${address}]` : address}:${port} </dev/null`;
    const all = pods.map(({ metadata }) => metadata.name).sort();
    for (const { metadata } of pods) {
      for (const { status, metadata: other } of pods) {
        expect(status.podIPs).toHaveLength(2);
        for (const { ip } of status.podIPs) expect(await inPod(metadata.name, ask(ip, 8080))).toBe(other.name);
      }
      for (const ip of service.spec.clusterIPs) {
        await eventually(`each pod answers ${metadata.name} by ${ip}`, async () => {
          const answers = await inPod(metadata.name, `for i in {1..8}; do ${ask(ip, 80)}; done`);
          expect([...new Set(answers.split("\n"))].sort()).toEqual(all);
        });
      }
    }
    for (const machine of both) {
      for (const ip of service.spec.clusterIPs) {
        const url = `http://${ip.includes(":") ? `[${ip}]` : ip}/`;
        expect(all).toContain((await machine.sh(`curl -gsS --http0.9 -m 5 ${url}`)).trim());
      }
    }
  });

  it("leave nothing behind, whichever it is", async () => {
    await tsdeploy(["teardown", "--yes", "--force"], { machine: machine2 });
    await tsdeploy(["teardown", "--yes", "--force", "--purge"], { machine: machine1 });
    for (const machine of both) {
      await machine.sh(
        "ip -4 route show root 10.244.0.0/16 | xargs -rL1 ip -4 route del; " +
          "ip -6 route show root fd00:10:244::/56 | cut -d' ' -f1-5 | xargs -rL1 ip -6 route del",
      );
    }
    for (const machine of both) {
      expect(differences(before.get(machine) ?? [], await footprint(machine)), machine.name).toEqual([]);
    }
  });
});

describe("a pod network that cannot be", () => {
  it("is refused before anything is touched: a foreign configuration that comes first", async () => {
    await machine1.sh("mkdir -p /etc/cni/net.d && echo '{}' >/etc/cni/net.d/05-owner.conf");
    const before = await footprint(machine1);
    const refused = await tryTsdeploy(["master"], { machine: machine1 });
    expect(refused.stderr).toContain("OTHER_POD_NETWORK");
    expect(refused.exitCode).toBe(4);
    expect(differences(before, await footprint(machine1))).toEqual([]);
    await machine1.sh("rm /etc/cni/net.d/05-owner.conf && rmdir -p --ignore-fail-on-non-empty /etc/cni/net.d");
  });

  it("is refused with the lines that open it: a firewall that drops what it does not know", async () => {
    await machine1.sh("iptables -A INPUT -i eth0 -j ACCEPT && iptables -P INPUT DROP");
    const refused = await tryTsdeploy(["master"], { machine: machine1 });
    expect(refused.stderr).toContain("FIREWALL");
    expect(refused.stderr).toContain("iptables -I INPUT -s 10.244.0.0/16 -j ACCEPT");
    expect(refused.exitCode).toBe(3);
    await machine1.sh("iptables -P INPUT ACCEPT && iptables -D INPUT -i eth0 -j ACCEPT");
  });
});
