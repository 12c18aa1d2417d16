import type { HostBefore } from "../host/hostBefore.js";
import { bridgeName, cniConfigFiles, criSocket, paths, podNetworkName } from "../model/hostLayout.js";
import type { CleanupScope } from "../model/teardownPlan.js";

/** What may stay for a later `master`. */
export interface Kept {
  /** PKI, accepted options, and the record of what the host was like. */
  readonly identity: boolean;
  readonly etcdData: boolean;
}

/** Files that a run of `master` or `worker` writes again. */
const madeAgain = [
  ...["master-multi.json", "kube-proxy.json", "addon-manager.json", "node-ipam.json"].map((name) => `${paths.manifests}/${name}`),
  paths.scripts,
  paths.addons,
  paths.adminConf,
  paths.kubeletConf,
  paths.bootstrapKubeletConf,
  paths.proxyConf,
  paths.controllerManagerConf,
  paths.schedulerConf,
  paths.addonManagerConf,
  paths.kubeletConfig,
  paths.proxyConfig,
  paths.schedulerConfig,
  ...cniConfigFiles,
  "/run/dockershim.sock",
];

const xtablesLock = "/run/xtables.lock";

/** What makes the cluster the same one again. */
export const identityPaths: readonly string[] = [paths.pki, paths.options, paths.hostBefore];

/** Folders of the kubelet and its container runtime interface. */
const state = [paths.kubeletRoot, "/var/lib/dockershim", paths.criRoot];

/** Those of cri-dockerd, which other people run as well: not ours if they were there. */
const criPaths = [criSocket, `${paths.criRoot}/*`, `${paths.criRoot}/.[!.]*`];

/** Folders that Docker makes because they are bound into a container, and others that Kubernetes makes. */
const folders = [
  paths.manifests,
  paths.kubernetes,
  paths.cniConf,
  "/etc/cni",
  paths.cniBin,
  "/opt/cni",
  "/opt",
  ...["networks", "results", "cache/results", "cache", ""].map((name) => `${paths.cniState}/${name}`.replace(/\/$/, "")),
  ...state,
  paths.etcd,
  "/var/log/containers",
  "/var/log/pods",
  "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
  "/usr/libexec/kubernetes/kubelet-plugins/volume",
  "/usr/libexec/kubernetes/kubelet-plugins",
  "/usr/libexec/kubernetes",
  "/lib/modules",
  ...["/home", "/media", "/mnt", "/srv"],
];

/** Made by CNI plugins and kube-proxy; what is plugged into a bridge goes with it. */
const links = [bridgeName, "kube-ipvs0", "kube-dummy-if", "kube-bridge", "nodelocaldns", "cbr0"];

/** What to look for on the host, and remove but for what is kept. Without a record, nothing is put back. */
export function cleanupScope(before: HostBefore | undefined, kept: Kept): CleanupScope {
  const wasThere = (path: string): boolean =>
    before === undefined || before.paths.includes(path) || before.paths.some((other) => other.startsWith(`${path}/`));
  const contents = (folder: string): string[] => [`${folder}/*`, `${folder}/.[!.]*`];
  return {
    network: podNetworkName,
    iptablesBefore: before?.iptables ?? [],
    sysctls: before?.sysctls ?? {},
    paths: [
      ...madeAgain,
      // A lock between iptables programs: made by the first that runs, and not ours if it was there.
      ...(wasThere(xtablesLock) ? [] : [xtablesLock]),
      ...[paths.kubeletRoot, "/var/lib/dockershim"].flatMap(contents),
      ...(before?.paths.some((path) => path === criSocket || path === paths.criRoot) ? [] : criPaths),
      // Other container runtimes' networks have their files here as well.
      `${paths.cniState}/networks/${podNetworkName}`,
      ...["results", "cache/results"].flatMap((folder) =>
        [podNetworkName, "cni-loopback"].map((network) => `${paths.cniState}/${folder}/${network}-*`),
      ),
      ...(kept.identity ? [] : identityPaths),
      ...(kept.etcdData ? [] : contents(paths.etcd)),
    ],
    emptyFolders: folders.filter((folder) => !wasThere(folder) || folder === paths.manifests),
    links: links.filter((link) => !(before?.links ?? []).includes(link)),
  };
}
