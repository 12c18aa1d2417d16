import { isIPv4 } from "node:net";
import type { ForeignFile, Path } from "./foreignFile.js";
import {
  controlPlaneTaint,
  type ImportedCluster,
  type ImportedHost,
  kubernetesVersionOf,
  leftWithHints,
  said,
  sshEndpoint,
  sshHintFor,
  sshNote,
} from "./importedCluster.js";
import { isRestrictedLabel } from "../restrictedLabels.js";

const k0s: Path = ["spec", "k0s", "config", "spec"];

const hints: readonly (readonly [RegExp, string])[] = [
  sshHintFor(/^spec\.hosts\.(ssh|openSSH)\./),
  [/^spec\.hosts\.(winRM|os$)/, "Hosts have to run Linux, with Docker."],
  [/^spec\.hosts\.hooks/, "Nothing runs on a host but what tsdeploy makes: run these by yourself."],
  [/^spec\.hosts\.files/, "Nothing is copied to hosts: Docker's API is the only way to them."],
  [/^spec\.hosts\.environment/, "The proxy of image pulls is dockerd's own, on each host."],
  [/^spec\.hosts\.privateInterface/, "Write ip: the host's address there."],
  [/^spec\.hosts\.(uploadBinary|useExistingK0s|k0s|dataDir|kubeletRootDir|reset)/, "There is no k0s: an image has all programs."],
  [/^spec\.hosts\.installFlags/, "See nodeLabels, nodeTaints and extraArgs."],
  [/^spec\.options/, "`tsdeploy up --parallel N` says how many workers change at once."],
  [/^spec\.k0s\.config\.spec\.extensions/, "Write their objects into a folder, and name that by addons."],
  [/^spec\.k0s\.config\.spec\.images/, "`tsdeploy image list --needed` names the images; see registry and registryMirrors."],
  [/^spec\.k0s\.config\.spec\.storage/, "etcd runs on each master."],
];

/** Reads k0sctl's file (`pkg/apis/k0sctl.k0sproject.io/v1beta1` of k0sproject/k0sctl). */
export function importK0sctl(file: ForeignFile): ImportedCluster {
  const notes = [sshNote];
  for (const path of [["apiVersion"], ["kind"], [...k0s.slice(0, 3), "apiVersion"], [...k0s.slice(0, 3), "kind"]]) file.text(path);
  file.text([...k0s.slice(0, 3), "metadata", "name"]);
  const settings = said({
    clusterName: file.text(["metadata", "name"]),
    k8sVersion: versionOf(file, notes),
    ...networkOf(file, notes),
    apiserverSans: sansOf(file, notes),
    extraArgs: extraArgsOf(file),
  });
  const hosts = file.items(["spec", "hosts"]).flatMap((path) => hostOf(file, path, notes) ?? []);
  notes.push("k0s brings metrics-server: `tsdeploy addon enable metrics-server` on the master does.");
  return { from: "k0sctl", settings, hosts, offered: [], notes, left: leftWithHints(file, hints) };
}

function versionOf(file: ForeignFile, notes: string[]): string | undefined {
  const version = kubernetesVersionOf(file.text(["spec", "k0s", "version"]));
  if (version === undefined) notes.push("No version was named: k0sctl takes the newest; here it is tsdeploy's default.");
  return version;
}

function networkOf(file: ForeignFile, notes: string[]): object {
  const own = (...path: string[]): string | undefined => file.text([...k0s, "network", ...path]);
  const provider = own("provider") ?? "kuberouter";
  if (provider === "kuberouter") notes.push("kube-router has become flannel: NetworkPolicies have no effect.");
  else if (provider !== "custom") {
    notes.push(`The pod network ${provider} is left to you: install it when the master runs, or write flannel.`);
  }
  const isDual = file.flag([...k0s, "network", "dualStack", "enabled"]);
  const [pods6, services6] = ["IPv6podCIDR", "IPv6serviceCIDR"].map((key) => (isDual ? own("dualStack", key) : undefined));
  const both = (one: string | undefined, usual: string, other: string | undefined): string | undefined =>
    other === undefined ? one : `${one ?? usual},${other}`;
  return {
    podCidr: both(own("podCIDR"), "10.244.0.0/16", pods6),
    serviceCidr: both(own("serviceCIDR"), "10.96.0.0/12", services6),
    clusterDomain: own("clusterDomain"),
    network: provider === "kuberouter" ? "flannel" : "none",
    proxyMode: own("kubeProxy", "mode"),
  };
}

function sansOf(file: ForeignFile, notes: string[]): string[] {
  const external = file.text([...k0s, "api", "externalAddress"]);
  const [address, port] = ["address", "port"].map((key) => file.text([...k0s, "api", key]));
  if (port !== undefined && port !== "6443") file.leave([...k0s, "api", "port"]);
  if (external !== undefined) {
    notes.push(`The certificate is good for ${external}; nodes reach the master by its own address.`);
  }
  const all = [...file.texts([...k0s, "api", "sans"]), external, address].filter((name) => name !== undefined);
  return [...new Set(all)];
}

function extraArgsOf(file: ForeignFile): Record<string, Record<string, string>> {
  return said({
    apiserver: file.map([...k0s, "api", "extraArgs"]),
    "controller-manager": file.map([...k0s, "controllerManager", "extraArgs"]),
    scheduler: file.map([...k0s, "scheduler", "extraArgs"]),
    etcd: file.map([...k0s, "storage", "etcd", "extraArgs"]),
    proxy: file.map([...k0s, "network", "kubeProxy", "extraArgs"]),
  });
}

function hostOf(file: ForeignFile, path: Path, notes: string[]): ImportedHost | undefined {
  const own = (...key: string[]): string | undefined => file.text([...path, ...key]);
  const flags = installFlagsOf(file, [...path, "installFlags"]);
  const written = own("role") ?? "";
  const role = flags.isSingle ? "single" : flags.isWorkerToo ? "controller+worker" : written;
  const dockerHost = endpointOf(file, path);
  if (dockerHost === undefined) {
    notes.push(`${file.place(path, false)}: this host is left out: it is not reached by ssh.`);
    return undefined;
  }
  const hasNoTaints = file.flag([...path, "noTaints"]) || flags.hasNoTaints;
  const isTainted = role === "controller" || (role === "controller+worker" && !hasNoTaints);
  const ip = own("privateAddress");
  return said({
    role: role === "worker" ? ("worker" as const) : ("master" as const),
    dockerHost,
    nodeName: own("hostname"),
    ip: ip !== undefined && isIPv4(ip) ? ip : undefined,
    nodeLabels: flags.labels,
    nodeTaints: [...flags.taints, ...(isTainted ? [controlPlaneTaint] : [])],
    extraArgs: said({ kubelet: flags.kubelet }),
  }) as ImportedHost;
}

function endpointOf(file: ForeignFile, path: Path): string | undefined {
  if (file.flag([...path, "localhost", "enabled"])) return "unix:///var/run/docker.sock";
  for (const way of ["ssh", "openSSH"]) {
    const [address, user, port] = ["address", "user", "port"].map((key) => file.text([...path, way, key]));
    // k0sctl's own default; OpenSSH's is the person's configuration's.
    const name = user ?? (way === "ssh" ? "root" : undefined);
    if (address !== undefined) return sshEndpoint({ address, user: name, port });
  }
  return undefined;
}

interface InstallFlags {
  isSingle: boolean;
  isWorkerToo: boolean;
  hasNoTaints: boolean;
  labels: Record<string, string>;
  taints: string[];
  kubelet: Record<string, string>;
}

/** What `k0s install` would have been told. */
function installFlagsOf(file: ForeignFile, path: Path): InstallFlags {
  const isNot = { isSingle: false, isWorkerToo: false, hasNoTaints: false };
  const found: InstallFlags = { ...isNot, labels: {}, taints: [], kubelet: {} };
  for (const at of file.items(path)) {
    const [, flag, raw = "true"] = /^(--[\w-]+)(?:[= ](.*))?$/s.exec(file.text(at) ?? "") ?? [];
    const value = raw.replace(/^(['"])(.*)\1$/s, "$2");
    if (flag === "--single") found.isSingle = value !== "false";
    else if (flag === "--enable-worker") found.isWorkerToo = value !== "false";
    else if (flag === "--no-taints") found.hasNoTaints = value !== "false";
    else if (flag === "--labels" && readLabels(value, found.labels)) continue;
    else if (flag === "--taints") found.taints.push(...value.split(","));
    else if (flag === "--kubelet-extra-args" && readFlags(value, found.kubelet)) continue;
    else file.leave(at);
  }
  return found;
}

function readLabels(text: string, labels: Record<string, string>): boolean {
  const pairs = text.split(",").map((pair) => pair.split("="));
  if (!pairs.every(([key = "", value]) => value !== undefined && !isRestrictedLabel(key))) return false;
  for (const [key = "", value = ""] of pairs) labels[key] = value;
  return true;
}

/** `--v=3 --max-pods=50`; what is quoted inside is left. */
function readFlags(text: string, flags: Record<string, string>): boolean {
  const words = text.trim().split(/\s+/).map((word) => /^--([\w-]+)=([^'"]*)$/.exec(word));
  if (words.some((word) => word === null)) return false;
  for (const word of words) flags[word?.[1] ?? ""] = word?.[2] ?? "";
  return true;
}
