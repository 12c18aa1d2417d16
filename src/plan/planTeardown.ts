import type { Footprint } from "../host/footprint.js";
import { parseHostBefore } from "../host/hostBefore.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts, ExistingFile } from "../model/hostFacts.js";
import { labels, paths } from "../model/hostLayout.js";
import { hasOurKubelet, isKubeletMade, isOurs } from "../model/ownership.js";
import type { CleanupScope, DoomedContainer, StopStage, TeardownPlan } from "../model/teardownPlan.js";
import { cleanupScope, identityPaths, type Kept } from "./cleanupScope.js";

export interface TeardownInput {
  readonly engine: EngineFacts;
  /** As seen in the scope that `teardownLookout` gives. */
  readonly footprint: Footprint;
  /** Those of the host below /etc/kubernetes. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  readonly options: { readonly force: boolean; readonly purge: boolean };
  /** Of this run; it ends by itself. */
  readonly helperId: string;
}

/** Kubernetes' default where a pod does not say. */
const defaultPodGraceSeconds = 30;
/** The control plane keeps nothing in memory that would have to be saved, and some of its containers ignore SIGTERM. */
const controlPlaneGraceSeconds = 2;
const ownGraceSeconds = 10;

/** What kubelets and kube-proxies set: another value is somebody else's choice and stays. The rest they compute. */
const fixedSysctls: Readonly<Record<string, string>> = {
  "vm.overcommit_memory": "1",
  "vm.panic_on_oom": "0",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
  "kernel.keys.root_maxkeys": "1000000",
  "kernel.keys.root_maxbytes": "25000000",
  "net.ipv4.ip_forward": "1",
  "net.ipv6.conf.all.forwarding": "1",
  "net.ipv4.conf.all.route_localnet": "1",
  "net.bridge.bridge-nf-call-iptables": "1",
  "net.bridge.bridge-nf-call-ip6tables": "1",
};

/** Where to look before a teardown is planned: at all that could be ours. */
export function teardownLookout(files: ReadonlyMap<string, ExistingFile>): CleanupScope {
  return cleanupScope(parseHostBefore(files.get(paths.hostBefore)?.content), { identity: false, etcdData: false });
}

/**
 * What has to go from a host, from labels and what is there alone: for masters and workers, whole or half-built. Pure.
 *
 * @throws TsdeployError OTHER_KUBELET if the pods here, and so all the rest, are another Kubernetes'
 */
export function planTeardown(input: TeardownInput): TeardownPlan {
  const { engine, footprint, files, options } = input;
  const before = parseHostBefore(files.get(paths.hostBefore)?.content);
  const ours = engine.containers.filter(isOurs);
  // Those that a killed run left behind; one that runs belongs to a run that is still going.
  const deadHelpers = engine.containers.filter(
    ({ id, labels: { [labels.component]: name }, state }) =>
      name === "helper" && state !== "running" && id !== input.helperId,
  );
  if (ours.length === 0 && before === undefined && !files.has(paths.options)) {
    return {
      leavesCluster: false,
      stops: [],
      removes: deadHelpers.map(doomed),
      removesLast: [],
      leftovers: [],
      keeps: [],
    };
  }
  refuseOtherKubelet(engine.containers, footprint);

  const component = (name: string): ContainerSummary[] =>
    ours.filter((container) => container.labels[labels.component] === name);
  const pods = podsOf(engine.containers);
  const stage = (
    phase: string,
    containers: readonly ContainerSummary[],
    graceSeconds: (container: ContainerSummary) => number,
  ): StopStage => ({
    phase,
    containers: containers
      .filter(({ state }) => isAlive(state))
      .map((container) => ({ ...doomed(container), graceSeconds: graceSeconds(container) })),
  });
  const stops = [
    // First, so that nothing is started again.
    stage("kubelet", component("kubelet"), () => (options.force ? 0 : ownGraceSeconds)),
    // When forced, their removal kills them.
    stage("pods", options.force ? [] : pods.workload, podGraceSeconds),
    stage("control plane", options.force ? [] : pods.controlPlane, () => controlPlaneGraceSeconds),
    // Even when forced: it ends within a second, and its data is kept.
    stage("etcd", component("etcd"), () => ownGraceSeconds),
  ].filter(({ containers }) => containers.length > 0);

  const removesLast = component("kubelet").map(doomed);
  const removes = [
    ...pods.all,
    ...ours.filter((container) => container.labels[labels.component] !== "kubelet"),
    ...deadHelpers,
  ].map(doomed);

  const kept = keptOf(input);
  const keeps = [
    ...(kept.identity ? identityPaths.filter((path) => [...files.keys()].some((file) => isBelow(file, [path]))) : []),
    ...(kept.etcdData ? [paths.etcd] : []),
  ];
  const scope = cleanupScope(before, kept);
  const cleanup: CleanupScope = { ...scope, sysctls: sysctlsToRestore(scope.sysctls, footprint.sysctls) };
  const role = ours.map((container) => container.labels[labels.role]).find((value) => value !== undefined);
  const clusterName = ours.map((container) => container.labels[labels.cluster]).find((value) => value !== undefined);
  const isWorker = role === "worker";
  return {
    ...(role === "master" || role === "worker" ? { role } : {}),
    ...(clusterName === undefined ? {} : { clusterName }),
    leavesCluster: isWorker && !options.force && component("kubelet").some(({ state }) => isAlive(state)),
    stops,
    removes,
    removesLast,
    cleanup,
    leftovers: describeFootprint(
      { ...footprint, paths: footprint.paths.filter((path) => !isBelow(path, keeps)) },
      cleanup,
    ),
    keeps,
  };
}

/** Whether a run of this plan would change anything. */
export function isNothingToDo(plan: TeardownPlan): boolean {
  return plan.removes.length === 0 && plan.removesLast.length === 0 && plan.leftovers.length === 0;
}

/** One line for each thing of a footprint. After a clean-up, these are what it left. */
export function describeFootprint(footprint: Footprint, { sysctls }: CleanupScope): string[] {
  return [
    ...footprint.mounts.map((path) => `mount ${path}`),
    ...footprint.links.map((name) => `link ${name}`),
    ...footprint.chains.map((chain) => `iptables chain ${chain}`),
    ...footprint.tables.map((table) => `iptables table ${table}, empty`),
    ...Object.entries(sysctlsToRestore(sysctls, footprint.sysctls)).map(
      ([name, value]) => `sysctl ${name} from ${footprint.sysctls[name] ?? "?"} back to ${value}`,
    ),
    ...footprint.cgroups.filter((path) => /\/kubepods(\.slice)?$/.test(path)).map((path) => `cgroup ${path}`),
    ...footprint.paths.map((path) => `file or folder ${path}`),
    ...footprint.emptyFolders.map((path) => `empty folder ${path}`),
    ...footprint.deadLogs.map((path) => `log link ${path}`),
  ];
}

/** What stays: with `--purge` nothing, and on a worker there is nothing that could not be made again. */
function keptOf({ files, footprint, options }: Pick<TeardownInput, "files" | "footprint" | "options">): Kept {
  const etcdData = footprint.etcdData && !options.purge;
  return { etcdData, identity: !options.purge && (etcdData || files.has(`${paths.pki}/ca.key`)) };
}

function refuseOtherKubelet(containers: readonly ContainerSummary[], footprint: Footprint): void {
  const isForeignPod = (container: ContainerSummary): boolean => isKubeletMade(container) && !hasOurKubelet(containers);
  const foreign = containers.find(isForeignPod);
  const process = footprint.kubelets.find(({ container }) => {
    const holder = containers.find(({ id }) => id === container);
    return holder === undefined || !isOurs(holder);
  });
  if (foreign === undefined && process === undefined) {
    return;
  }
  const seen = foreign === undefined ? `process ${process?.pid ?? 0}` : `the pod container ${foreign.name}`;
  throw new TsdeployError("conflict", {
    code: "OTHER_KUBELET",
    message: `Another Kubernetes than tsdeploy's runs here (${seen}); its pods, rules and files cannot be told from ours`,
    hint: "Remove that Kubernetes first; nothing was touched.",
  });
}

function podsOf(containers: readonly ContainerSummary[]): {
  all: ContainerSummary[];
  workload: ContainerSummary[];
  controlPlane: ContainerSummary[];
} {
  const all = hasOurKubelet(containers) ? containers.filter(isKubeletMade) : [];
  const uid = (container: ContainerSummary): string => container.labels["io.kubernetes.pod.uid"] ?? "";
  const isSandbox = (container: ContainerSummary): boolean => container.name.startsWith("k8s_POD");
  // Of a pod's annotations and labels only its sandbox has a copy, and before v1.6 nobody has. The uid of a pod from a
  // file is a digest then, where the API server's have dashes.
  const controlPlane = new Set(
    all
      .filter(
        (container) =>
          container.labels[labels.spec] !== undefined ||
          container.labels["annotation.kubernetes.io/config.source"] === "file" ||
          /^[0-9a-f]{32}$/.test(uid(container)),
      )
      .map(uid),
  );
  const programs = all.filter((container) => !isSandbox(container));
  return {
    all,
    workload: programs.filter((container) => !controlPlane.has(uid(container))),
    controlPlane: programs.filter((container) => controlPlane.has(uid(container))),
  };
}

/** dockershim and cri-dockerd write the pod's annotations as labels with a prefix; the first kubelets had none. */
function podGraceSeconds(container: ContainerSummary): number {
  const name = "io.kubernetes.pod.terminationGracePeriod";
  const seconds = Number(container.labels[`annotation.${name}`] ?? container.labels[name] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : defaultPodGraceSeconds;
}

function sysctlsToRestore(before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(before).filter(([name, value]) => {
      const current = now[name];
      const fixed = fixedSysctls[name];
      return current !== undefined && current !== value && (fixed === undefined || fixed === current);
    }),
  );
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

function isAlive(state: string): boolean {
  return state === "running" || state === "restarting" || state === "paused";
}

function doomed({ id, name }: ContainerSummary): DoomedContainer {
  return { id, name };
}
