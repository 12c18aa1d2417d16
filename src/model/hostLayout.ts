import type { Component } from "./containerSpec.js";

/** Labels on every container that tsdeploy starts. */
export const labels = {
  cluster: "io.tsdeploy.cluster",
  role: "io.tsdeploy.role",
  component: "io.tsdeploy.component",
  version: "io.tsdeploy.version",
  /** Digest of the container's spec, and of a manifest as it was rendered. */
  spec: "io.tsdeploy.spec",
  /** On a Deployment of an add-on: `1-2` is one replica a node, two at most. The add-on manager sees to it. */
  replicas: "io.tsdeploy.replicas",
  /** On the helper that holds a host's lock: the command that changes the host, such as `master`. */
  lockCommand: "io.tsdeploy.lock.command",
  /** The same: who runs it and where, `user@machine`. */
  lockHolder: "io.tsdeploy.lock.holder",
  /** The same: since when, ISO 8601, by the clock of the operator's machine. */
  lockSince: "io.tsdeploy.lock.since",
} as const;

/** Annotation of a Node that a run has cordoned for its work: when. Who cordons a node by hand sets none. */
export const cordonMark = "io.tsdeploy.cordoned";

/** Where things lie on a host. */
export const paths = {
  kubernetes: "/etc/kubernetes",
  pki: "/etc/kubernetes/pki",
  manifests: "/etc/kubernetes/manifests-multi",
  /** setup-files.sh, start.sh, …: delivered to the host, so that any hyperkube image will do. */
  scripts: "/etc/kubernetes/scripts",
  addons: "/etc/kubernetes/addons",
  /** Is another after each add-on that a run has taken out of the folder: the add-on manager says which it has read. */
  addonsRevision: "/etc/kubernetes/addons/revision",
  /** The add-on manager's manifest: of several masters one has it. */
  addonManager: "/etc/kubernetes/manifests-multi/addon-manager.json",
  options: "/etc/kubernetes/tsdeploy.yaml",
  /** What the host was like before the first run: teardown goes back to it. */
  hostBefore: "/etc/kubernetes/host-before.json",
  /** What tsdeploy has written here. */
  writtenFiles: "/etc/kubernetes/tsdeploy-files.json",
  adminConf: "/etc/kubernetes/admin.conf",
  kubeletConf: "/etc/kubernetes/kubelet.conf",
  bootstrapKubeletConf: "/etc/kubernetes/bootstrap-kubelet.conf",
  proxyConf: "/etc/kubernetes/kube-proxy.conf",
  controllerManagerConf: "/etc/kubernetes/controller-manager.conf",
  schedulerConf: "/etc/kubernetes/scheduler.conf",
  addonManagerConf: "/etc/kubernetes/addon-manager.conf",
  kubeletConfig: "/etc/kubernetes/kubelet-config.yaml",
  proxyConfig: "/etc/kubernetes/kube-proxy-config.yaml",
  /** What pods get in place of the host's /etc/resolv.conf, where that is of no use to them. */
  resolvConf: "/etc/kubernetes/resolv.conf",
  schedulerConfig: "/etc/kubernetes/scheduler-config.yaml",
  kubeletRoot: "/var/lib/kubelet",
  /** The kubelet's own certificates, which it makes anew by itself. */
  kubeletPki: "/var/lib/kubelet/pki",
  etcd: "/var/lib/etcd",
  cniConf: "/etc/cni/net.d",
  cniConfigFile: "/etc/cni/net.d/10-tsdeploy.conflist",
  /** Instead of that, for kubelets that know no lists of plugins. */
  cniPluginFile: "/etc/cni/net.d/10-tsdeploy.conf",
  /** flanneld's configuration, where that is the pod network. */
  flannelConfig: "/etc/kubernetes/flannel.json",
  /** On workers of a cluster of several masters: where those are. The folder is bound into a container. */
  masters: "/etc/kubernetes/masters",
  mastersList: "/etc/kubernetes/masters/list",
  cniBin: "/opt/cni/bin",
  cniState: "/var/lib/cni",
  criRoot: "/var/lib/cri-dockerd",
} as const;

/** What etcd makes in its folder: all of its data. */
export const etcdMember = `${paths.etcd}/member`;

/** The data as it was before an upgrade: the way back while that runs. */
export const etcdCopy = `${paths.etcd}/member-before-upgrade`;

/** Beside it: a copy that was cut off, or data that an undo has replaced by the copy. Of no use to anybody. */
export const etcdScrap = `${etcdCopy}.part`;

/** The folders that a kubelet makes in its own. */
export const kubeletFolders: readonly string[] = [
  "pods",
  "plugins",
  "plugins_registry",
  "device-plugins",
  "pod-resources",
  "pki",
  "checkpoints",
].map((name) => `${paths.kubeletRoot}/${name}`);

/** Where our pod network's configuration can be. */
export const cniConfigFiles: readonly string[] = [paths.cniConfigFile, paths.cniPluginFile];

/** Files and folders of files that a run of `master` or `worker` writes, or has written: not identity, not add-ons. */
export const nodeFiles: readonly string[] = [
  ...["master-multi.json", "kube-proxy.json", "addon-manager.json", "node-ipam.json"].map((name) => `${paths.manifests}/${name}`),
  paths.scripts,
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
  paths.resolvConf,
  paths.flannelConfig,
  paths.masters,
  ...cniConfigFiles,
];

/** All folders that files are written into, those below others first. `scripts/host/facts.sh` says which are there. */
export const writtenFolders: readonly string[] = [
  `${paths.pki}/etcd`,
  paths.pki,
  paths.manifests,
  paths.scripts,
  paths.addons,
  paths.masters,
  paths.kubernetes,
  paths.cniConf,
  "/etc/cni",
];

/** CNI's name for the pod network `bridge`: plugins put it into their rules and files. */
export const podNetworkName = "tsdeploy";

/** The bridge of the `bridge` pod network. */
export const bridgeName = "cni0";

/** Where cri-dockerd answers. */
export const criSocket = "/run/cri-dockerd.sock";

export const apiserverPort = 6443;
export const etcdPort = 2379;
export const etcdPeerPort = 2380;

/** Where the host's root is in the helper container. */
export const helperHostRoot = "/host";

/**
 * The helper of a run that changes the host. Docker lets only one container have a name, so only one such run has a
 * host at a time.
 */
export const lockName = "kube_helper_lock";

/** `kube_kubelet_V1StG`: docker-multinode's names; `id` makes them unique. */
export function containerName(component: Component, id: string): string {
  return `kube_${component}_${id}`;
}
