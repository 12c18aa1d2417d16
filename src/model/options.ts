import type { AddonName } from "./addonNames.js";
import type { AddressRanges, OnePerFamily } from "./addressRanges.js";
import type { ClusterHosts, MasterHost, WorkerHost } from "./clusterHosts.js";
import type { NetworkBackend, NetworkName } from "./podNetwork.js";

/** Components that take `extraArgs`; `--patches` are for their manifests and configurations. */
export type PatchableComponent =
  | "etcd"
  | "apiserver"
  | "controller-manager"
  | "scheduler"
  | "kubelet"
  | "proxy"
  | "addon-manager";

/** Flag name without dashes -> value, per component. */
export type ExtraArgs = Readonly<Partial<Record<PatchableComponent, Readonly<Record<string, string>>>>>;

/** A patch as found in the folder of `--patches`, kubeadm's naming: `target[suffix][+type].json|yaml`. */
export interface Patch {
  readonly target: string;
  readonly type: "strategic" | "merge" | "json";
  /** Parsed content. */
  readonly body: unknown;
  /** For messages. */
  readonly file: string;
}

/** A file of the folder of `--addons`: objects that the cluster is to have. */
export interface UserAddon {
  /** Of the file, without a folder. */
  readonly name: string;
  /** Each object has the labels by which the add-on manager knows it. */
  readonly content: string;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** `registry.k8s.io` -> `mirror.example.com:5000/k8s` */
export type RegistryMirrors = Readonly<Record<string, string>>;

/** How kube-proxy does its work. */
export type ProxyMode = "iptables" | "ipvs" | "nftables";

/** Which Docker, and how to talk to the person. Known to every command. */
export interface CommonOptions {
  /** `--host`/`DOCKER_HOST`: unix://, tcp://, ssh://. Wins over a context. */
  readonly dockerHost?: string;
  /** `--context`/`DOCKER_CONTEXT`. */
  readonly dockerContext?: string;
  readonly output: "text" | "json";
  /** `--yes`: answer every question. */
  readonly yes: boolean;
  readonly verbose: boolean;
}

/** What belongs to one node, master or worker. */
export interface NodeOptions {
  /** Image reference for everything; default `<registry>/hyperkube:<version>`. */
  readonly image?: string;
  /** Such as `registry.example.com/kubernetes`. */
  readonly registry?: string;
  /** Registry, with or without a path -> what to pull from in its place. */
  readonly registryMirrors: RegistryMirrors;
  /** URL of a server with the projects' release files, for an image that has to be built. */
  readonly mirror?: string;
  /** Such as `v1.20.2`. Default: the cluster's (worker, or master with data), else the table's. */
  readonly k8sVersion?: string;
  /** The node's address, with dual stack perhaps that of IPv6, too; default that of the default route's interface. */
  readonly ip?: OnePerFamily;
  /** Interface by which other nodes' pods are reached; default that with the node's address. */
  readonly networkInterface?: string;
  /** Default: the host's name in lower case. */
  readonly nodeName?: string;
  readonly nodeLabels: Readonly<Record<string, string>>;
  readonly nodeTaints: readonly Taint[];
  readonly extraArgs: ExtraArgs;
  readonly patches: readonly Patch[];
  readonly restartPolicy: "always" | "unless-stopped" | "on-failure";
  /** For each wait: API answers, node Ready, … */
  readonly timeoutMs: number;
  /** For a pull, or for a build. */
  readonly pullTimeoutMs: number;
  readonly dryRun: boolean;
  /** For another run that changes this host, instead of being refused. */
  readonly wait: boolean;
  readonly keepOnFailure: boolean;
}

export interface MasterOptions extends CommonOptions, NodeOptions {
  /** Manifests edited on the host go. */
  readonly overwrite: boolean;
  readonly clusterName: string;
  readonly podCidr: AddressRanges;
  /** Prefix lengths of nodes' parts of `podCidr`, in its order. Default: see `usualMaskSize`. */
  readonly nodeCidrMaskSize?: readonly number[];
  readonly serviceCidr: AddressRanges;
  readonly clusterDomain: string;
  readonly apiserverSans: readonly string[];
  /** Name or address, with `:port` if that is not 6443, that the owner has pointed at the masters. */
  readonly controlPlaneEndpoint?: string;
  /** etcd listens to peers, leaders are elected, and nodes reach any master that lives. */
  readonly severalMasters: boolean;
  /** `address` or `address:port` of a master of the cluster that this one is to be a further master of. */
  readonly join?: string;
  /** For `join`: a master's token. */
  readonly token?: string;
  /** The API on port 8080 for everybody, where the version has such a port. */
  readonly insecureApi: boolean;
  readonly proxyMode: ProxyMode;
  /** Pod network; `bridge` is each node's own bridge, routes between nodes are the owner's. */
  readonly network: NetworkName;
  /** How flannel brings packets from node to node. */
  readonly networkBackend: NetworkBackend;
  /** Bytes of a pod's largest packet. Default: what each node's interface leaves. */
  readonly networkMtu?: number;
  /** With `vxlan`: routes between nodes of one Ethernet. */
  readonly networkDirectRouting: boolean;
  /** Whether the cluster has CoreDNS. */
  readonly dns: boolean;
  /** Other add-ons, by `tsdeploy addon enable`: no option, but followed by later runs. */
  readonly enabledAddons?: readonly AddonName[];
  /** The person's own. */
  readonly addons: readonly UserAddon[];
  /** `~` resolved; undefined with `--no-kubeconfig`. */
  readonly kubeconfig?: string;
  /** Life of the join token that is printed. */
  readonly tokenTtlMs: number;
  /** Options that the person gave, by flag, variable or file: the others follow what an earlier run accepted. */
  readonly given: ReadonlySet<string>;
}

export interface WorkerOptions extends CommonOptions, NodeOptions {
  /** `address` or `address:port` of the API server. */
  readonly master: string;
  /** From `--token`, `--token-file`, `TSDEPLOY_TOKEN`, the operator's saved one or the prompt. */
  readonly token?: string;
  readonly given: ReadonlySet<string>;
}

export interface TeardownOptions extends CommonOptions {
  /** No grace period for pods, no drain. */
  readonly force: boolean;
  /** Also etcd data, PKI and accepted options. */
  readonly purge: boolean;
  readonly dryRun: boolean;
  /** For another run that changes this host, instead of being refused. */
  readonly wait: boolean;
  readonly timeoutMs: number;
}

/** Of commands that take a cluster's file. */
export interface ConfigOptions extends CommonOptions {
  readonly hosts: ClusterHosts;
}

export interface ConfigImportOptions extends CommonOptions {
  /** As it was named. */
  readonly importedFile: string;
}

export interface UpOptions extends ConfigOptions {
  /** Workers at once. Default: 10, but one if it changes what runs. */
  readonly parallel?: number;
  /** Nodes that are not in the file are removed. */
  readonly prune: boolean;
  /** Hosts that pass all checks are changed when others do not. */
  readonly continue: boolean;
  readonly dryRun: boolean;
  readonly timeoutMs: number;
}

export interface DownOptions extends ConfigOptions, TeardownOptions {
  /** Workers at once. Default: 10. */
  readonly parallel?: number;
}

/** How an upgrade is to be; of `up` as well, where it is one. */
export interface UpgradePlanOptions extends CommonOptions {
  /** All of a cluster; else the one host that Docker's options name. */
  readonly hosts?: ClusterHosts;
  /** That host, for either role that it may have. */
  readonly local?: { readonly master: MasterHost; readonly worker: WorkerHost };
  /** Such as `v1.21.0`. Default: what the file says, else the next release that is known. */
  readonly targetVersion?: string;
  readonly timeoutMs: number;
}

export interface UpgradeApplyOptions extends UpgradePlanOptions {
  /** Workers at once. Default: one. */
  readonly parallel?: number;
  /** Goes on without hosts that are not reached or that a check stands against. */
  readonly continue: boolean;
  /** API versions in use that the target has no more are no reason to stop. */
  readonly force: boolean;
}

export interface StatusOptions extends CommonOptions {
  /** All of a cluster, instead of the one that Docker's options name. */
  readonly hosts?: ClusterHosts;
  /** Of `hosts`: again and again, until Ctrl-C. */
  readonly watch?: boolean;
  /** A kubeconfig with which the nodes are read as well; else that of the host, if it is a master. */
  readonly kubeconfig?: string;
}

export interface KubeconfigOptions extends CommonOptions {
  /** Into the operator's own file, instead of stdout. */
  readonly merge: boolean;
  readonly kubeconfig?: string;
}

export interface LogsOptions extends CommonOptions {
  /** `etcd`, `kubelet`, `apiserver`, …; undefined lists them. */
  readonly component?: string;
  /** Of all of a cluster, instead of the Docker that the options name. */
  readonly hosts?: ClusterHosts;
  /** Names of some of `hosts`; empty: all. */
  readonly onHosts: readonly string[];
  /** Lines from the end. */
  readonly tail: number;
  readonly follow: boolean;
}

export interface ExecOptions extends CommonOptions {
  /** Those of a cluster, instead of the Docker that the options name. */
  readonly hosts?: ClusterHosts;
  /** Names of some of `hosts`. */
  readonly onHosts: readonly string[];
  /** On all of `hosts`. */
  readonly all: boolean;
  /** Whose container it runs in: `kubelet`, `etcd`, … */
  readonly component: string;
  /** Program and arguments. */
  readonly argv: readonly string[];
}

export type AddonListOptions = CommonOptions;

export interface AddonSwitchOptions extends CommonOptions {
  readonly addon: AddonName;
  /** For each wait, such as that for a name to resolve. */
  readonly timeoutMs: number;
  /** For another run that changes this host, instead of being refused. */
  readonly wait: boolean;
}

export interface AddonEnableOptions extends AddonSwitchOptions {
  readonly pullTimeoutMs: number;
}

export type TokenListOptions = CommonOptions;

export interface TokenCreateOptions extends CommonOptions {
  /** Whom the token lets in. */
  readonly role: "worker" | "master";
  /** Default: a day; two hours for masters. */
  readonly tokenTtlMs?: number;
  readonly given: ReadonlySet<string>;
}

export type MemberListOptions = CommonOptions;

export interface MemberRemoveOptions extends CommonOptions {
  /** Of its node. */
  readonly name: string;
}

export interface TokenRevokeOptions extends CommonOptions {
  readonly id: string;
}

/** Go's names of what images are built for. */
export type Architecture = "amd64" | "arm64";

export interface ImageBuildOptions extends CommonOptions {
  readonly k8sVersion: string;
  /** Default: that of the daemon. */
  readonly arch?: Architecture;
  /** Folder with some or all of the programs. */
  readonly binaries?: string;
  /** URL of a server with the projects' release files. */
  readonly mirror?: string;
  /** Image that the programs are added to. */
  readonly base?: string;
  readonly registryMirrors: RegistryMirrors;
  /** What the image is called. */
  readonly tag?: string;
  /** Fail rather than leave out what nodes can pull by themselves. */
  readonly complete?: boolean;
  /** For the whole build. */
  readonly pullTimeoutMs: number;
}

/** Which images a cluster needs, and where those come from that are not here. */
export interface NeededOptions extends CommonOptions {
  /** Default: that of `image`. */
  readonly k8sVersion?: string;
  readonly image?: string;
  readonly registry?: string;
  readonly registryMirrors: RegistryMirrors;
  readonly mirror?: string;
  readonly network: NetworkName;
  /** Whether the cluster has CoreDNS. */
  readonly dns: boolean;
  /** Further add-ons that the cluster has. */
  readonly enabledAddons?: readonly AddonName[];
  /** The person's own. */
  readonly addons?: readonly UserAddon[];
}

export interface ImageListOptions extends NeededOptions {
  /** What a cluster needs, in place of what is here. */
  readonly needed?: boolean;
  /** Default: that of the daemon. */
  readonly arch?: Architecture;
}

export interface ImageSetOptions extends NeededOptions {
  readonly pullTimeoutMs: number;
}

export interface ImageSaveOptions extends ImageSetOptions {
  /** `-` is standard output. */
  readonly file: string;
  /** Default: that of the daemon. */
  readonly arch?: Architecture;
}

export interface ImageLoadOptions extends CommonOptions {
  /** `-` is standard input. */
  readonly file: string;
}

export interface ImageCopyOptions extends ImageSetOptions {
  /** The other Docker: unix://, tcp://, ssh://. */
  readonly to: string;
}

export type VersionsOptions = CommonOptions;
