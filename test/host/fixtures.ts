import type { ContainerSummary, ImageDetails } from "../../src/model/dockerObjects.js";
import type { EngineFacts, HostFacts, ObservedHost } from "../../src/model/hostFacts.js";

/** An ordinary Debian host with Docker, on which nothing runs. */
export const engineFacts: EngineFacts = {
  endpoint: "unix:///var/run/docker.sock",
  version: {
    version: "20.10.24+dfsg1",
    apiVersion: "1.41",
    minApiVersion: "1.12",
    os: "linux",
    architecture: "amd64",
  },
  info: {
    id: "ID",
    hostname: "machine-1",
    operatingSystem: "Debian GNU/Linux 12 (bookworm)",
    osType: "linux",
    machine: "x86_64",
    kernelVersion: "6.1.0",
    dockerRootDir: "/var/lib/docker",
    storageDriver: "overlay2",
    loggingDriver: "json-file",
    cgroupDriver: "systemd",
    cgroupVersion: "2",
    securityOptions: ["name=seccomp,profile=default", "name=cgroupns"],
    cpus: 2,
    memoryBytes: 4e9,
    firewallBackend: "",
    liveRestore: false,
    httpProxy: "",
    httpsProxy: "",
    noProxy: "",
  },
  containers: [],
};

export const hostFacts: HostFacts = {
  hostname: "machine-1",
  addresses: [
    { interface: "eth0", address: "10.0.0.5", prefixLength: 24 },
    { interface: "docker0", address: "172.17.0.1", prefixLength: 16 },
  ],
  defaultAddress: "10.0.0.5",
  routes: [
    { destination: "0.0.0.0/0", interface: "eth0", gateway: "10.0.0.1" },
    { destination: "10.0.0.0/24", interface: "eth0" },
    { destination: "172.17.0.0/16", interface: "docker0" },
  ],
  ipv6: {
    addresses: [{ interface: "eth0", address: "2001:db8::5", prefixLength: 64 }],
    defaultAddress: "2001:db8::5",
    routes: [
      { destination: "::/0", interface: "eth0", gateway: "fe80::1" },
      { destination: "2001:db8::/64", interface: "eth0" },
    ],
  },
  links: ["lo", "eth0", "docker0"],
  mtus: { lo: 65_536, eth0: 1500, docker0: 1500 },
  networkDrivers: ["br_netfilter", "vxlan", "wireguard", "tun"],
  firewalls: [],
  cpus: 2,
  memoryBytes: 4e9,
  swapBytes: 0,
  clockMs: Date.UTC(2026, 0, 1),
  cgroupVersion: "2",
  podCgroups: [],
  propagation: "shared",
  privateFolders: [],
  identityFiles: ["/etc/machine-id", "/etc/os-release"],
  listeningPorts: [{ port: 22, address: "0.0.0.0" }],
  udpPorts: [53],
  iptablesBackend: "nft",
  iptables: ["iptables-nft filter", "iptables-nft nat"],
  kubeProxy: [],
  resolvConf: "/etc/resolv.conf",
  resolverLines: ["nameserver 10.0.0.1"],
  diskFreeBytes: { "/var/lib/docker": 1e10, "/var/lib/kubelet": 1e10, "/var/lib/etcd": 1e10, "/etc": 1e10 },
  readOnlyPaths: [],
  conntrackMaxWritable: true,
  ipvs: true,
  cniConfigurations: [],
  imageVersion: "v1.20.2",
  imagePrograms: {
    hyperkube: "/hyperkube",
    "cri-dockerd": "/usr/local/bin/cri-dockerd",
    etcd: "/usr/bin/etcd",
    coredns: "/usr/local/bin/coredns",
    ip: "/usr/sbin/ip",
    iptables: "/usr/sbin/iptables",
    mount: "/usr/bin/mount",
    nsenter: "/usr/bin/nsenter",
    pause: "/pause",
    ipset: "/usr/sbin/ipset",
    nft: "/usr/sbin/nft",
    socat: "/usr/bin/socat",
  },
  imageEtcdVersion: "3.4.23",
  imageCniDir: "/usr/lib/cni",
  defaultIpcMode: "private",
  etcdData: false,
  sysctls: { "net.ipv4.ip_forward": "1", "kernel.panic": "0" },
  existingPaths: ["/opt"],
  symlinks: [],
  entries: [],
  mountsBelowKubelet: [],
};

export const image: ImageDetails = {
  id: "sha256:1",
  tags: ["tsdeploy/hyperkube:v1.20.2"],
  repoDigests: [],
  architecture: "amd64",
  os: "linux",
  labels: {},
  command: ["/pause"],
  sizeBytes: 1,
  createdAt: "2026-01-01T00:00:00Z",
  layers: ["sha256:1"],
};

export const observedHost: ObservedHost = { engine: engineFacts, host: hostFacts, image, files: new Map() };

export function container(id: string, labels: Record<string, string>, more: Partial<ContainerSummary> = {}) {
  return { id, name: id, image: "i", imageId: "sha256:1", labels, state: "running", status: "Up", createdAt: 1, ...more };
}

/** A container as dockershim labels it. */
export function podContainer(id: string, pod: string, name: string, more: Record<string, string> = {}) {
  const type = name === "POD" ? "podsandbox" : "container";
  return container(
    id,
    {
      "io.kubernetes.docker.type": type,
      "io.kubernetes.container.name": name,
      "io.kubernetes.pod.name": pod,
      "io.kubernetes.pod.namespace": "default",
      "io.kubernetes.pod.uid": `uid-${pod}`,
      ...more,
    },
    { name: `k8s_${name}_${pod}_default_uid-${pod}_0` },
  );
}
