import type { VersionFeatures } from "../kubernetes/versions.js";

/** A program of the host's kind that a node's containers call, and Debian's package of it. */
interface HostTool {
  readonly program: string;
  readonly package: string;
  /** What a node lacks without it; undefined where nothing works without it. */
  readonly loss?: string;
  /** Only for this mode of kube-proxy. */
  readonly proxyMode?: VersionFeatures["proxyModes"][number];
}

/** What the kubelet, kube-proxy, cri-dockerd, CNI plugins and this program's own scripts run. */
const hostTools: readonly HostTool[] = [
  { program: "bash", package: "bash" },
  { program: "tar", package: "tar" },
  { program: "find", package: "findutils" },
  { program: "cmp", package: "diffutils" },
  { program: "sed", package: "sed" },
  { program: "mount", package: "mount" },
  { program: "umount", package: "mount" },
  { program: "nsenter", package: "util-linux" },
  { program: "socat", package: "socat" },
  { program: "iptables", package: "iptables" },
  { program: "iptables-save", package: "iptables" },
  { program: "iptables-restore", package: "iptables" },
  { program: "conntrack", package: "conntrack", loss: "old UDP connections stay with pods that are gone" },
  { program: "ip", package: "iproute2", loss: "the host's own ip is used" },
  { program: "ss", package: "iproute2", loss: "the host's own ss is used" },
  { program: "curl", package: "curl", loss: "pods of the control plane start before the API server is healthy" },
  { program: "openssl", package: "openssl", loss: "missing certificates are not made anew" },
  { program: "modprobe", package: "kmod", loss: "kernel modules have to be loaded on the host" },
  { program: "ipset", package: "ipset", loss: "kube-proxy cannot use ipvs", proxyMode: "ipvs" },
  { program: "ipvsadm", package: "ipvsadm", loss: "a teardown leaves what kube-proxy has in ipvs", proxyMode: "ipvs" },
  { program: "nft", package: "nftables", loss: "kube-proxy cannot use nftables", proxyMode: "nftables" },
  { program: "haproxy", package: "haproxy", loss: "a worker cannot reach several masters" },
  { program: "ethtool", package: "ethtool", loss: "some network plugins do not work" },
  { program: "ebtables", package: "ebtables", loss: "some network plugins do not work" },
  { program: "mkfs.ext4", package: "e2fsprogs", loss: "volumes are not formatted" },
  { program: "mount.nfs", package: "nfs-common", loss: "NFS volumes are not mounted" },
];

/** Those that a version of Kubernetes may use. */
export function hostToolsFor({ proxyModes }: VersionFeatures): readonly HostTool[] {
  return hostTools.filter(({ proxyMode }) => proxyMode === undefined || proxyModes.includes(proxyMode));
}

/** Packages of a base of our own choice, beside those of the tools. */
const morePackages = ["ca-certificates", "catatonit", "procps"] as const;

/** All that a bare Debian lacks, for any version. */
export function allPackages(): readonly string[] {
  return [...new Set([...hostTools.map((tool) => tool.package), ...morePackages])].sort();
}

/** The Dockerfile that adds packages to a Debian. */
export function packagesDockerfile(base: string, packages: readonly string[]): string {
  return [
    `FROM ${base}`,
    "RUN export DEBIAN_FRONTEND=noninteractive && \\",
    "    apt-get update && \\",
    `    apt-get install -y --no-install-recommends ${packages.join(" ")} && \\`,
    "    apt-get clean && \\",
    "    rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log",
    "",
  ].join("\n");
}
