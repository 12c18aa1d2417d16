import type { ContainerSummary, EngineInfo, EngineVersion, ImageDetails } from "./dockerObjects.js";

/** First tier: what the Docker API reports without running anything. */
export interface EngineFacts {
  readonly endpoint: string;
  readonly version: EngineVersion;
  readonly info: EngineInfo;
  /** All of them, running or not: ours, kubelet-made ones and the user's. */
  readonly containers: readonly ContainerSummary[];
}

export interface ListeningPort {
  readonly port: number;
  /** `0.0.0.0`, `::`, `127.0.0.1`, … */
  readonly address: string;
  /** Process name, if it is known. */
  readonly process?: string;
  readonly pid?: number;
  /** Id of the container that the process is in. */
  readonly container?: string;
}

export interface InterfaceAddress {
  readonly interface: string;
  readonly address: string;
  readonly prefixLength: number;
}

export interface Route {
  /** Network such as `10.0.0.0/8`; `0.0.0.0/0` or `::/0` for the default. */
  readonly destination: string;
  readonly interface: string;
  /** Undefined for a network that the interface is in. */
  readonly gateway?: string;
}

/** A firewall of the host's own that drops what it does not know. */
export interface Firewall {
  /** `firewalld`, `ufw`, `iptables INPUT`, or an nft table such as `nft inet filter`. */
  readonly name: string;
  /** Addresses and networks that its rules name. */
  readonly sources: readonly string[];
}

export interface Symlink {
  readonly path: string;
  readonly target: string;
}

/** The same of IPv6 as a host has of IPv4. */
export interface Ipv6Facts {
  /** Global ones that last: neither temporary nor deprecated. Those that were set by hand come first. */
  readonly addresses: readonly InterfaceAddress[];
  /** On the interface of the default route. */
  readonly defaultAddress?: string;
  readonly routes: readonly Route[];
}

/** Second tier: what one helper container of the image sees of the host. */
export interface HostFacts {
  readonly hostname: string;
  /** Global IPv4 addresses. */
  readonly addresses: readonly InterfaceAddress[];
  /** Source address of the default route; undefined without one. */
  readonly defaultAddress?: string;
  /** IPv4. */
  readonly routes: readonly Route[];
  readonly ipv6: Ipv6Facts;
  /** Names of all network interfaces. */
  readonly links: readonly string[];
  /** Of those: bytes of the largest packet. */
  readonly mtus: Readonly<Record<string, number>>;
  /** What the kernel has of `br_netfilter`, `vxlan`, `wireguard` and `tun`, loaded or as a module. */
  readonly networkDrivers: readonly string[];
  readonly firewalls: readonly Firewall[];
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  /** The hard limit of open files that Docker gives containers which ask for none; undefined: no limit. */
  readonly openFiles?: number;
  /** Milliseconds since 1970, read on the host. */
  readonly clockMs: number;
  readonly cgroupVersion: "1" | "2";
  /** Drivers by which cgroups of pods were made that have processes now. */
  readonly podCgroups: readonly ("cgroupfs" | "systemd")[];
  /** Of the mount that holds /var/lib/kubelet. */
  readonly propagation: "shared" | "private" | "slave";
  /** Folders of users that are on mounts of which Docker passes on nothing that is mounted there later: `/srv`. */
  readonly privateFolders: readonly string[];
  /** Those of `/etc/machine-id` and `/etc/os-release` that are there and not empty. */
  readonly identityFiles: readonly string[];
  /** Of TCP. */
  readonly listeningPorts: readonly ListeningPort[];
  /** Somebody's, the kernel's own among them; nobody knows whose. */
  readonly udpPorts: readonly number[];
  /** Which iptables Docker writes to. */
  readonly iptablesBackend: "nft" | "legacy";
  /** Tables, such as `iptables-nft nat`, and chains of Kubernetes' kind, such as `iptables-nft nat KUBE-SERVICES`. */
  readonly iptables: readonly string[];
  /**
   * What else kube-proxy makes, whoever has made it: `nft ip kube-proxy`, `ipset KUBE-CLUSTER-IP`, and virtual servers
   * of IPVS, `ipvs TCP 10.96.0.1:443`.
   */
  readonly kubeProxy: readonly string[];
  /** What kubelets should give pods: the file behind a stub of systemd-resolved or NetworkManager, if there is one. */
  readonly resolvConf: string;
  /** Its lines, such as `nameserver 10.0.0.1` and `search lan`; undefined if nothing is known of the host. */
  readonly resolverLines?: readonly string[];
  /** Free bytes of the file systems below Docker's root, `imageRoot`, /var/lib/kubelet, /var/lib/etcd and /etc. */
  readonly diskFreeBytes: Readonly<Record<string, number>>;
  /** Where Docker has images and containers' files, if that is on another file system than its root. */
  readonly imageRoot?: string;
  readonly readOnlyPaths: readonly string[];
  /** False in a network namespace that is not the first: kube-proxy must leave nf_conntrack_max alone. */
  readonly conntrackMaxWritable: boolean;
  /** Whether the kernel has IPVS, loaded or as a module. */
  readonly ipvs: boolean;
  /** Foreign CNI configuration files in /etc/cni/net.d. */
  readonly cniConfigurations: readonly string[];
  /** `kubelet --version` of the image: `v1.20.2`; empty if it has none. */
  readonly imageVersion: string;
  /** Programs of the image that matter to us -> path: `hyperkube`, `kubelet`, `etcd`, `cri-dockerd`, `pause`, … */
  readonly imagePrograms: Readonly<Record<string, string>>;
  /** Of the image's etcd: `3.4.23`. */
  readonly imageEtcdVersion?: string;
  /** Of the image's cri-dockerd: `0.4.3`; undefined also for one that was built without a version. */
  readonly imageCriDockerdVersion?: string;
  /** Of the image's CoreDNS: `1.14.2`. */
  readonly imageCorednsVersion?: string;
  /** Folder of CNI plugins inside the image; undefined if there are none. */
  readonly imageCniDir?: string;
  /** IPC of a container that requests none, by the daemon's `default-ipc-mode`: `private` or `shareable`. */
  readonly defaultIpcMode: string;
  /** Whether etcd data is there; of our own etcd, whether it has more than an empty database. */
  readonly etcdData: boolean;
  /** Values now of all that Kubernetes changes. Those before tsdeploy's first run: see `hostBefore.ts`. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Which of the paths that we and Kubernetes make are there. */
  readonly existingPaths: readonly string[];
  /**
   * Folders of Kubernetes, etcd and CNI that are symbolic links or lie below one, there or not; `target` is where they
   * lead in the end, also if that is missing.
   */
  readonly symlinks: readonly Symlink[];
  /**
   * Direct children, dot-files too, of /var/lib/kubelet, the folders that a kubelet makes in it, /var/lib/etcd and
   * /var/lib/cni/networks: absolute paths.
   */
  readonly entries: readonly string[];
  /** Mount points below /var/lib/kubelet, or below what it is a symbolic link to. */
  readonly mountsBelowKubelet: readonly string[];
}

/**
 * A file below /etc/kubernetes as it is on the host now. A symbolic link has its type in `mode` (0o120777) and its
 * target as `content`.
 */
export interface ExistingFile {
  readonly mode: number;
  readonly content: string;
}

/** All that a plan is made of, besides options and identity. */
export interface ObservedHost {
  readonly engine: EngineFacts;
  readonly host: HostFacts;
  readonly image: ImageDetails;
  /** Absolute host path -> file, for everything below /etc/kubernetes. */
  readonly files: ReadonlyMap<string, ExistingFile>;
}
