import { defaultVersion } from "../kubernetes/defaultVersion.js";
import { addonNames } from "../model/addonNames.js";
import { networkBackends, networkNames } from "../model/podNetwork.js";

/** The verbs, as a person types them. */
export type CommandName =
  | "master"
  | "worker"
  | "teardown"
  | "up"
  | "down"
  | "upgrade plan"
  | "upgrade apply"
  | "status"
  | "kubeconfig"
  | "token create"
  | "token list"
  | "token revoke"
  | "member list"
  | "member remove"
  | "addon list"
  | "addon enable"
  | "addon disable"
  | "logs"
  | "exec"
  | "config import"
  | "config print"
  | "config validate"
  | "image build"
  | "image list"
  | "image save"
  | "image load"
  | "image copy"
  | "versions";

/** What a value has to look like; `readers.ts` has one reader for each. */
export type OptionType =
  | "boolean"
  | "text"
  | "choice"
  | "choices"
  | "count"
  | "mtu"
  | "maskSizes"
  | "interface"
  | "duration"
  | "ranges"
  | "addresses"
  | "apiserver"
  | "dockerHost"
  | "nodeName"
  | "clusterName"
  | "domain"
  | "version"
  | "image"
  | "registry"
  | "registryMirrors"
  | "url"
  | "names"
  | "labels"
  | "taints"
  | "extraArgs"
  | "path"
  | "folder"
  | "patches"
  | "addons"
  | "optionalPath"
  | "component"
  | "secret"
  | "tokenId"
  | "hosts"
  | "words";

/** One option. Flag, variable, YAML key, help, documentation and completion are made from this. */
export interface OptionRow {
  /** Key of the YAML file; also the property of the options, where durations get `Ms` behind it. */
  readonly key: string;
  /** Such as `--k8s-version`; undefined for a positional argument. */
  readonly flag?: string;
  /** Such as `-H`. */
  readonly short?: string;
  /** What a value is called in help; undefined for those that take none. */
  readonly argument?: string;
  /** For a positional argument: whether it may be left out. */
  readonly optional?: boolean;
  readonly type: OptionType;
  readonly choices?: readonly string[];
  /** A duration that something is waited for, which has to be shorter than a timer can be. */
  readonly isWait?: true;
  /** Whether there is a `--no-…` as well. */
  readonly hasNegative?: true;
  readonly description: string;
  /** As a person would write it. */
  readonly default?: string;
  /** Where the value comes from if nobody gives it and there is no fixed default; for documentation. */
  readonly otherwise?: string;
  readonly commands: readonly CommandName[];
  readonly group: "Cluster" | "Node" | "Run" | "Global";
  /** Undefined: `TSDEPLOY_` and the key in capitals. */
  readonly variable?: string;
  /** False for what belongs to one run and not into a file. */
  readonly inFile: boolean;
  /** What is read is not shown, not even in an error. */
  readonly secret?: boolean;
}

const everywhere: readonly CommandName[] = [
  "master",
  "worker",
  "teardown",
  "up",
  "down",
  "upgrade plan",
  "upgrade apply",
  "status",
  "kubeconfig",
  "token create",
  "token list",
  "token revoke",
  "member list",
  "member remove",
  "addon list",
  "addon enable",
  "addon disable",
  "logs",
  "exec",
  "config import",
  "config print",
  "config validate",
  "image build",
  "image list",
  "image save",
  "image load",
  "image copy",
  "versions",
];
const onMaster: readonly CommandName[] = ["master"];
const onNodes: readonly CommandName[] = ["master", "worker"];
/** Those that change hosts. */
const onHosts: readonly CommandName[] = [...onNodes, "teardown", "up", "down"];
const onUpgrades: readonly CommandName[] = ["upgrade plan", "upgrade apply"];
const onAddons: readonly CommandName[] = ["addon enable", "addon disable"];
/** Those that list or bring what a cluster needs. */
const onImageSets: readonly CommandName[] = ["image list", "image save", "image copy"];
const onImages: readonly CommandName[] = [...onNodes, "image build", ...onImageSets];

/** Every option there is, in the order in which help shows them. */
export const optionTable: readonly OptionRow[] = [
  {
    key: "master",
    flag: "--master",
    argument: "ADDRESS",
    type: "apiserver",
    description: "where the master is: its address or name, with `:port` if that is not 6443; required",
    commands: ["worker"],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "join",
    flag: "--join",
    argument: "ADDRESS",
    type: "apiserver",
    description:
      "make this host a further master of the cluster that has a master at ADDRESS, with `:port` if that is not 6443; " +
      "`tsdeploy token create --role master` there prints the whole line",
    commands: onMaster,
    group: "Cluster",
    inFile: false,
  },
  {
    key: "severalMasters",
    flag: "--several-masters",
    type: "boolean",
    description:
      "the cluster can have further masters: etcd listens to its peers, leaders are elected, and nodes reach any master " +
      "that lives; of Kubernetes v1.11 and etcd 3.4 or later, and not to be taken back",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "controlPlaneEndpoint",
    flag: "--control-plane-endpoint",
    argument: "ADDRESS",
    type: "apiserver",
    description:
      "name or address that you have pointed at the masters (a load balancer of yours, a virtual address, a DNS name), " +
      "with `:port` if that is not 6443: certificates are for it, and nodes and kubeconfigs reach the cluster by it",
    otherwise: "nodes go to the master, or of several to any by a program of their own",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "token",
    flag: "--token",
    argument: "TOKEN",
    type: "secret",
    description: "join token, as the master prints it; with `master --join` a token for masters",
    otherwise: "for a worker the one that `master` saved for this operator; else requested on a terminal",
    commands: ["worker", "master"],
    group: "Cluster",
    inFile: false,
    secret: true,
  },
  {
    key: "tokenFile",
    flag: "--token-file",
    argument: "FILE",
    type: "path",
    description: "file to read the join token from; `-` is standard input",
    commands: ["worker", "master"],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "clusterName",
    flag: "--cluster-name",
    argument: "NAME",
    type: "clusterName",
    description: "name of the cluster: in labels, certificates and the context of your kubeconfig",
    default: "tsdeploy",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "k8sVersion",
    flag: "--k8s-version",
    argument: "VERSION",
    type: "version",
    description: "version of Kubernetes",
    otherwise: `that of --image; the cluster's; ${defaultVersion} for a new one`,
    commands: onNodes,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "k8sVersion",
    flag: "--k8s-version",
    argument: "VERSION",
    type: "version",
    description: "version of Kubernetes",
    default: defaultVersion,
    commands: ["image build"],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "k8sVersion",
    flag: "--k8s-version",
    argument: "VERSION",
    type: "version",
    description: "version of Kubernetes",
    otherwise: `that of --image; ${defaultVersion} without one`,
    commands: onImageSets,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "image",
    flag: "--image",
    argument: "IMAGE",
    type: "image",
    description: "hyperkube image that everything runs from",
    otherwise:
      "one here of that version, `hyperkube:VERSION` of the registry, the published one of v1.3 to v1.18, else built; " +
      "workers follow the master",
    commands: [...onNodes, ...onImageSets],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "registry",
    flag: "--registry",
    argument: "REGISTRY",
    type: "registry",
    description:
      "where all images come from, such as registry.example.com/kubernetes: each by the last part of its name, so " +
      "`coredns/coredns` is REGISTRY/coredns; for a registry that keeps the paths take --registry-mirror",
    otherwise: "the projects' own registries; workers follow the master",
    commands: [...onNodes, ...onImageSets],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "registryMirrors",
    flag: "--registry-mirror",
    argument: "REGISTRY=MIRROR",
    type: "registryMirrors",
    description:
      "registry to pull from in place of another, such as registry.k8s.io=mirror.example.com:5000/k8s; repeatable",
    commands: onImages,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "mirror",
    flag: "--mirror",
    argument: "URL",
    type: "url",
    description:
      "server of release files, for an image that is built: https://dl.k8s.io/PATH is URL/dl.k8s.io/PATH there",
    otherwise: "the projects' own servers",
    commands: onImages,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "podCidr",
    flag: "--pod-cidr",
    argument: "CIDR",
    type: "ranges",
    description: "addresses of pods; each node gets a part. With dual stack (v1.20 on) a range of IPv4, a comma, one of IPv6",
    default: "10.244.0.0/16",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "nodeCidrMaskSize",
    flag: "--node-cidr-mask-size",
    argument: "BITS",
    type: "maskSizes",
    description:
      "prefix length of each node's part of --pod-cidr: 26 has room for 61 pods. With dual stack another one for IPv6 after a comma",
    otherwise: "24, and 64 for IPv6, if the range has room for several such",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "serviceCidr",
    flag: "--service-cidr",
    argument: "CIDR",
    type: "ranges",
    description: "addresses of Services; the first is the API's, the tenth that of DNS. Two ranges with dual stack",
    default: "10.96.0.0/12",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "clusterDomain",
    flag: "--cluster-domain",
    argument: "DOMAIN",
    type: "domain",
    description: "DNS domain of Services",
    default: "cluster.local",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "network",
    flag: "--network",
    argument: "NAME",
    type: "choice",
    choices: networkNames,
    description:
      "pod network: `flannel`; `bridge`, where your own network has routes to each node's pods; `none` is left to you",
    default: "flannel",
    commands: [...onMaster, ...onImageSets],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "networkBackend",
    flag: "--network-backend",
    argument: "NAME",
    type: "choice",
    choices: networkBackends,
    description:
      "how flannel brings packets to other nodes: `vxlan`; `host-gw` by routes, within one Ethernet; `wireguard` " +
      "encrypted; `udp`, slow, where the kernel has none of these (amd64)",
    default: "vxlan",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "networkMtu",
    flag: "--network-mtu",
    argument: "BYTES",
    type: "mtu",
    description: "largest packet of a pod",
    otherwise: "what each node's interface leaves",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "networkDirectRouting",
    flag: "--network-direct-routing",
    type: "boolean",
    hasNegative: true,
    description:
      "with `vxlan`, nodes on one Ethernet reach each other's pods by routes, as with `host-gw`, and only others by " +
      "vxlan; `--no-network-direct-routing` ends that",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "proxyMode",
    flag: "--proxy-mode",
    argument: "MODE",
    type: "choice",
    choices: ["iptables", "ipvs", "nftables"],
    description: "how kube-proxy gets Services' traffic to their pods",
    default: "iptables",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "insecureApi",
    flag: "--insecure-api",
    type: "boolean",
    description:
      "open the API to everybody, without TLS, on port 8080: of versions before v1.20, and never in earnest; " +
      "`--no-insecure-api` closes it again",
    hasNegative: true,
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "dns",
    flag: "--dns",
    type: "boolean",
    hasNegative: true,
    description: "names of Services and pods by CoreDNS; `--no-dns` leaves DNS to you, and takes CoreDNS away",
    default: "true",
    commands: [...onMaster, ...onImageSets],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "addons",
    flag: "--addons",
    argument: "DIR",
    type: "addons",
    description: "folder of objects of your own, YAML or JSON, that the cluster is kept to; what leaves it is removed",
    commands: [...onMaster, ...onImageSets],
    group: "Cluster",
    inFile: true,
  },
  {
    key: "enabledAddons",
    flag: "--addon",
    argument: "NAME",
    type: "choices",
    choices: addonNames.filter((name) => name !== "coredns"),
    description: "add-on that is to be turned on in the cluster, so that its image is needed, too; repeatable",
    commands: onImageSets,
    group: "Cluster",
    inFile: false,
  },
  {
    key: "apiserverSans",
    flag: "--apiserver-san",
    argument: "NAME",
    type: "names",
    description: "further name or address that the API server's certificate is for; repeatable",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "tokenTtl",
    flag: "--token-ttl",
    argument: "DURATION",
    type: "duration",
    description: "how long the join token that is printed can be used",
    default: "24h",
    commands: onMaster,
    group: "Cluster",
    inFile: true,
  },
  {
    key: "ip",
    flag: "--ip",
    argument: "ADDRESS",
    type: "addresses",
    description: "the node's own IPv4 address; with dual stack a comma and its IPv6 address, which may be left out",
    otherwise: "that of the default route's interface",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "networkInterface",
    flag: "--network-interface",
    argument: "NAME",
    type: "interface",
    description: "network interface by which this node's pods reach those of other nodes",
    otherwise: "that with the node's address",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "nodeName",
    flag: "--node-name",
    argument: "NAME",
    type: "nodeName",
    description: "what the node is called",
    otherwise: "the host's name in lower case",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "nodeLabels",
    flag: "--node-label",
    argument: "KEY=VALUE",
    type: "labels",
    description: "label of the node when it registers; repeatable",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "nodeTaints",
    flag: "--node-taint",
    argument: "KEY=VALUE:EFFECT",
    type: "taints",
    description: "taint of the node when it registers; repeatable",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "extraArgs",
    flag: "--extra-arg",
    argument: "COMPONENT:FLAG=VALUE",
    type: "extraArgs",
    description: "flag for a component, such as apiserver:service-node-port-range=80-32767; repeatable",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "patches",
    flag: "--patches",
    argument: "DIR",
    type: "patches",
    description: "folder of patches of manifests and configurations, named as kubeadm's: apiserver+merge.yaml",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "restartPolicy",
    flag: "--restart-policy",
    argument: "POLICY",
    type: "choice",
    choices: ["always", "unless-stopped", "on-failure"],
    description:
      "Docker's restart policy for tsdeploy's own containers; unless-stopped does not bring them back after a crash of dockerd",
    default: "always",
    commands: onNodes,
    group: "Node",
    inFile: true,
  },
  {
    key: "clusterFile",
    flag: "--file",
    short: "-f",
    argument: "FILE",
    type: "path",
    description:
      "YAML file of a whole cluster: the options of `--config`, and `hosts`; required but for `status`, `exec` and " +
      "`upgrade`, which without it are about one host",
    commands: ["up", "down", ...onUpgrades, "status", "exec", "config print", "config validate"],
    group: "Run",
    inFile: false,
  },
  {
    key: "clusterFile",
    flag: "--file",
    argument: "FILE",
    type: "path",
    description: "YAML file of a whole cluster: logs of all its hosts; `-f` is `--follow` here",
    commands: ["logs"],
    group: "Run",
    inFile: false,
  },
  {
    key: "onHosts",
    flag: "--on",
    argument: "HOST",
    type: "hosts",
    description: "host of the file, by the name that `status --file` shows; repeatable",
    otherwise: "all of them",
    commands: ["logs"],
    group: "Run",
    inFile: false,
  },
  {
    key: "onHosts",
    argument: "host",
    optional: true,
    type: "hosts",
    description: "host of the file, by the name that `status --file` shows; several with commas",
    commands: ["exec"],
    group: "Run",
    inFile: false,
  },
  {
    key: "argv",
    argument: "command",
    type: "words",
    description: "the program to run and its arguments, behind `--`",
    commands: ["exec"],
    group: "Run",
    inFile: false,
  },
  {
    key: "component",
    flag: "--component",
    argument: "NAME",
    type: "component",
    description: "whose container it is to run in: kubelet, etcd, apiserver, …",
    default: "kubelet",
    commands: ["exec"],
    group: "Run",
    inFile: false,
  },
  {
    key: "all",
    flag: "--all",
    type: "boolean",
    description: "on all hosts of the file",
    commands: ["exec"],
    group: "Run",
    inFile: false,
  },
  {
    key: "watch",
    flag: "--watch",
    short: "-w",
    type: "boolean",
    description: "look again and again until Ctrl-C, at the hosts of --file; not on a terminal a line for each change",
    commands: ["status"],
    group: "Run",
    inFile: false,
  },
  {
    key: "targetVersion",
    flag: "--to",
    argument: "VERSION",
    type: "version",
    description: "version of Kubernetes to go to",
    otherwise: "what the file says; the masters', while a worker is behind; else the next minor version, of the releases that were tried or are here",
    commands: onUpgrades,
    group: "Run",
    variable: "TSDEPLOY_UPGRADE_TO",
    inFile: false,
  },
  {
    key: "parallel",
    flag: "--parallel",
    argument: "HOSTS",
    type: "count",
    description: "how many workers at once",
    otherwise: "10, but those that change one by one",
    commands: ["up", "down", "upgrade apply"],
    group: "Run",
    inFile: false,
  },
  {
    key: "prune",
    flag: "--prune",
    type: "boolean",
    description: "drain and delete the nodes of the cluster that are not in the file",
    commands: ["up"],
    group: "Run",
    inFile: false,
  },
  {
    key: "continue",
    flag: "--continue",
    type: "boolean",
    description: "go on with the hosts that pass all checks, when others do not",
    commands: ["up", "upgrade apply"],
    group: "Run",
    inFile: false,
  },
  {
    key: "addon",
    argument: "addon",
    type: "choice",
    choices: addonNames,
    description: "the add-on's name",
    commands: onAddons,
    group: "Run",
    inFile: false,
  },
  {
    key: "component",
    argument: "component",
    optional: true,
    type: "component",
    description: "kubelet, etcd, apiserver, controller-manager, scheduler, proxy, …; without one: what there is",
    commands: ["logs"],
    group: "Run",
    inFile: false,
  },
  {
    key: "file",
    argument: "file",
    type: "path",
    description: "archive of images to write; `-` is standard output",
    commands: ["image save"],
    group: "Run",
    inFile: false,
  },
  {
    key: "file",
    argument: "file",
    type: "path",
    description: "archive of images to read; `-` is standard input",
    commands: ["image load"],
    group: "Run",
    inFile: false,
  },
  {
    key: "importedFile",
    argument: "file",
    type: "path",
    description: "RKE's `cluster.yml`, or k0sctl's file",
    commands: ["config import"],
    group: "Run",
    inFile: false,
  },
  {
    key: "to",
    flag: "--to",
    argument: "URL",
    type: "dockerHost",
    description: "Docker Engine that gets the images: unix://, tcp:// or ssh://; required",
    commands: ["image copy"],
    group: "Run",
    inFile: false,
  },
  {
    key: "arch",
    flag: "--arch",
    argument: "ARCHITECTURE",
    type: "choice",
    choices: ["amd64", "arm64"],
    description: "what the image is to run on",
    otherwise: "what the Docker that is used runs on",
    commands: ["image build", "image list", "image save"],
    group: "Run",
    inFile: false,
  },
  {
    key: "binaries",
    flag: "--binaries",
    argument: "DIR",
    type: "folder",
    description: "folder of programs to take instead of downloading them; the rest is downloaded",
    commands: ["image build"],
    group: "Run",
    inFile: true,
  },
  {
    key: "base",
    flag: "--base",
    argument: "IMAGE",
    type: "image",
    description: "image that the programs are added to",
    otherwise: "a small Debian",
    commands: ["image build"],
    group: "Run",
    inFile: true,
  },
  {
    key: "tag",
    flag: "--tag",
    argument: "IMAGE",
    type: "image",
    description: "what the image is called",
    otherwise: "tsdeploy/hyperkube:VERSION",
    commands: ["image build"],
    group: "Run",
    inFile: false,
  },
  {
    key: "needed",
    flag: "--needed",
    type: "boolean",
    description: "all images and release files that a cluster of these options needs, in place of the images here",
    commands: ["image list"],
    group: "Run",
    inFile: false,
  },
  {
    key: "complete",
    flag: "--complete",
    type: "boolean",
    description: "fail rather than leave out flannel or CoreDNS, which nodes can pull by themselves",
    commands: ["image build"],
    group: "Run",
    inFile: false,
  },
  {
    key: "id",
    argument: "id",
    type: "tokenId",
    description: "the token's id: what comes before its first dot",
    commands: ["token revoke"],
    group: "Run",
    inFile: false,
  },
  {
    key: "role",
    flag: "--role",
    argument: "ROLE",
    type: "choice",
    choices: ["worker", "master"],
    description: "what a host becomes that joins by the token",
    default: "worker",
    commands: ["token create"],
    group: "Run",
    inFile: false,
  },
  {
    key: "name",
    argument: "NAME",
    type: "nodeName",
    description: "the lost master's node",
    commands: ["member remove"],
    group: "Run",
    inFile: false,
  },
  {
    key: "tokenTtl",
    flag: "--ttl",
    argument: "DURATION",
    type: "duration",
    description: "how long the token can be used",
    otherwise: "24h; 2h for masters, which is also the longest",
    commands: ["token create"],
    group: "Run",
    inFile: true,
  },
  {
    key: "tail",
    flag: "--tail",
    argument: "LINES",
    type: "count",
    description: "how many of the last lines to show",
    default: "100",
    commands: ["logs"],
    group: "Run",
    inFile: false,
  },
  {
    key: "follow",
    flag: "--follow",
    short: "-f",
    type: "boolean",
    description: "go on showing new lines until Ctrl-C",
    commands: ["logs"],
    group: "Run",
    inFile: false,
  },
  {
    key: "merge",
    flag: "--merge",
    type: "boolean",
    description: "add the cluster to your kubeconfig instead of printing",
    commands: ["kubeconfig"],
    group: "Run",
    inFile: false,
  },
  {
    key: "kubeconfig",
    flag: "--kubeconfig",
    argument: "PATH",
    type: "optionalPath",
    hasNegative: true,
    description: "your kubeconfig; `--no-kubeconfig` leaves it alone",
    otherwise: "`$KUBECONFIG`, else ~/.kube/config; for `status` that of the host",
    commands: ["master", "up", "upgrade apply", "status", "kubeconfig"],
    group: "Run",
    inFile: true,
  },
  {
    key: "timeout",
    flag: "--timeout",
    argument: "DURATION",
    type: "duration",
    isWait: true,
    description: "how long each wait may take, such as that for the node to be Ready; a week at most",
    default: "2m",
    commands: [...onHosts, ...onUpgrades, ...onAddons],
    group: "Run",
    inFile: true,
  },
  {
    key: "pullTimeout",
    flag: "--pull-timeout",
    argument: "DURATION",
    type: "duration",
    isWait: true,
    description: "how long it may take to pull an image, or to build one; a week at most",
    default: "15m",
    commands: [...onImages.filter((command) => command !== "image list"), "up", ...onUpgrades, "addon enable"],
    group: "Run",
    inFile: true,
  },
  {
    key: "dryRun",
    flag: "--dry-run",
    type: "boolean",
    description: "show the plan and change nothing",
    commands: onHosts,
    group: "Run",
    inFile: false,
  },
  {
    key: "wait",
    flag: "--wait",
    type: "boolean",
    description: "when another run is changing this host, wait for its end instead of being refused",
    commands: [...onHosts, "upgrade apply", ...onAddons],
    group: "Run",
    inFile: false,
  },
  {
    key: "overwrite",
    flag: "--overwrite",
    type: "boolean",
    description: "replace manifests that were edited on the host",
    commands: [...onMaster, "up", "upgrade apply"],
    group: "Run",
    inFile: false,
  },
  {
    key: "keepOnFailure",
    flag: "--keep-on-failure",
    type: "boolean",
    description: "leave what was done where it is when a step fails",
    commands: [...onNodes, "up", "upgrade apply"],
    group: "Run",
    inFile: false,
  },
  {
    key: "force",
    flag: "--force",
    type: "boolean",
    description: "no drain, and no grace period for pods",
    commands: ["teardown", "down"],
    group: "Run",
    inFile: false,
  },
  {
    key: "force",
    flag: "--force",
    type: "boolean",
    description: "go on although somebody uses versions of the API that the target has no more",
    commands: ["upgrade apply"],
    group: "Run",
    inFile: false,
  },
  {
    key: "purge",
    flag: "--purge",
    type: "boolean",
    description: "also delete etcd's data, the PKI and the accepted options: the cluster is gone for good",
    commands: ["teardown", "down"],
    group: "Run",
    inFile: false,
  },
  {
    key: "config",
    flag: "--config",
    short: "-c",
    argument: "FILE",
    type: "path",
    description: "YAML file of options; one file can serve all machines of a cluster",
    commands: everywhere,
    group: "Global",
    inFile: false,
  },
  {
    key: "dockerHost",
    flag: "--host",
    short: "-H",
    argument: "URL",
    type: "dockerHost",
    description: "Docker Engine to use: unix://, tcp:// or ssh://",
    otherwise: "the Docker context in use",
    commands: everywhere,
    group: "Global",
    variable: "DOCKER_HOST",
    inFile: false,
  },
  {
    key: "dockerContext",
    flag: "--context",
    argument: "NAME",
    type: "text",
    description: "Docker context to use",
    otherwise: "the one in use",
    commands: everywhere,
    group: "Global",
    variable: "DOCKER_CONTEXT",
    inFile: false,
  },
  {
    key: "output",
    flag: "--output",
    short: "-o",
    argument: "FORMAT",
    type: "choice",
    choices: ["text", "json"],
    description: "what is written to standard output: `text`, or one `json` document",
    default: "text",
    commands: everywhere,
    group: "Global",
    inFile: false,
  },
  {
    key: "yes",
    flag: "--yes",
    short: "-y",
    type: "boolean",
    description: "answer every question with yes",
    commands: everywhere,
    group: "Global",
    inFile: false,
  },
  {
    key: "verbose",
    flag: "--verbose",
    short: "-v",
    type: "boolean",
    description: "show what waits see, and what lies behind an error",
    commands: everywhere,
    group: "Global",
    inFile: false,
  },
];

/** Whether it is one of the words between options; what is behind `--` is none. */
export function isPositional({ flag, type }: OptionRow): boolean {
  return flag === undefined && type !== "words";
}

/** The options that a command takes, positional arguments included. */
export function optionsOf(command: CommandName): OptionRow[] {
  return optionTable.filter((row) => row.commands.includes(command));
}

/** `TSDEPLOY_K8S_VERSION`; undefined for positional arguments, which have none. */
export function variableOf(row: OptionRow): string | undefined {
  if (row.flag === undefined) return undefined;
  return row.variable ?? `TSDEPLOY_${row.key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** What the options call it: `timeout` becomes `timeoutMs`. */
export function propertyOf(row: OptionRow): string {
  return row.type === "duration" ? `${row.key}Ms` : row.key;
}

/** Whether the flag can be given several times. */
export function isRepeatable(row: OptionRow): boolean {
  return ["names", "choices", "labels", "taints", "extraArgs", "registryMirrors", "hosts"].includes(row.type);
}
