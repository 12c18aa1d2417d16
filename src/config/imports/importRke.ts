import { isIPv4 } from "node:net";
import type { ForeignFile, Path } from "./foreignFile.js";
import {
  controlPlaneTaint,
  type ImportedCluster,
  type ImportedHost,
  kubernetesVersionOf,
  labelHint,
  leftWithHints,
  ownLabels,
  said,
  sshEndpoint,
  sshHintFor,
  sshNote,
} from "./importedCluster.js";

/** RKE's name of a service -> ours of the component. */
const components = {
  etcd: "etcd",
  "kube-api": "apiserver",
  "kube-controller": "controller-manager",
  scheduler: "scheduler",
  kubelet: "kubelet",
  kubeproxy: "proxy",
} as const;

const hints: readonly (readonly [RegExp, string])[] = [
  sshHintFor(/^(nodes\.|bastion_host\.)?ssh_(key|cert|agent)/),
  sshHintFor(/^bastion_host/),
  [/^nodes\.labels\./, labelHint],
  [/^nodes\.role/, "Each master has an etcd; there is none on other hosts."],
  [/^private_registries/, "Log in with `docker login` where you run tsdeploy: it takes the credentials from there."],
  [/^system_images/, "`tsdeploy image list --needed` names the images that tsdeploy takes; see image and registryMirrors."],
  [/^upgrade_strategy/, "`tsdeploy up --parallel N` says how many workers change at once."],
  [/^ingress/, "Write the ingress controller's objects into a folder, and name that by addons."],
  [/^addons/, "Write them into a folder, and name that by addons."],
  [/^services\.etcd\.(snapshot|retention|creation|backup_config)/, "Have a job of your own make snapshots."],
  [/^services\.kubelet\.cluster_dns_server/, "DNS has the tenth address of serviceCidr."],
  [/^services\.kube-api\.always_pull_images/, "It is the admission plugin AlwaysPullImages: extraArgs of the apiserver, enable-admission-plugins."],
  [/extra_args_array/, "extraArgs gives each flag once."],
  [/extra_(binds|env)/, "patches can add volumes and variables to what runs."],
  [/^cloud_provider/, "Give the components' flags by extraArgs, or bring the provider's own controller."],
];

/** Reads RKE's `cluster.yml` (`types/rke_types.go` of rancher/rke). */
export function importRke(file: ForeignFile): ImportedCluster {
  const notes = [sshNote];
  const settings = said({
    clusterName: file.text(["cluster_name"]),
    k8sVersion: versionOf(file, notes),
    ...addressesOf(file, notes),
    ...networkOf(file, notes),
    dns: dnsOf(file, notes),
    apiserverSans: file.texts(["authentication", "sans"]),
    extraArgs: extraArgsOf(file),
  });
  acceptUsual(file);
  const offered = registryOf(file);
  const hosts = file.items(["nodes"]).flatMap((path) => hostOf(file, path, notes) ?? []);
  if (!hosts.every(({ nodeName }) => nodeName !== undefined)) {
    notes.push("RKE names a node by its address where hostname_override is missing; here it is the host's own name.");
  }
  addonNotes(file, notes);
  return { from: "RKE", settings, hosts, offered, notes, left: leftWithHints(file, hints) };
}

function versionOf(file: ForeignFile, notes: string[]): string | undefined {
  const said = file.text(["kubernetes_version"]);
  // RKE itself lets the image decide. It is not taken: the images are one thing to a person.
  const image = file.at(["system_images", "kubernetes"]);
  const tag = typeof image === "string" ? image.split(":").at(-1) : undefined;
  const version = kubernetesVersionOf(tag) ?? kubernetesVersionOf(said);
  if (version === undefined) notes.push("No version was named: RKE takes its release's own; here it is tsdeploy's default.");
  return version;
}

function addressesOf(file: ForeignFile, notes: string[]): object {
  const [serviceCidr, other] = (["kube-api", "kube-controller"] as const).map((service) =>
    file.text(["services", service, "service_cluster_ip_range"]),
  );
  if (serviceCidr !== undefined && other !== undefined && serviceCidr !== other) {
    notes.push("kube-api and kube-controller had two ranges of Service addresses: kube-api's was taken.");
  }
  return {
    podCidr: file.text(["services", "kube-controller", "cluster_cidr"]),
    serviceCidr: serviceCidr ?? other,
    clusterDomain: file.text(["services", "kubelet", "cluster_domain"]),
  };
}

function networkOf(file: ForeignFile, notes: string[]): object {
  const plugin = file.text(["network", "plugin"]) ?? "canal";
  if (plugin !== "flannel" && plugin !== "canal") {
    if (plugin !== "none") notes.push(`The pod network ${plugin} is left to you: install it when the master runs, or write flannel.`);
    return { network: "none" };
  }
  if (plugin === "canal") notes.push("canal has become flannel: NetworkPolicies have no effect.");
  const option = (name: string): string | undefined => file.text(["network", "options", `${plugin}_${name}`]);
  const provider = file.text(["network", `${plugin}_network_provider`, "iface"]);
  const mtu = file.text(["network", "mtu"]);
  return {
    network: "flannel",
    networkBackend: option(plugin === "canal" ? "flannel_backend_type" : "backend_type"),
    networkMtu: mtu,
    networkInterface: option("iface") ?? provider,
  };
}

function dnsOf(file: ForeignFile, notes: string[]): false | undefined {
  const provider = file.text(["dns", "provider"]);
  if (provider === "kube-dns") notes.push("kube-dns has become CoreDNS.");
  return provider === "none" ? false : undefined;
}

function extraArgsOf(file: ForeignFile): Record<string, Record<string, string>> {
  const nodePorts = file.text(["services", "kube-api", "service_node_port_range"]);
  const args = Object.entries(components).map(([service, component]): [string, Record<string, string>] => {
    const ports = component === "apiserver" && nodePorts !== undefined ? { "service-node-port-range": nodePorts } : {};
    return [component, { ...ports, ...file.map(["services", service, "extra_args"]) }];
  });
  return said(Object.fromEntries(args)) as Record<string, Record<string, string>>;
}

/** What is here as it was there, so that nobody needs to be told. */
function acceptUsual(file: ForeignFile): void {
  const usual: readonly (readonly [Path, RegExp])[] = [
    [["authentication", "strategy"], /^x509$/],
    [["authorization", "mode"], /^rbac$/],
    [["services", "kubelet", "fail_swap_on"], /^true$/],
    [["ignore_docker_version"], /./],
    [["enable_cri_dockerd"], /./],
    [["addon_job_timeout"], /./],
    [["network", "enable_br_netfilter"], /^true$/],
  ];
  for (const [path, pattern] of usual) {
    const text = file.text(path);
    if (text !== undefined && !pattern.test(text)) file.leave(path);
  }
}

/** The registry that all of RKE's images come from: it may have ours, or not. */
function registryOf(file: ForeignFile): string[] {
  return file.items(["private_registries"]).flatMap((path) => {
    const isDefault = file.flag([...path, "is_default"]);
    const url = isDefault ? file.text([...path, "url"]) : undefined;
    // Some are written with their credentials.
    if (url === undefined || url.includes("@")) return [];
    return [
      "RKE took all images from this registry. If it has those of `tsdeploy image list --needed`, turn this on:",
      `registry: ${url.replace(/^https?:\/\//, "").replace(/\/+$/, "")}`,
    ];
  });
}

function hostOf(file: ForeignFile, path: Path, notes: string[]): ImportedHost | undefined {
  const own = (key: string): string | undefined => file.text([...path, key]);
  const roles = file.texts([...path, "role"]);
  const isMaster = roles.includes("controlplane");
  const place = file.place(path, false);
  if (!isMaster && !roles.includes("worker")) {
    notes.push(`${place}: this host is left out: it has neither of the roles controlplane and worker.`);
  } else if (!isMaster && roles.includes("etcd")) {
    notes.push(`${place}: this host's etcd is left out: each master has one.`);
  }
  const [address, internal] = [own("address"), own("internal_address")];
  if (!isMaster && !roles.includes("worker")) {
    for (const key of ["user", "port", "docker_socket", "hostname_override"]) own(key);
    return undefined;
  }
  const taints = file.items([...path, "taints"]).map((taint) => taintOf(file, taint));
  if (isMaster && !roles.includes("worker")) taints.push(controlPlaneTaint);
  const ip = internal ?? address;
  return said({
    role: isMaster ? ("master" as const) : ("worker" as const),
    dockerHost: sshEndpoint({ address, user: own("user"), port: own("port"), socket: own("docker_socket") }),
    nodeName: own("hostname_override"),
    ip: ip !== undefined && isIPv4(ip) ? ip : undefined,
    nodeLabels: ownLabels(file, [...path, "labels"]),
    nodeTaints: taints,
  }) as ImportedHost;
}

function taintOf(file: ForeignFile, path: Path): string {
  const [key = "", value, effect = ""] = ["key", "value", "effect"].map((name) => file.text([...path, name]));
  return `${key}${value === undefined ? "" : `=${value}`}:${effect}`;
}

/** What RKE brings unless it is told not to. */
function addonNotes(file: ForeignFile, notes: string[]): void {
  const monitoring = file.text(["monitoring", "provider"]) ?? "metrics-server";
  if (monitoring === "metrics-server") {
    notes.push("RKE brings metrics-server: `tsdeploy addon enable metrics-server` on the master does.");
  }
  const ingress = file.at(["ingress", "provider"]);
  if (ingress === undefined || ingress === "") notes.push("RKE brings an nginx ingress controller; tsdeploy has none.");
  else if (ingress === "none") file.text(["ingress", "provider"]);
}
