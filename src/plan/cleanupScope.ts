import { isMasterOptions } from "../config/acceptedOptions.js";
import { type HostBefore, parseHostBefore } from "../host/hostBefore.js";
import { parseWrittenFiles, type WrittenFiles } from "../host/writtenFiles.js";
import type { CleanupScope } from "../model/cleanupScope.js";
import type { ExistingFile } from "../model/hostFacts.js";
import {
  bridgeName,
  criSocket,
  etcdCopy,
  etcdMember,
  etcdScrap,
  kubeletFolders,
  nodeFiles,
  paths,
  podNetworkName,
} from "../model/hostLayout.js";
import { sha256 } from "../model/specDigest.js";
import { podNetworks } from "../network/podNetworks.js";

/** By what is shown on a host which of its files are ours. */
export interface Ownership {
  /** Undefined: no run of ours has changed this host, or its record cannot be read. */
  readonly before: HostBefore | undefined;
  readonly written: WrittenFiles;
  /** Those of the host below /etc/kubernetes, as they are now. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  /** A master's data is etcd's; to a worker, whatever lies in its folder is somebody else's. */
  readonly isMaster: boolean;
}

/** What may stay for a later `master`. */
export interface Kept {
  /** PKI, accepted options, and the records of what the host was like and of what was written. */
  readonly identity: boolean;
  readonly etcdData: boolean;
}

/** Reads the records on a host. */
export function ownershipOf(files: ReadonlyMap<string, ExistingFile>): Ownership {
  const text = (path: string): string | undefined => files.get(path)?.content;
  return {
    before: parseHostBefore(text(paths.hostBefore)),
    written: parseWrittenFiles(text(paths.writtenFiles)),
    files,
    isMaster: isMasterOptions(text(paths.options)),
  };
}

const xtablesLock = "/run/xtables.lock";

/** By which a teardown knows what is ours, so that they are removed when all the rest is gone. */
const recordPaths: readonly string[] = [paths.options, paths.writtenFiles, paths.hostBefore];

/** What makes the cluster the same one again. */
export const identityPaths: readonly string[] = [paths.pki, ...recordPaths];

/** Folders of the kubelet and its container runtime interface. */
const state = [paths.kubeletRoot, "/var/lib/dockershim", paths.criRoot];

/** Those of cri-dockerd, which other people run as well: not ours if they were there. */
const criPaths = [criSocket, `${paths.criRoot}/*`, `${paths.criRoot}/.[!.]*`];

/** Folders that Docker makes because they are bound into a container, and others that Kubernetes makes. */
const folders = [
  paths.manifests,
  paths.addons,
  paths.masters,
  `${paths.pki}/etcd`,
  paths.pki,
  paths.scripts,
  paths.kubernetes,
  paths.cniConf,
  "/etc/cni",
  paths.cniBin,
  "/opt/cni",
  "/opt",
  ...["networks", "results", "cache/results", "cache", ""].map((name) => `${paths.cniState}/${name}`.replace(/\/$/, "")),
  ...state,
  "/var/log/containers",
  "/var/log/pods",
  "/usr/libexec/kubernetes/kubelet-plugins/volume/exec",
  "/usr/libexec/kubernetes/kubelet-plugins/volume",
  "/usr/libexec/kubernetes/kubelet-plugins",
  "/usr/libexec/kubernetes",
  "/lib/modules",
  ...["/home", "/media", "/mnt", "/srv"],
];

const networks = Object.values(podNetworks);

/** Made by CNI plugins, kube-proxy and pod networks; what is plugged into a bridge is removed with it. */
const links = [
  ...[bridgeName, "kube-ipvs0", "kube-dummy-if", "kube-bridge", "nodelocaldns", "cbr0"],
  ...networks.flatMap(({ traces }) => traces.links),
];

/** What to look for on the host, and remove but for what is kept. Without a record of before, nothing is put back. */
export function cleanupScope(ownership: Ownership, kept: Kept): CleanupScope {
  const { before, isMaster } = ownership;
  const wasThere = (path: string): boolean =>
    before === undefined ||
    [...before.paths, ...before.files].some((other) => other === path || other.startsWith(`${path}/`));
  const contents = (folder: string): string[] => [`${folder}/*`, `${folder}/.[!.]*`];
  return {
    network: podNetworkName,
    before: [...(before?.iptables ?? []), ...(before?.kubeProxy ?? []), ...(before?.routes ?? [])],
    sysctls: before?.sysctls ?? {},
    paths: [
      ...[...nodeFiles, "/run/dockershim.sock"].flatMap((path) => oursBelow(path, ownership)),
      ...writtenAddons(ownership),
      // A lock between iptables programs: made by the first that runs, and not ours if it was there.
      ...(wasThere(xtablesLock) ? [] : [xtablesLock]),
      ...networks.flatMap(({ traces }) => traces.paths).filter((path) => !wasThere(path)),
      ...[paths.kubeletRoot, ...kubeletFolders.filter((path) => before?.entries.includes(path))].flatMap(contents),
      ...(before?.paths.includes("/var/lib/dockershim") === true ? [] : contents("/var/lib/dockershim")),
      ...(before?.paths.some((path) => path === criSocket || path === paths.criRoot) === true ? [] : criPaths),
      // Other container runtimes' networks have their files here as well.
      `${paths.cniState}/networks/${podNetworkName}`,
      ...["results", "cache/results"].flatMap((folder) =>
        [podNetworkName, "cni-loopback"].map((network) => `${paths.cniState}/${folder}/${network}-*`),
      ),
      ...(kept.identity ? [] : oursBelow(paths.pki, ownership)),
      ...(isMaster ? (kept.etcdData ? [etcdScrap] : [etcdMember, `${etcdCopy}*`]) : []),
    ],
    records: kept.identity ? [] : recordPaths.flatMap((path) => oursBelow(path, ownership)),
    keeps: before?.entries ?? [],
    emptyFolders: [...folders, ...(isMaster ? [paths.etcd] : [])].filter(
      (folder) => !wasThere(folder) || (folder === paths.manifests && before === undefined),
    ),
    links: links.filter((link) => !(before?.links ?? []).includes(link)),
    // Without a record of before nothing shows which are ours.
    routes: before ? networks.flatMap((network) => network.routedNetworks(ownership.files)) : [],
  };
}

/** A file or folder of ours; of a folder that was there before, those of its files that have come since. */
function oursBelow(path: string, { before, files }: Ownership): string[] {
  const isBelow = (file: string): boolean => file === path || file.startsWith(`${path}/`);
  const others = new Set([...(before?.files ?? []), ...(before?.paths ?? [])].filter(isBelow));
  return others.size === 0 ? [path] : [...files.keys()].filter((file) => isBelow(file) && !others.has(file));
}

/** People put add-ons of their own beside ours: ours are those that are as we wrote them. */
function writtenAddons({ before, written, files }: Ownership): string[] {
  return Object.entries(written).flatMap(([path, digests]) => {
    const now = files.get(path);
    const isOurs = now !== undefined && digests.includes(sha256(now.content)) && before?.files.includes(path) !== true;
    return path.startsWith(`${paths.addons}/`) && isOurs ? [path] : [];
  });
}
