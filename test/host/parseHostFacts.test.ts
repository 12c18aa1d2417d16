import { describe, expect, it } from "vitest";
import { parseHostFacts } from "../../src/host/parseHostFacts.js";

const container = "a".repeat(64);
const output = `hostname machine-1
cpus 2
memoryBytes 4096000
swapBytes 0
openFiles 524288
cgroupVersion 2
podCgroups systemd
etcdData false
address eth0 10.0.0.5/24
address eth1 192.168.1.5/16
route default via 192.168.0.1 dev eth1 metric 100
route default via 10.0.0.1 dev eth0 metric 200
route 10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.5
route 10.244.1.0/24 via 10.0.0.6 dev eth0
route 203.0.113.7 dev eth0 scope link
route unreachable 10.9.0.0/16
link eth0
link lo
propagation shared
privateFolder /srv
identity /etc/os-release
listening 0.0.0.0:22 - - -
listening 127.0.0.53%lo:53 - - -
listening [::]:80 - - -
udpPort 53
udpPort 51820
udpPort 53
listening *:6443 1234 kube-apiserver ${container}
iptables iptables-nft nat
iptables iptables-nft nat KUBE-SERVICES
kubeProxy nft ip kube-proxy
kubeProxy ipvs TCP 10.96.0.1:443
iptablesBackend nft
resolvConf /etc/resolv.conf
resolver nameserver 10.0.0.1
resolver search lan\texample.com
free 100 4096 /var/lib/docker
imageRoot /var/lib/containerd
readOnly /etc
free 5 1024 /etc
conntrackMaxWritable false
ipvs false
cni 05-weave.conf
sysctl net.ipv4.ip_forward 1
path /etc/cni
symlink /var/lib/kubelet /srv/big disk/kubelet
entry /var/lib/kubelet/pods
entry /var/lib/kubelet/a b
mountBelow /var/lib/kubelet/pods/1/volumes/with blank
imageCniDir /usr/lib/cni
program etcd /usr/bin/etcd
program hyperkube /hyperkube
imageVersion v1.20.2
imageEtcdVersion 3.4.23
imageCriDockerdVersion 0.4.3
clock 1700000000.123456
`;

describe("parseHostFacts", () => {
  const facts = parseHostFacts(output);

  it("reads what stands for itself", () => {
    expect(facts).toMatchObject({
      hostname: "machine-1",
      cpus: 2,
      openFiles: 524_288,
      cgroupVersion: "2",
      podCgroups: ["systemd"],
      propagation: "shared",
      privateFolders: ["/srv"],
      identityFiles: ["/etc/os-release"],
      resolverLines: ["nameserver 10.0.0.1", "search lan example.com"],
      iptablesBackend: "nft",
      conntrackMaxWritable: false,
      ipvs: false,
      etcdData: false,
      imageVersion: "v1.20.2",
      imagePrograms: { etcd: "/usr/bin/etcd", hyperkube: "/hyperkube" },
      imageEtcdVersion: "3.4.23",
      imageCriDockerdVersion: "0.4.3",
      imageCniDir: "/usr/lib/cni",
      clockMs: 1700000000123,
      sysctls: { "net.ipv4.ip_forward": "1" },
      cniConfigurations: ["05-weave.conf"],
      diskFreeBytes: { "/var/lib/docker": 409600, "/etc": 5120 },
      imageRoot: "/var/lib/containerd",
      readOnlyPaths: ["/etc"],
      existingPaths: ["/etc/cni"],
      iptables: ["iptables-nft nat", "iptables-nft nat KUBE-SERVICES"],
      kubeProxy: ["nft ip kube-proxy", "ipvs TCP 10.96.0.1:443"],
      symlinks: [{ path: "/var/lib/kubelet", target: "/srv/big disk/kubelet" }],
      entries: ["/var/lib/kubelet/pods", "/var/lib/kubelet/a b"],
      mountsBelowKubelet: ["/var/lib/kubelet/pods/1/volumes/with blank"],
    });
  });

  it("has of IPv6 what it has of IPv4", () => {
    const more = [
      "address6 eth0 2001:db8::5/64",
      "address6 tun0 fd00::1",
      "route6 2001:db8::/64 dev eth0 proto kernel metric 256 pref medium",
      "route6 fd00:10:244:1::/64 via fd77::6 dev eth0 metric 1024 pref medium",
      "route6 default via fe80::1 dev eth0 proto ra metric 1024 expires 1797sec pref medium",
    ];
    expect(parseHostFacts(`${output}\n${more.join("\n")}\n`).ipv6).toEqual({
      addresses: [
        { interface: "eth0", address: "2001:db8::5", prefixLength: 64 },
        { interface: "tun0", address: "fd00::1", prefixLength: 128 },
      ],
      defaultAddress: "2001:db8::5",
      routes: [
        { destination: "2001:db8::/64", interface: "eth0" },
        { destination: "fd00:10:244:1::/64", interface: "eth0", gateway: "fd77::6" },
        { destination: "::/0", interface: "eth0", gateway: "fe80::1" },
      ],
    });
    expect(parseHostFacts(output).ipv6).toEqual({ addresses: [], routes: [] });
    const nowhere = `${output}\nroute6 default dev eth0 metric 1000 pref medium\n`;
    expect(parseHostFacts(nowhere).ipv6.routes).toEqual([{ destination: "::/0", interface: "eth0" }]);
  });

  it("knows networks of both families in a firewall's rules, and what only looks like one", () => {
    const text = `${output}\nfirewall firewalld 10.0.0.7,fd00:10:244::/56,52:54:00:12:34:56\n`;
    expect(parseHostFacts(text).firewalls.at(-1)?.sources).toEqual(["10.0.0.7/32", "fd00:10:244::/56"]);
  });

  it("takes the address of the default route that the kernel prefers", () => {
    expect(facts.defaultAddress).toBe("192.168.1.5");
  });

  it("takes the default route's own source address", () => {
    const said = output.replace("dev eth1 metric 100", "dev eth1 proto dhcp src 192.168.1.77 metric 100");
    expect(parseHostFacts(said).defaultAddress).toBe("192.168.1.77");
  });

  it("has no default address without a default route", () => {
    expect(parseHostFacts(output.replace(/^route default.*\n/gm, "")).defaultAddress).toBeUndefined();
  });

  it("tells networks that the host is in from those behind a gateway", () => {
    expect(facts.routes).toContainEqual({ destination: "10.0.0.0/24", interface: "eth0" });
    expect(facts.routes).toContainEqual({ destination: "10.244.1.0/24", interface: "eth0", gateway: "10.0.0.6" });
    expect(facts.routes).toContainEqual({ destination: "203.0.113.7/32", interface: "eth0" });
    expect(facts.routes.some((route) => route.destination.startsWith("10.9."))).toBe(false);
  });

  it("names each UDP port once", () => {
    expect(facts.udpPorts).toEqual([53, 51820]);
  });

  it("reads every form of a listening socket", () => {
    expect(facts.listeningPorts).toEqual([
      { port: 22, address: "0.0.0.0" },
      { port: 53, address: "127.0.0.53" },
      { port: 80, address: "::" },
      { port: 6443, address: "::", pid: 1234, process: "kube-apiserver", container },
    ]);
  });

  it("reads an image without Kubernetes, CNI plugins and etcd", () => {
    const bare = parseHostFacts(
      output.replace("imageVersion v1.20.2", "imageVersion ").replace(/^(imageCniDir|program|imageEtcdVersion).*\n/gm, ""),
    );
    expect(bare).toMatchObject({ imageVersion: "", imagePrograms: {} });
    expect(bare.imageCniDir).toBeUndefined();
    expect(bare.imageEtcdVersion).toBeUndefined();
  });

  it("knows no limit of open files where there is none", () => {
    expect(parseHostFacts(output.replace("openFiles 524288", "openFiles unlimited")).openFiles).toBeUndefined();
  });

  it("refuses output that broke off", () => {
    expect(() => parseHostFacts(output.slice(0, 300))).toThrow();
  });
});
