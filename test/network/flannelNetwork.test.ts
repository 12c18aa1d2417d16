import { describe, expect, test } from "vitest";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { HostFacts } from "../../src/model/hostFacts.js";
import { paths } from "../../src/model/hostLayout.js";
import { networkBackends } from "../../src/model/podNetwork.js";
import { flannelBackend, flannelNetwork } from "../../src/network/flannelNetwork.js";
import type { NetworkNode } from "../../src/network/podNetwork.js";
import { observedHost } from "../host/fixtures.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";

function node(
  config: Partial<ClusterConfig> = {},
  host: Partial<HostFacts> = {},
  more: Partial<NetworkNode> = {},
): NetworkNode {
  return {
    role: "worker",
    config: { ...clusterConfig, network: "flannel", ...config },
    features: featuresOf("v1.36.2"),
    observed: { ...observedHost, host: { ...observedHost.host, ...host } },
    nodeName: "machine-1",
    nodeIp: "10.0.0.5",
    ...more,
  };
}

function podMtu(of: NetworkNode): unknown {
  const { plugins } = JSON.parse(flannelNetwork.cniFile(of, [""])?.content ?? "") as { plugins: { mtu?: number }[] };
  return plugins[0]?.mtu;
}

describe("a pod's largest packet", () => {
  test.each([
    ["vxlan", 1450],
    ["host-gw", 1500],
    ["wireguard", 1420],
    ["udp", 1472],
  ] as const)("over %s leaves room for what the backend adds", (networkBackend, mtu) => {
    expect(podMtu(node({ networkBackend }))).toBe(mtu);
  });

  test("is that of the node's own interface", () => {
    const host = {
      addresses: [
        { interface: "eth0", address: "10.0.0.5", prefixLength: 24 },
        { interface: "eth1", address: "192.168.0.5", prefixLength: 24 },
      ],
      mtus: { eth0: 1400, eth1: 9000 },
    };
    expect(podMtu(node({}, host))).toBe(1350);
    expect(podMtu(node({}, host, { networkInterface: "eth1" }))).toBe(8950);
  });

  test("is what the owner has chosen, if the interface takes that", () => {
    expect(podMtu(node({ networkMtu: 1300 }))).toBe(1300);
    expect(podMtu(node({ networkMtu: 9000 }))).toBe(1450);
  });

  test("is that of flannel's own interface, too, which flannel makes smaller than it is told by what the backend adds", () => {
    const backendMtu = (of: NetworkNode): unknown =>
      (JSON.parse(flannelNetwork.files(of)[0]?.content ?? "") as { Backend: { MTU?: number } }).Backend.MTU;
    expect(backendMtu(node({ networkMtu: 1300 }))).toBe(1350);
    expect(backendMtu(node({ networkBackend: "wireguard", networkMtu: 1300 }))).toBe(1380);
    // Nothing that flannel would not find by itself.
    expect(backendMtu(node())).toBeUndefined();
    expect(backendMtu(node({ networkMtu: 9000 }))).toBeUndefined();
    // The longer header of IPv6, which flannel does not think of.
    expect(backendMtu(node({ podCidr: ["10.244.0.0/16", "fd00:10:244::/56"] }))).toBe(1480);
  });
});

test("vxlan takes routes between nodes of one Ethernet where the owner wants that, as flannel knows it", () => {
  const backend = (more: Partial<NetworkNode["config"]>): unknown =>
    (JSON.parse(flannelNetwork.files(node(more))[0]?.content ?? "") as { Backend: unknown }).Backend;
  expect(backend({ networkDirectRouting: true })).toEqual({ Type: "vxlan", VNI: 1, Port: 8472, DirectRouting: true });
  expect(backend({})).toEqual({ Type: "vxlan", VNI: 1, Port: 8472 });
});

test.each(networkBackends)("the type %s is always written: without one flannel takes udp", (networkBackend) => {
  const files = flannelNetwork.files(node({ networkBackend }));
  expect(JSON.parse(files[0]?.content ?? "")).toMatchObject({ Network: clusterConfig.podCidr[0], Backend: { Type: networkBackend } });
  const onHost = new Map(files.map(({ path, content, mode }) => [path, { content, mode }]));
  expect(flannelBackend(onHost)).toBe(networkBackend);
  expect(flannelNetwork.routedNetworks(onHost)).toEqual(clusterConfig.podCidr);
});

describe("flanneld", () => {
  test("uses the address of the interface that was chosen", () => {
    const addresses = [
      { interface: "eth0", address: "10.0.0.5", prefixLength: 24 },
      { interface: "eth1", address: "192.168.0.5", prefixLength: 24 },
    ];
    const agent = flannelNetwork.agent(node({}, { addresses }, { networkInterface: "eth1" }), "image");
    expect(agent?.command).toEqual(expect.arrayContaining(["--iface=eth1", "--public-ip=192.168.0.5"]));
    expect(agent?.readyAnnotations).toMatchObject({ "flannel.alpha.coreos.com/public-ip": "192.168.0.5" });
  });

  test("runs from Kubernetes' image where that has it, else from its own", () => {
    const has = { imagePrograms: { flanneld: "/usr/local/bin/flanneld" } };
    expect(flannelNetwork.agent(node({}, has), clusterConfig.image)?.command[0]).toBe("/usr/local/bin/flanneld");
    expect(flannelNetwork.agent(node(), "docker.io/flannel/flannel:v0.28.9")?.command[0]).toBe("/opt/bin/flanneld");
  });

  test("has the kubelet's credentials and waits for them; nothing of a master's PKI is named to it", () => {
    const agent = flannelNetwork.agent(node(), clusterConfig.image);
    expect(agent?.files).toEqual(["/etc/kubernetes/kubelet.conf", "/var/lib/kubelet/pki/kubelet-client-current.pem"]);
    expect(JSON.stringify(agent)).not.toContain("admin.conf");
  });

  test.each(["master", "worker"] as const)("sees of a %s's files the ones that it needs, whoever's image it runs", (role) => {
    const seen = (image: string) =>
      (flannelNetwork.agent(node({}, {}, { role }), image)?.binds ?? [])
        .map(({ source }) => source)
        .filter((path) => /^\/(etc|var)\//.test(path));
    // A folder, in which a kubelet renews its certificate.
    const pki = role === "worker" ? ["/var/lib/kubelet/pki"] : [];
    const own = ["/etc/kubernetes/kubelet.conf", "/etc/kubernetes/flannel.json"];
    expect(seen("docker.io/flannel/flannel:v0.28.9")).toEqual([...own, ...pki]);
    expect(seen(clusterConfig.image)).toEqual([...own, "/etc/kubernetes/scripts", ...pki]);
  });

  test("starts anew with a kubeconfig that a run has written: the file that is bound is the old one", () => {
    const restartsWith = (role: "master" | "worker", version: string): readonly string[] | undefined =>
      flannelNetwork.agent(node({}, {}, { role, features: featuresOf(version) }), clusterConfig.image)?.restartsWith;
    expect(restartsWith("master", "v1.36.2")).toEqual([paths.kubeletConf]);
    expect(restartsWith("worker", "v1.36.2")).toEqual([paths.bootstrapKubeletConf, paths.kubeletConf]);
    expect(restartsWith("worker", "v1.3.6")).toEqual([paths.kubeletConf]);
  });

  test("may see the nodes by a role, where there are roles", () => {
    expect(flannelNetwork.objects(clusterConfig, featuresOf("v1.36.2")).map(({ kind }) => kind)).toEqual([
      "ClusterRole",
      "ClusterRoleBinding",
    ]);
    expect(flannelNetwork.objects(clusterConfig, featuresOf("v1.3.6"))).toEqual([]);
  });
});

describe("with two address families", () => {
  const podCidr = ["10.244.0.0/16", "fd00:10:244::/56"] as const;

  test("flannel's configuration has both, and a teardown looks for the routes of both", () => {
    const files = flannelNetwork.files(node({ podCidr }));
    expect(JSON.parse(files[0]?.content ?? "")).toMatchObject({
      Network: "10.244.0.0/16",
      EnableIPv6: true,
      IPv6Network: "fd00:10:244::/56",
    });
    const onHost = new Map(files.map(({ path, content, mode }) => [path, { content, mode }]));
    expect(flannelNetwork.routedNetworks(onHost)).toEqual(podCidr);
  });

  test("vxlan's packets leave room for the longer header", () => {
    const mtuOf = (networkBackend: "vxlan" | "wireguard" | "host-gw"): unknown => {
      const file = flannelNetwork.cniFile(node({ podCidr, networkBackend }), podCidr);
      return (JSON.parse(file?.content ?? "") as { plugins: { mtu?: number }[] }).plugins[0]?.mtu;
    };
    expect([mtuOf("vxlan"), mtuOf("wireguard"), mtuOf("host-gw")]).toEqual([1430, 1420, 1500]);
  });

  test("flanneld says the node's second address, and is ready when the Node has it", () => {
    const agent = flannelNetwork.agent(node({ podCidr }, {}, { nodeIpv6: "fd77::5" }), "image");
    expect(agent?.command).toContain("--public-ipv6=fd77::5");
    expect(agent?.readyAnnotations).toMatchObject({ "flannel.alpha.coreos.com/public-ipv6": "fd77::5" });
  });
});
