import { describe, expect, it } from "vitest";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import { hostBeforeFile } from "../../src/host/hostBefore.js";
import type { ContainerSummary, EngineInfo } from "../../src/model/dockerObjects.js";
import type { HostFacts, ObservedHost } from "../../src/model/hostFacts.js";
import type { Wanted } from "../../src/preflight/check.js";
import { checks, preflightError, runPreflight } from "../../src/preflight/runPreflight.js";
import { container, engineFacts, hostFacts, image, observedHost, podContainer } from "../host/fixtures.js";
import { masterOptions } from "../plan/fixtures.js";

const dual = {
  podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
  serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
} as const;
const noIpv6: HostFacts["ipv6"] = { addresses: [], routes: [] };

const master: Wanted = {
  role: "master",
  clusterName: "kubernetes",
  version: "v1.20.2",
  podCidr: ["10.244.0.0/16"],
  serviceCidr: ["10.96.0.0/12"],
  clusterDomain: "cluster.local",
  network: "bridge",
  networkBackend: "vxlan",
};
const worker: Wanted = { role: "worker" };
const kubelet = container("kubelet", {
  "io.tsdeploy.component": "kubelet",
  "io.tsdeploy.cluster": "kubernetes",
  "io.tsdeploy.role": "master",
});

const file = (content = "") => ({ mode: 0o600, content });
/** What a run of ours leaves on a master. */
const ours = new Map(
  [
    hostBeforeFile(hostFacts, new Map()),
    acceptedOptionsFile({ ...masterOptions, k8sVersion: "v1.20.2", ip: ["10.0.0.5"], nodeName: "one" }),
  ].flatMap((one) => (one ? [[one.path, file(one.content)] as const] : [])),
);

const codes = (result: { errors: readonly { code: string }[] }): string[] => result.errors.map(({ code }) => code);
const onEngine = (info: Partial<EngineInfo>, wanted = master): string[] =>
  codes(runPreflight("engine", { ...engineFacts, info: { ...engineFacts.info, ...info } }, wanted));
const onHost = (host: Partial<HostFacts>, wanted = master, more: Partial<ObservedHost> = {}) =>
  runPreflight("host", { ...observedHost, ...more, host: { ...hostFacts, ...host } }, wanted);

describe("an ordinary host", () => {
  it("passes every check", () => {
    for (const wanted of [master, worker]) {
      expect(runPreflight("engine", engineFacts, wanted)).toEqual({ errors: [], warnings: [] });
      expect(runPreflight("image", { engine: engineFacts, image }, wanted)).toEqual({ errors: [], warnings: [] });
      expect(runPreflight("host", observedHost, wanted)).toEqual({ errors: [], warnings: [] });
    }
    expect(preflightError([])).toBeUndefined();
  });

  it("is looked at by checks of different names", () => {
    const names = Object.values(checks).flatMap((tier) => tier.map(({ name }) => name));
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("the Docker Engine", () => {
  it.each<[string, Partial<EngineInfo>]>([
    ["NOT_LINUX", { osType: "windows" }],
    ["DOCKER_DESKTOP", { operatingSystem: "Docker Desktop" }],
    ["DOCKER_ROOTLESS", { securityOptions: ["name=seccomp,profile=default", "name=rootless"] }],
    ["DOCKER_USERNS_REMAP", { securityOptions: ["name=userns"] }],
    ["DOCKER_SNAP", { dockerRootDir: "/var/snap/docker/common/var-lib-docker" }],
    ["DOCKER_NFTABLES", { firewallBackend: "nftables" }],
    ["DOCKER_NFTABLES", { firewallBackend: "nftables+firewalld" }],
    ["LOG_DRIVER", { loggingDriver: "journald" }],
  ])("%s", (code, info) => {
    expect(onEngine(info)).toEqual([code]);
  });

  it("is too old before 20.10", () => {
    const of = (version: string): string[] =>
      codes(runPreflight("engine", { ...engineFacts, version: { ...engineFacts.version, version } }, master));
    expect(of("19.03.15")).toEqual(["DOCKER_TOO_OLD"]);
    expect(of("20.10.0")).toEqual([]);
    expect(of("29.1.3")).toEqual([]);
  });

  it("has a cgroup version that an old Kubernetes does not know", () => {
    expect(onEngine({}, { ...master, version: "v1.18.20" })).toEqual(["CGROUP_VERSION"]);
    expect(onEngine({ cgroupVersion: "1" }, { ...master, version: "v1.18.20" })).toEqual([]);
  });

  it("speaks an API that the kubelet does not understand", () => {
    const on = (version: string, apiVersion: string, minApiVersion: string): string[] => {
      const docker = { ...engineFacts.version, apiVersion, minApiVersion };
      const info = { ...engineFacts.info, cgroupVersion: "1" as const };
      return codes(runPreflight("engine", { ...engineFacts, info, version: docker }, { ...master, version }));
    };
    expect(on("v1.7.16", "1.43", "1.12")).toEqual([]);
    expect(on("v1.7.16", "1.51", "1.24")).toEqual(["DOCKER_TOO_NEW"]);
    expect(on("v1.20.2", "1.51", "1.24")).toEqual([]);
    expect(on("v1.20.2", "1.52", "1.44")).toEqual(["DOCKER_TOO_NEW"]);
    // Docker 29.3 went back.
    expect(on("v1.8.15", "1.54", "1.40")).toEqual([]);
    // Without dockershim, and v1.6, which can do without.
    expect(on("v1.36.2", "1.52", "1.44")).toEqual([]);
    expect(on("v1.6.13", "1.51", "1.24")).toEqual([]);
  });

  it("already runs another cluster or another role", () => {
    const with_ = (wanted: Wanted): string[] =>
      codes(runPreflight("engine", { ...engineFacts, containers: [kubelet] }, wanted));
    expect(with_(master)).toEqual([]);
    expect(with_({ ...master, clusterName: "other" })).toEqual(["OTHER_CLUSTER"]);
    expect(with_(worker)).toEqual(["OTHER_ROLE"]);
  });

  it("is used by another kubelet", () => {
    const pods = [podContainer("a", "web", "POD"), podContainer("b", "web", "nginx")];
    const result = runPreflight("engine", { ...engineFacts, containers: pods }, master);
    expect(codes(result)).toEqual(["OTHER_KUBELET"]);
    expect(result.errors[0]?.message).toContain("k8s_POD_web_");
    expect(codes(runPreflight("engine", { ...engineFacts, containers: [...pods, kubelet] }, master))).toEqual([]);
  });

  it("may run a helper of another run", () => {
    const helper = container("h", { "io.tsdeploy.component": "helper", "io.tsdeploy.cluster": "other" });
    expect(codes(runPreflight("engine", { ...engineFacts, containers: [helper] }, master))).toEqual([]);
  });
});

describe("the image's cri-dockerd", () => {
  const on = (imageCriDockerdVersion: string, [minApiVersion, apiVersion]: readonly [string, string], version = "v1.36.2") => {
    const engine = { ...engineFacts, version: { ...engineFacts.version, minApiVersion, apiVersion } };
    const facts = { imageVersion: version, imageCriDockerdVersion };
    return onHost(facts, { ...master, version }, { engine }).errors;
  };
  const docker20 = ["1.12", "1.41"] as const;
  const docker29 = ["1.44", "1.52"] as const;

  it.each([
    ["0.4.3", docker20, []],
    ["0.4.3", docker29, []],
    ["0.3.15", docker20, []],
    ["0.3.15", docker29, ["DOCKER_TOO_NEW"]],
    ["0.3.15~3-0", docker29, ["DOCKER_TOO_NEW"]],
    ["0.3.12", docker29, []],
    ["0.2.6", ["1.42", "1.60"] as const, ["DOCKER_TOO_NEW"]],
    ["0.4.1", docker20, ["DOCKER_TOO_OLD"]],
    ["0.4.1", docker29, []],
    ["0.5.0", docker20, ["DOCKER_TOO_OLD"]],
    ["0.5.0", ["1.60", "1.70"] as const, []],
  ])("%s, with a Docker of API %j", (criDockerd, api, expected) => {
    expect(codes({ errors: on(criDockerd, api) })).toEqual(expected);
  });

  it("is replaced by a newer one where that helps, or Docker is told to speak an older API", () => {
    const [old] = on("0.3.15", docker29);
    expect(old?.message).toContain("cri-dockerd 0.3.15 speaks Docker's API up to 1.43");
    expect(old?.hint).toContain("tsdeploy image build --k8s-version v1.36.2");
    const [newer] = on("0.4.3", ["1.45", "1.60"]);
    expect(newer?.hint).toBe("Set DOCKER_MIN_API_VERSION=1.44 in dockerd's environment and restart Docker.");
  });

  it("is of no concern where the kubelet speaks to Docker itself", () => {
    expect(on("0.4.1", docker20, "v1.20.2")).toEqual([]);
  });
});

it("warns where a kubelet would look at another file system than that of the images, which has to have room as well", () => {
  const imageRoot = "/var/lib/containerd";
  const { errors, warnings } = onHost({ imageRoot, diskFreeBytes: { ...hostFacts.diskFreeBytes, [imageRoot]: 1e6 } });
  expect(warnings).toEqual([expect.stringMatching(/images in \/var\/lib\/containerd.* than \/var\/lib\/docker/)]);
  expect(errors).toEqual([expect.objectContaining({ code: "DISK_FULL", message: expect.stringContaining(imageRoot) as string })]);
});

describe("the cgroup driver", () => {
  const on = (podCgroups: HostFacts["podCgroups"], cgroupDriver: string, containers = [kubelet]): string[] => {
    const engine = { ...engineFacts, info: { ...engineFacts.info, cgroupDriver }, containers };
    return codes(onHost({ podCgroups }, master, { engine }));
  };

  it("may change as long as no pod runs by the old one", () => {
    expect(on(["cgroupfs"], "systemd")).toEqual(["CGROUP_DRIVER_CHANGED"]);
    expect(on(["cgroupfs", "systemd"], "systemd")).toEqual(["CGROUP_DRIVER_CHANGED"]);
    expect(on(["systemd"], "cgroupfs")).toEqual(["CGROUP_DRIVER_CHANGED"]);
    expect(on([], "systemd")).toEqual([]);
    expect(on(["systemd"], "systemd")).toEqual([]);
    // What another kubelet leaves is not told twice.
    expect(on(["cgroupfs"], "systemd", [])).toEqual([]);
  });

  it("is told of with everything else that stands against the run", () => {
    const engine = { ...engineFacts, containers: [kubelet] };
    const found = codes(onHost({ podCgroups: ["cgroupfs"], swapBytes: 1024, propagation: "private" }, master, { engine }));
    expect(found).toEqual(["CGROUP_DRIVER_CHANGED", "MOUNT_PROPAGATION", "SWAP_ON"]);
  });
});

describe("the image", () => {
  it("is of another architecture", () => {
    const result = runPreflight("image", { engine: engineFacts, image: { ...image, architecture: "arm64" } }, master);
    expect(codes(result)).toEqual(["IMAGE_ARCHITECTURE"]);
  });

  it("is of another version, or no Kubernetes at all", () => {
    expect(codes(onHost({ imageVersion: "v1.19.0" }))).toEqual(["IMAGE_VERSION"]);
    expect(codes(onHost({ imageVersion: "" }))).toEqual(["IMAGE_NOT_HYPERKUBE"]);
  });

  it("lacks what its version needs, all of it named", () => {
    const { imageCniDir, ...bare } = hostFacts;
    expect(imageCniDir).toBeDefined();
    const lacks = (host: Partial<HostFacts>, wanted: Partial<Wanted>): string | undefined =>
      runPreflight("host", { ...observedHost, host: { ...bare, ...host } }, { ...master, ...wanted }).errors[0]?.message;
    const { hyperkube, "cri-dockerd": cri, ...tools } = hostFacts.imagePrograms;
    expect([hyperkube, cri]).not.toContain(undefined);
    const kubelets = { ...tools, kubelet: "/usr/bin/kubelet", "kube-proxy": "/usr/bin/kube-proxy" };
    const modern = { version: "v1.36.2" };
    const image = { imageVersion: "v1.36.2" };
    expect(lacks({ ...image, imagePrograms: kubelets }, modern)).toContain(
      "lacks kube-apiserver, kube-controller-manager, kube-scheduler, kubectl, cri-dockerd, CNI plugins, which",
    );
    const worker = { ...modern, role: "worker", network: "none" } as const;
    expect(lacks({ ...image, imagePrograms: { ...kubelets, "cri-dockerd": "/x" } }, worker)).toBeUndefined();
    const old = { version: "v1.20.2", network: "none" } as const;
    expect(lacks({ imagePrograms: { hyperkube: "/hyperkube", ip: "/ip", iptables: "/iptables", mount: "/mount" } }, old)).toContain(
      "lacks nsenter, socat, which",
    );
  });
});

describe("the host", () => {
  const flannel: Partial<Wanted> = { network: "flannel", networkBackend: "vxlan" };

  it.each<[string, Partial<HostFacts>, Partial<Wanted>]>([
    ["MOUNT_PROPAGATION", { propagation: "private" }, {}],
    ["KERNEL_IPVS_MISSING", { ipvs: false }, { proxyMode: "ipvs" }],
    ["READ_ONLY", { readOnlyPaths: ["/var/lib/docker"] }, {}],
    ["DISK_FULL", { diskFreeBytes: { "/var/lib/etcd": 1e6, "/etc": 1e8 } }, {}],
    ["SWAP_ON", { swapBytes: 1e9 }, {}],
    ["NODE_NAME", { hostname: "my_host" }, {}],
    ["NODE_NAME", {}, { nodeName: "x".repeat(64) }],
    ["NO_ADDRESS", { addresses: [] , routes: [] }, {}],
    ["NOT_AN_ADDRESS", {}, { ip: ["10.0.0.99"] }],
    ["RANGE_OVERLAP", {}, { podCidr: ["172.16.0.0/12"] }],
    ["RANGE_OVERLAP", {}, { serviceCidr: ["10.0.0.128/25"] }],
    ["RANGE_OVERLAP", {}, { ...dual, podCidr: ["10.244.0.0/16", "2001:db8::/56"] }],
    ["NO_IPV6_ADDRESS", { ipv6: noIpv6 }, dual],
    ["NOT_AN_ADDRESS", {}, { ...dual, ip: ["10.0.0.5", "2001:db8::6"] }],
    ["FIREWALL", { firewalls: [{ name: "firewalld", sources: ["10.244.0.0/16"] }] }, dual],
    ["OTHER_POD_NETWORK", { cniConfigurations: ["05-weave.conf"] }, {}],
    ["OTHER_POD_NETWORK", { cniConfigurations: ["05-weave.conf"] }, flannel],
    ["NO_INTERFACE", {}, { networkInterface: "eth7" }],
    ["NO_BR_NETFILTER", { networkDrivers: ["vxlan"] }, {}],
    ["FIREWALL", { firewalls: [{ name: "firewalld", sources: ["10.0.0.0/24"] }] }, {}],
    ["OTHER_FLANNEL", { links: ["lo", "eth0", "flannel.1"] }, flannel],
    ["PORT_TAKEN", { udpPorts: [51820] }, { ...flannel, networkBackend: "wireguard" }],
    ["PORT_TAKEN", { udpPorts: [51821] }, { ...flannel, ...dual, networkBackend: "wireguard" }],
    ["PORT_TAKEN", { udpPorts: [8285] }, { ...flannel, networkBackend: "udp" }],
    ["NO_BACKEND", { networkDrivers: ["br_netfilter", "tun"] }, flannel],
    ["NO_BACKEND", { networkDrivers: ["br_netfilter", "vxlan"] }, { ...flannel, networkBackend: "udp" }],
    ["PORT_TAKEN", { listeningPorts: [{ port: 10247, address: "127.0.0.1" }] }, flannel],
    ["CLOCK_SKEW", {}, { validity: { notBeforeMs: hostFacts.clockMs + 1, notAfterMs: hostFacts.clockMs + 2 } }],
    ["CLOCK_SKEW", {}, { validity: { notBeforeMs: 0, notAfterMs: hostFacts.clockMs - 1 } }],
  ])("%s", (code, host, wanted) => {
    const { defaultAddress, ...rest } = hostFacts;
    expect(defaultAddress).toBeDefined();
    const base = code === "NO_ADDRESS" ? rest : hostFacts;
    const result = runPreflight("host", { ...observedHost, host: { ...base, ...host } }, { ...master, ...wanted });
    expect(codes(result)).toEqual([code]);
    expect(result.errors[0]?.hint).toBeTruthy();
  });

  it("does not mind the port that its own flannel has, nor another's of IPv6 where there is none", () => {
    const wireguard: Wanted = { ...master, ...flannel, networkBackend: "wireguard" };
    expect(codes(onHost({ udpPorts: [51821] }, wireguard))).toEqual([]);
    const engine = { ...observedHost.engine, containers: [kubelet] };
    const host = { ...hostFacts, udpPorts: [51820], links: ["lo", "flannel-wg"] };
    expect(codes(runPreflight("host", { ...observedHost, engine, host }, wireguard))).toEqual([]);
  });

  it("may have no default route if its address is given, but is told what the machine itself then lacks", () => {
    const { defaultAddress = "", ...homeless } = hostFacts;
    const result = runPreflight("host", { ...observedHost, host: homeless }, { ...master, ip: [defaultAddress] });
    expect(codes(result)).toEqual([]);
    expect(result.warnings.join()).toContain("ip route add default dev eth0 metric 1000");
  });

  it("has an address of IPv6 where the cluster has both families, on the interface of the other or as its default", () => {
    const on = (ipv6: HostFacts["ipv6"]) => onHost({ ipv6 }, { ...master, ...dual });
    const address = { interface: "eth0", address: "fd77::5", prefixLength: 64 };
    expect(codes(on(hostFacts.ipv6))).toEqual([]);
    expect(on(hostFacts.ipv6).warnings).toEqual([]);
    const without = on({ addresses: [address], routes: [] });
    expect(codes(without)).toEqual([]);
    expect(without.warnings.join()).toContain("ip -6 route add default dev eth0 metric 1000");
    const elsewhere = { ...address, interface: "docker0" };
    expect(codes(on({ addresses: [elsewhere], routes: [] }))).toEqual(["NO_IPV6_ADDRESS"]);
    expect(codes(on({ addresses: [elsewhere], defaultAddress: "fd77::5", routes: [] }))).toEqual([]);
    // A cluster of one family does not care.
    expect(codes(onHost({ ipv6: noIpv6 }, master))).toEqual([]);
  });

  it("has a firewall that knows both families' pods; of IPv4's own rules only those are expected", () => {
    const on = (name: string, sources: string[]): string[] =>
      codes(onHost({ firewalls: [{ name, sources }] }, { ...master, ...dual }));
    expect(on("firewalld", ["10.244.0.0/16", "fd00:10:244::/56"])).toEqual([]);
    expect(on("nft inet filter", ["10.244.0.0/16"])).toEqual(["FIREWALL"]);
    expect(on("ufw", ["10.244.0.0/16"])).toEqual([]);
  });

  it("has a name that only needs lower case", () => {
    expect(codes(onHost({ hostname: "Machine-1" }))).toEqual([]);
  });

  it("lets no container share another's IPC namespace, which old kubelets take for granted", () => {
    const on = (version: string, minApiVersion: string, defaultIpcMode: string): string[] => {
      const docker = { ...engineFacts.version, apiVersion: "1.51", minApiVersion };
      const host = { imageVersion: version, defaultIpcMode };
      return codes(onHost(host, { ...master, version }, { engine: { ...engineFacts, version: docker } }));
    };
    // v1.3 can be told to speak an API for which Docker takes it for granted as well, unless that is too old for it.
    expect(on("v1.3.6", "1.24", "private")).toEqual([]);
    expect(on("v1.3.6", "1.40", "private")).toEqual(["IPC_MODE_PRIVATE"]);
    expect(on("v1.5.8", "1.24", "private")).toEqual(["IPC_MODE_PRIVATE"]);
    expect(on("v1.5.8", "1.24", "shareable")).toEqual([]);
    expect(on("v1.13.12", "1.24", "private")).toEqual([]);
    expect(on("v1.20.2", "1.24", "private")).toEqual([]);
  });

  it("has a cri-dockerd that is not ours", () => {
    const host = { imageVersion: "v1.36.2", existingPaths: ["/run/cri-dockerd.sock"] };
    const modern = { ...master, version: "v1.36.2" };
    expect(codes(onHost(host, modern))).toEqual(["OTHER_RUNTIME"]);
    const ours = container("cri", { "io.tsdeploy.component": "cri", "io.tsdeploy.cluster": "kubernetes" });
    expect(codes(onHost(host, modern, { engine: { ...engineFacts, containers: [ours] } }))).toEqual([]);
    expect(codes(onHost({ existingPaths: host.existingPaths }))).toEqual([]);
  });

  it("may have swap where the kubelet is told so", () => {
    expect(codes(onHost({ swapBytes: 1e9 }, { ...master, allowSwap: true }))).toEqual([]);
  });

  it("may have swap under kubelets of before v1.8, which have no word for it", () => {
    const swapOn = (version: string) =>
      codes(onHost({ swapBytes: 1e9, imageVersion: version, defaultIpcMode: "shareable" }, { ...master, version }));
    expect(swapOn("v1.7.16")).toEqual([]);
    expect(swapOn("v1.8.15")).toEqual(["SWAP_ON"]);
  });

  it("may reach other nodes' pods through a gateway, and have our bridge", () => {
    const routes = [
      { destination: "10.244.1.0/24", interface: "eth0", gateway: "10.0.0.6" },
      { destination: "10.244.0.0/24", interface: "cni0" },
    ];
    expect(codes(onHost({ routes }))).toEqual([]);
  });

  it("has a firewall that knows the pods' addresses, or one in a cluster that runs, which is only a warning", () => {
    const firewalls = [{ name: "ufw", sources: ["10.0.0.0/8"] }];
    expect(onHost({ firewalls })).toEqual({ errors: [], warnings: [] });
    const closed = onHost({ firewalls: [{ name: "ufw", sources: [] }] }, master, {
      engine: { ...engineFacts, containers: [container("kubelet", { "io.tsdeploy.component": "kubelet" })] },
    });
    expect(closed).toMatchObject({ errors: [], warnings: [expect.stringContaining("ufw allow from 10.244.0.0/16")] });
  });

  it("is offered the backends that its kernel has", () => {
    const [error] = onHost({ networkDrivers: ["br_netfilter", "tun"] }, { ...master, ...flannel }).errors;
    expect(error?.hint).toMatch(/modprobe vxlan.* host-gw .* or udp\.$/);
  });

  it("reaches by host-gw only a master in its own network", () => {
    const wanted = { ...worker, ...flannel, networkBackend: "host-gw", podCidr: ["10.244.0.0/16"] } as const;
    expect(codes(onHost({}, { ...wanted, masterIp: "10.0.0.9" }))).toEqual([]);
    const far = onHost({}, { ...wanted, masterIp: "10.0.1.9" });
    expect(codes(far)).toEqual(["NOT_ONE_ETHERNET"]);
    expect(far.errors[0]?.message).toContain("eth0 (10.0.0.5/24)");
    expect(codes(onHost({}, { ...wanted, networkBackend: "vxlan", masterIp: "10.0.1.9" }))).toEqual([]);
  });

  it("keeps the network that its pods are on, until it is torn down", () => {
    const content = '{ "Network": "10.244.0.0/16", "Backend": { "Type": "vxlan" } }';
    const files = new Map([["/etc/kubernetes/flannel.json", { mode: 0o644, content }]]);
    const kubelet = container("kubelet", { "io.tsdeploy.component": "kubelet" });
    const running = { files, engine: { ...engineFacts, containers: [kubelet] } };
    expect(codes(onHost({}, { ...master, ...flannel }, running))).toEqual([]);
    const changed = onHost({}, { ...master, ...flannel, networkBackend: "host-gw" }, running);
    expect(codes(changed)).toEqual(["NETWORK_CHANGE"]);
    expect(changed.errors[0]?.hint).toContain("--network-backend host-gw");
    expect(codes(onHost({}, { ...master, network: "bridge" }, running))).toEqual(["NETWORK_CHANGE"]);
  });

  const bridgeFile = ["/etc/cni/net.d/10-tsdeploy.conflist", { mode: 0o644, content: "{}" }] as const;
  const record = (content: object) =>
    ["/etc/kubernetes/tsdeploy-files.json", { mode: 0o600, content: JSON.stringify(content) }] as const;
  it.each([
    ["from bridge to flannel", [bridgeFile], flannel, [], []],
    ["from bridge to bridge", [bridgeFile], { network: "bridge" }, ["99-other.conf"], []],
    ["from bridge to none", [bridgeFile], { network: "none" }, [], ["NETWORK_CHANGE"]],
    ["from none to flannel where nobody has brought one", [record({})], flannel, [], []],
    ["from none to flannel beside the owner's own", [record({})], flannel, ["99-calico.conflist"], ["NETWORK_CHANGE"]],
    ["from none to bridge beside the owner's own", [record({})], { network: "bridge" }, ["99-a.conf"], ["NETWORK_CHANGE"]],
    ["from none to none", [record({})], { network: "none" }, ["99-calico.conflist"], []],
    ["after a run that was cut off", [record({ [bridgeFile[0]]: [] })], flannel, ["99-loopback.conf"], []],
  ] as const)("goes %s on a node that runs, or not: %#", (_, files, wanted, cniConfigurations, expected) => {
    const kubelet = container("kubelet", { "io.tsdeploy.component": "kubelet" });
    const running = { files: new Map([...ours, ...files]), engine: { ...engineFacts, containers: [kubelet] } };
    expect(codes(onHost({ cniConfigurations }, { ...master, ...wanted }, running))).toEqual(expected);
  });

  it("may have pod networks that come after ours, or that are wanted", () => {
    expect(codes(onHost({ cniConfigurations: ["99-loopback.conf"] }))).toEqual([]);
    expect(codes(onHost({ cniConfigurations: ["05-weave.conf"] }, { ...master, network: "none" }))).toEqual([]);
  });

  it("is small for a control plane, which is only a warning", () => {
    expect(onHost({ cpus: 1 })).toMatchObject({ errors: [], warnings: [expect.stringContaining("1 CPU")] });
    expect(onHost({ cpus: 1 }, worker)).toEqual({ errors: [], warnings: [] });
  });
});

describe("ports", () => {
  const taken = (port: number, address = "0.0.0.0", inContainer?: string) => ({
    listeningPorts: [
      { port, address, process: "nginx", pid: 7, ...(inContainer === undefined ? {} : { container: inContainer }) },
    ],
  });

  it("are taken by a process that is named", () => {
    const result = onHost(taken(6443));
    expect(codes(result)).toEqual(["PORT_TAKEN"]);
    expect(result.errors[0]?.message).toBe("Port 6443, which the API server needs, is taken by nginx (PID 7)");
  });

  it("are taken by a container that is named", () => {
    const engine = { ...engineFacts, containers: [container("c1", {}, { name: "proxy" })] };
    const result = onHost(taken(10250, "::", "c1"), worker, { engine });
    expect(result.errors[0]?.message).toContain("in the container proxy");
  });

  it("of the control plane are other ones in other versions", () => {
    const of = (port: number, wanted: Partial<Wanted>): string[] =>
      codes(onHost({ ...taken(port), imageVersion: wanted.version ?? "" , defaultIpcMode: "shareable" }, { ...master, ...wanted }));
    expect([10251, 10252, 8080].map((port) => of(port, { version: "v1.5.8" }))).toEqual(Array(3).fill(["PORT_TAKEN"]));
    expect([10257, 10259].map((port) => of(port, { version: "v1.36.2" }))).toEqual(Array(2).fill(["PORT_TAKEN"]));
    expect([10251, 10252, 8080].map((port) => of(port, { version: "v1.36.2" }))).toEqual([[], [], []]);
    expect(of(8080, { version: "v1.18.20", insecureApi: true })).toEqual(["PORT_TAKEN"]);
  });

  it("of the control plane do not matter to a worker", () => {
    expect(codes(onHost(taken(6443), worker))).toEqual([]);
  });

  it("on loopback are not taken by a listener on another address", () => {
    expect(codes(onHost(taken(10248, "10.0.0.5")))).toEqual([]);
    expect(codes(onHost(taken(10248, "127.0.0.1")))).toEqual(["PORT_TAKEN"]);
  });

  it("are held by our own containers and our kubelet's pods on a second run", () => {
    const apiserver = podContainer("api", "k8s-master", "apiserver");
    const engine = { ...engineFacts, containers: [kubelet, apiserver] };
    expect(codes(onHost(taken(10250, "::", "kubelet"), master, { engine }))).toEqual([]);
    expect(codes(onHost(taken(6443, "::", "api"), master, { engine }))).toEqual([]);
    expect(codes(onHost(taken(6443, "::", "api"), master, { engine: { ...engineFacts, containers: [apiserver] } }))).toEqual(
      ["PORT_TAKEN"],
    );
  });
});

describe("existing data", () => {
  const accepted = {
    version: "v1.20.2",
    serviceCidr: ["10.96.0.0/12"],
    podCidr: ["10.244.0.0/16"],
    clusterDomain: "cluster.local",
  } as const;
  const to = (wanted: Partial<Wanted>): string[] =>
    codes(onHost({ imageVersion: wanted.version ?? "v1.20.2" }, { ...master, accepted, ...wanted }));

  it("goes up one minor version at most, and never down", () => {
    expect(to({})).toEqual([]);
    expect(to({ version: "v1.20.15" })).toEqual([]);
    expect(to({ version: "v1.21.0" })).toEqual([]);
    expect(to({ version: "v1.22.0" })).toEqual(["MINOR_SKIPPED"]);
    expect(to({ version: "v1.20.1" })).toEqual(["DOWNGRADE"]);
    expect(to({ version: "v1.19.16" })).toEqual(["DOWNGRADE"]);
  });

  it("of etcd's second API is not brought to a Kubernetes that reads the third", () => {
    const of = (from: string, version: string) =>
      onHost(
        { imageVersion: version, defaultIpcMode: "shareable" },
        { ...master, version, accepted: { ...accepted, version: from } },
      );
    expect(codes(of("v1.4.12", "v1.5.8"))).toEqual([]);
    expect(codes(of("v1.6.13", "v1.7.16"))).toEqual([]);
    expect(codes(of("v1.5.8", "v1.6.13"))).toEqual(["ETCD_API_CHANGED"]);
    // Not by way of v1.6, which would not do either.
    expect(codes(of("v1.5.8", "v1.7.16"))).toEqual(["ETCD_API_CHANGED"]);
    expect(of("v1.5.8", "v1.6.13").errors[0]?.hint).toMatch(/v1\.5.*teardown --purge/s);
  });

  describe("of etcd", () => {
    const pki = ["ca.crt", "ca.key", "sa.key"].map((name) => [`/etc/kubernetes/pki/${name}`, file()] as const);
    const identity = new Map([...ours, ...pki]);
    interface Host {
      readonly version?: string;
      /** Null: the image has none. */
      readonly imageEtcd?: string | null;
      readonly containers?: readonly ReturnType<typeof container>[];
      readonly recorded?: string;
      readonly etcdData?: boolean;
    }
    const on = ({ version = "v1.34.8", imageEtcd = "3.6.5", containers = [], recorded, etcdData = true }: Host) =>
      runPreflight(
        "host",
        {
          ...observedHost,
          engine: { ...engineFacts, containers },
          host: { ...hostFacts, imageVersion: version, imageEtcdVersion: imageEtcd ?? "", etcdData },
          files: identity,
        },
        { ...master, version, accepted: { ...accepted, version, etcdVersion: recorded } },
      );
    const etcd = (image: string, more: Record<string, string> = {}, created = 1, state = "running") =>
      container(image, { "io.tsdeploy.component": "etcd", ...more }, { image, createdAt: created, state });
    const pulled = (version: string) => etcd(`registry.k8s.io/etcd:${version}-0`);
    const built = (version: string) => etcd("tsdeploy/hyperkube:v1.33.13", { "io.tsdeploy.image.etcd": version });

    it.each<[string, Host, string[]]>([
      ["that ran in a pulled image", { containers: [pulled("3.5.24")] }, ["ETCD_UPGRADE_UNSAFE"]],
      ["that ran in a built image", { containers: [built("3.5.24")] }, ["ETCD_UPGRADE_UNSAFE"]],
      ["that the accepted options tell", { recorded: "3.5.24" }, ["ETCD_UPGRADE_UNSAFE"]],
      ["whose image tells nothing", { containers: [etcd("my/etcd-image:1")], recorded: "3.5.24" }, ["ETCD_UPGRADE_UNSAFE"]],
      ["that is recent enough", { containers: [built("3.5.26")], recorded: "3.5.24" }, []],
      ["two minor versions ago", { containers: [pulled("3.4.13")] }, ["ETCD_UPGRADE_SKIPS"]],
      ["of a later minor version", { imageEtcd: "3.5.26", containers: [pulled("3.6.8")] }, ["ETCD_DOWNGRADE"]],
      ["with a killed run's later one beside it", { imageEtcd: "3.5.26", containers: [pulled("3.5.26"), pulled("3.6.8")] }, ["ETCD_DOWNGRADE"]],
      ["beside one that never started", { imageEtcd: "3.5.26", containers: [pulled("3.5.26"), etcd("registry.k8s.io/etcd:3.6.8-0", {}, 2, "created")] }, []],
      ["that is known by nothing", {}, []],
      ["that has left no data", { recorded: "3.5.24", etcdData: false }, []],
    ])("%s", (_, host, expected) => {
      expect(codes(on(host))).toEqual(expected);
    });

    it("is compared with the etcd that is pulled where the image has none that fits", () => {
      const result = on({ version: "v1.18.20", imageEtcd: null, containers: [built("3.5.26")] });
      expect(codes(result)).toEqual(["ETCD_DOWNGRADE"]);
      expect(result.errors[0]?.message).toContain("3.4.3");
    });

    it("is told with the way out", () => {
      const [unsafe] = on({ containers: [built("3.5.24")] }).errors;
      expect(unsafe?.message).toMatch(/3\.5\.24.*3\.6\.5/);
      expect(unsafe?.hint).toContain("3.5.26");
    });
  });

  it("keeps its address families", () => {
    expect(to(dual)).toEqual(["SERVICE_CIDR_CHANGED", "POD_CIDR_CHANGED"]);
  });

  it("keeps its CIDRs and its domain", () => {
    expect(to({ serviceCidr: ["10.100.0.0/16"], podCidr: ["10.10.0.0/16"], clusterDomain: "example.org" })).toEqual([
      "SERVICE_CIDR_CHANGED",
      "POD_CIDR_CHANGED",
      "CLUSTER_DOMAIN_CHANGED",
    ]);
  });

  it("keeps the size of its nodes' parts, whether that was said or not", () => {
    expect(to({ nodeCidrMaskSize: [24] })).toEqual([]);
    expect(to({ nodeCidrMaskSize: [26] })).toEqual(["NODE_CIDR_MASK_SIZE_CHANGED"]);
  });

  it("needs the identity that it was written with", () => {
    expect(codes(onHost({ etcdData: true }, master, { files: ours }))).toEqual(["IDENTITY_LOST"]);
    const pki = ["ca.crt", "ca.key", "sa.key"].map((name) => [`/etc/kubernetes/pki/${name}`, file()] as const);
    expect(codes(onHost({ etcdData: true }, master, { files: new Map([...ours, ...pki]) }))).toEqual([]);
  });

  it("is not made anew beside other masters, where it was lost after the first run", () => {
    const on = (containers: readonly ContainerSummary[], more: object = {}) => {
      const several = { ...master, accepted: { ...accepted, severalMasters: true, ...more } };
      return codes(onHost({ imageVersion: accepted.version }, several, { engine: { ...engineFacts, containers } }));
    };
    expect(on([kubelet])).toEqual(["ETCD_DATA_LOST"]);
    // Of a first run that was cut short, and of a master that others let in.
    expect(on([])).toEqual([]);
    expect(on([kubelet], { join: "10.0.0.9" })).toEqual([]);
    expect(on([kubelet], { severalMasters: false })).toEqual([]);
  });

  it("that an undo has left as a copy alone is named by what brings it back", () => {
    const hint = (entries: readonly string[]) => {
      const several = { ...master, accepted: { ...accepted, severalMasters: true } };
      const engine = { ...engineFacts, containers: [kubelet] };
      return onHost({ imageVersion: accepted.version, entries }, several, { engine }).errors[0]?.hint;
    };
    expect(hint(["/var/lib/etcd/member-before-upgrade"])).toContain(
      "`mv /var/lib/etcd/member-before-upgrade /var/lib/etcd/member`",
    );
    expect(hint([])).not.toContain("mv");
  });

  it("is not given up for another cluster's node", () => {
    const key = new Map([["/etc/kubernetes/pki/ca.key", file()]]);
    expect(codes(onHost({ etcdData: true }, worker, { files: ours }))).toEqual(["CLUSTER_KEPT"]);
    expect(codes(onHost({}, worker, { files: key }))).toEqual(["CLUSTER_KEPT"]);
    expect(codes(onHost({}, worker))).toEqual([]);
  });
});

describe("what is somebody else's", () => {
  const entries = (...names: string[]) => ({ entries: names.map((name) => `/var/lib/kubelet/${name}`) });

  it("is an etcd whose data no run of ours has made; to a worker it is nothing", () => {
    expect(codes(onHost({ etcdData: true }))).toEqual(["FOREIGN_ETCD"]);
    expect(codes(onHost({ etcdData: true }, worker))).toEqual([]);
    expect(codes(onHost({ entries: ["/var/lib/etcd/default"] }))).toEqual([]);
  });

  it.each<[string, Partial<HostFacts>]>([
    ["pods", entries("pods", "pods/1f0c")],
    ["certificates", entries("pki/kubelet-client-current.pem")],
    ["a mount", { mountsBelowKubelet: ["/var/lib/kubelet/pods/1f0c/volumes/token"] }],
  ])("is a kubelet's folder with %s", (_, facts) => {
    for (const wanted of [master, worker]) expect(codes(onHost(facts, wanted))).toEqual(["FOREIGN_KUBELET"]);
    expect(codes(onHost(facts, master, { files: ours }))).toEqual([]);
  });

  it("are not a kubelet's empty folders, nor what people put there", () => {
    expect(codes(onHost(entries("pods", "plugins", "pki", "config.json", "seccomp")))).toEqual([]);
  });

  it("are another Kubernetes' files, but not a CA that was brought along", () => {
    const files = (path: string) => ({ files: new Map([[path, file()]]) });
    expect(codes(onHost({}, master, files("/etc/kubernetes/admin.conf")))).toEqual(["FOREIGN_FILES"]);
    expect(codes(onHost({}, worker, files("/etc/kubernetes/kubelet.conf")))).toEqual(["FOREIGN_FILES"]);
    expect(codes(onHost({}, master, files("/etc/kubernetes/pki/ca.crt")))).toEqual([]);
    expect(codes(onHost({}, master, files("/etc/kubernetes/addons/mine.json")))).toEqual([]);
  });

  it("is where a link leads", () => {
    const symlinks = [{ path: "/var/lib/kubelet", target: "/data/kubelet" }];
    const { errors } = onHost({ symlinks });
    expect(errors).toMatchObject([{ code: "SYMBOLIC_LINK", kind: "environment" }]);
    expect(errors[0]?.hint).toContain("mount --bind /data/kubelet /var/lib/kubelet");
  });
});

describe("preflightError", () => {
  it("tells everything at once; what the host cannot do decides the exit code", () => {
    const error = preflightError(
      onHost({ swapBytes: 1e9, cniConfigurations: ["05-weave.conf"], propagation: "slave" }).errors,
    );
    expect(error?.problems.map(({ code }) => code)).toEqual(["MOUNT_PROPAGATION", "SWAP_ON", "OTHER_POD_NETWORK"]);
    expect(error?.kind).toBe("environment");
    expect(preflightError(onHost({ cniConfigurations: ["05-weave.conf"] }).errors)?.kind).toBe("conflict");
  });
});

describe("Docker's own proxy", () => {
  const warnings = (info: Partial<EngineInfo>, pullsFrom: readonly string[]): readonly string[] =>
    runPreflight("engine", { ...engineFacts, info: { ...engineFacts.info, ...info } }, { ...master, pullsFrom })
      .warnings;
  const httpsProxy = "http://xxxxx:xxxxx@proxy.lab:3128";

  it.each([
    ["lab"],
    ["lab:5000"],
    ["10.1.2.3"],
    ["[fd00::1]:5000"],
    ["registry.corp"],
    ["registry.cluster.local"],
    ["registry.example.com:5000"],
  ])("is not for %s", (registry) => {
    expect(warnings({ httpsProxy }, [registry])).toEqual([expect.stringContaining(registry)]);
    expect(warnings({ httpProxy: httpsProxy }, [registry])).toHaveLength(1);
    expect(warnings({}, [registry])).toEqual([]);
    const noProxy = "lab,10.0.0.0/8,fd00::1,.corp,cluster.local,example.com";
    expect(warnings({ httpsProxy, noProxy }, [registry])).toEqual([]);
  });

  it.each([["docker.io"], ["registry.example.com"], ["registry.example.com:443"], ["8.8.8.8"], ["127.0.0.1:5000"]])(
    "may be for %s",
    (registry) => {
      expect(warnings({ httpsProxy }, [registry])).toEqual([]);
    },
  );

  it("is told once for all registries, with what to add where", () => {
    const [only = "", ...more] = warnings({ httpsProxy }, ["lab:5000", "docker.io", "lab:5001", "10.1.2.3"]);
    expect(more).toEqual([]);
    expect(only).toMatch(/from lab:5000, lab:5001, 10\.1\.2\.3 through its proxy.*Add lab,10\.1\.2\.3 to NO_PROXY/);
  });
});
