import type { Footprint } from "../host/footprint.js";
import type { CleanupScope } from "../model/cleanupScope.js";
import { defined } from "../model/defined.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts, ExistingFile } from "../model/hostFacts.js";
import { etcdScrap, labels, paths } from "../model/hostLayout.js";
import { hasOurKubelet, isKubeletMade, isOurs } from "../model/ownership.js";
import type { Action, KnownMember, NamedContainer, Step, StoppedContainer } from "../model/plan.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { cleanupScope, identityPaths, type Kept, type Ownership, ownershipOf } from "./cleanupScope.js";

export interface TeardownInput {
  readonly engine: EngineFacts;
  /** As seen in the scope that `teardownLookout` gives. */
  readonly footprint: Footprint;
  /** Those of the host below /etc/kubernetes. */
  readonly files: ReadonlyMap<string, ExistingFile>;
  readonly options: {
    readonly force: boolean;
    readonly purge: boolean;
    /** A pod that wants a longer grace period than this is killed after it; milliseconds. */
    readonly timeoutMs: number;
  };
  /** Of this run; it ends by itself. */
  readonly helperId: string;
  /** How this node leaves its cluster before anything stops; undefined if it does not, or cannot. */
  readonly leave?: LeavePlan | undefined;
}

export interface LeavePlan {
  /** The Node's name. */
  readonly node: string;
  /** Of evictions, such as `policy/v1`; undefined: only the Node object is deleted. */
  readonly evictionApiVersion?: string;
  /** Of a master that leaves others behind. */
  readonly member?: LeavingMember;
  /** Whether the host's part goes even if the member cannot. */
  readonly force?: boolean;
}

export interface LeavingMember {
  /** Undefined: it was removed before, and the Node may be its successor's. */
  readonly known: KnownMember | undefined;
  /** Where etcd answers. */
  readonly from: string;
}

/** Kubernetes' default where a pod does not say. */
const defaultPodGraceSeconds = 30;
/** The control plane keeps nothing in memory that would have to be saved, and some of its containers ignore SIGTERM. */
const controlPlaneGraceSeconds = 2;
const ownGraceSeconds = 10;

/** Where to look before a teardown is planned: at all that could be ours. */
export function teardownLookout(files: ReadonlyMap<string, ExistingFile>): CleanupScope {
  return cleanupScope(ownershipOf(files), { identity: false, etcdData: false });
}

/**
 * What is to be removed from a host, from labels, records and what is there alone: for masters and workers, whole or
 * half-built. Pure.
 *
 * @throws TsdeployError OTHER_KUBELET if the pods here, and so all the rest, are another Kubernetes'
 */
export function planTeardown(input: TeardownInput): TeardownPlan {
  const { engine, footprint, files, leave } = input;
  const ownership = ownershipOf(files);
  const ours = engine.containers.filter(isOurs);
  // Those that a killed run left behind; one that runs belongs to a run that is still going.
  const deadHelpers = engine.containers.filter(
    ({ id, labels: { [labels.component]: name }, state }) =>
      name === "helper" && state !== "running" && id !== input.helperId,
  );
  if (ours.length === 0 && ownership.before === undefined && !files.has(paths.options)) {
    const containers = deadHelpers.map(named);
    const steps = inOrder([removal("remove-containers", containers, false)]);
    return { steps: containers.length === 0 ? [] : steps, containers, leftovers: [], keeps: [], ...noneForeign };
  }
  refuseOtherKubelet(engine.containers, footprint);

  const pods = podsOf(engine.containers);
  const kubelets = ours.filter((container) => container.labels[labels.component] === "kubelet");
  const others = [...pods.all, ...ours.filter((container) => !kubelets.includes(container)), ...deadHelpers];
  // Of a cluster that lives on elsewhere there is nothing to come back for, and a removed member's data is of no use.
  const kept = leave?.member ? { etcdData: false, identity: false } : keptOf(input, ownership);
  const keeps = [
    ...(kept.identity ? identityPaths.filter((path) => [...files.keys()].some((file) => isBelow(file, [path]))) : []),
    ...(kept.etcdData ? [paths.etcd] : []),
  ];
  const cleanup = cleanupScope(ownership, kept);
  const seen = { ...footprint, paths: footprint.paths.filter((path) => path === etcdScrap || !isBelow(path, keeps)) };
  const leftovers = describeFootprint(seen, cleanup);
  const containers = [...others, ...kubelets].map(named);
  const labelOf = (name: string): string | undefined =>
    ours.map((container) => container.labels[name]).find((value) => value !== undefined);
  const role = labelOf(labels.role);
  const clusterName = labelOf(labels.cluster);
  const steps = inOrder([
    ...(leave === undefined ? [] : leaving(leave)),
    ...stopping(ours, pods, input.options),
    ...(others.length === 0 ? [] : [removal("remove-containers", others.map(named), kubelets.length > 0)]),
    // The kubelet's container shows the next run whose the pods are, so it outlives them.
    ...(kubelets.length === 0 ? [] : [removal("remove-kubelet", kubelets.map(named), false)]),
    { id: "clean-up", phase: "clean-up", action: { kind: "clean-host", scope: cleanup } },
  ]);
  return {
    ...(role === "master" || role === "worker" ? { role } : {}),
    ...defined({ clusterName }),
    steps: containers.length === 0 && leftovers.length === 0 ? [] : steps,
    containers,
    leftovers,
    keeps,
    foreign: foreignFiles(ownership, cleanup, keeps),
    foreignVirtualServers: footprint.foreignVirtualServers,
  };
}

const noneForeign = { foreign: [], foreignVirtualServers: [] };

type UnorderedStep = Omit<Step, "needs">;

/** Each after the one before. */
function inOrder(steps: readonly UnorderedStep[]): Step[] {
  return steps.map((step, index) => ({ ...step, needs: steps.slice(index - 1, index).map(({ id }) => id) }));
}

function leaving({ node, evictionApiVersion, member, force = false }: LeavePlan): UnorderedStep[] {
  if (member && !member.known) return [];
  const step = (action: Action): UnorderedStep => ({ id: action.kind, phase: "leave cluster", action });
  return [
    ...(evictionApiVersion === undefined ? [] : [step({ kind: "drain-node", node, evictionApiVersion })]),
    step({ kind: "remove-node", node }),
    // The last: what was asked of the API server here went through etcd here.
    ...(member?.known ? [step({ kind: "remove-member", member: member.known, from: member.from, force })] : []),
  ];
}

/** The kubelet first, so that nothing is started again; etcd last, so that all can save what they have. */
function stopping(
  ours: readonly ContainerSummary[],
  pods: Pods,
  { force, timeoutMs }: TeardownInput["options"],
): UnorderedStep[] {
  const component = (name: string): ContainerSummary[] =>
    ours.filter((container) => container.labels[labels.component] === name);
  const longestSeconds = Math.ceil(timeoutMs / 1000);
  const stop = (
    id: string,
    phase: string,
    containers: readonly ContainerSummary[],
    graceSeconds: (container: ContainerSummary) => number,
  ): UnorderedStep[] => {
    const stopped = containers
      .filter(({ state }) => isAlive(state))
      .map((one): StoppedContainer => ({ ...named(one), graceSeconds: Math.min(graceSeconds(one), longestSeconds) }));
    return stopped.length === 0 ? [] : [{ id, phase, action: { kind: "stop-containers", containers: stopped } }];
  };
  return [
    ...stop("stop-kubelet", "kubelet", component("kubelet"), () => (force ? 0 : ownGraceSeconds)),
    // When forced, their removal kills them.
    ...stop("stop-pods", "pods", force ? [] : pods.workload, podGraceSeconds),
    ...stop("stop-control-plane", "control plane", force ? [] : pods.controlPlane, () => controlPlaneGraceSeconds),
    // Even when forced: it ends within a second, and its data is kept.
    ...stop("stop-etcd", "etcd", component("etcd"), () => ownGraceSeconds),
  ];
}

function removal(id: string, containers: readonly NamedContainer[], andPods: boolean): UnorderedStep {
  return { id, phase: "containers", action: { kind: "remove-containers", containers, andPods } };
}

/** What lies among our files, has come since our first run, and was not written by us. */
function foreignFiles({ before, files }: Ownership, scope: CleanupScope, keeps: readonly string[]): string[] {
  const known = [...scope.paths, ...scope.records, ...keeps, ...(before?.files ?? [])];
  return [...files.keys()].filter((path) => !isBelow(path, known));
}

/** Whether a run of this plan would change anything. */
export function isNothingToDo(plan: TeardownPlan): boolean {
  return plan.steps.length === 0;
}

/** One line for each thing of a footprint. After a clean-up, these are what it left. */
export function describeFootprint(footprint: Footprint, { sysctls }: CleanupScope): string[] {
  return [
    ...footprint.mounts.map((path) => `mount ${path}`),
    ...footprint.links.map((name) => `link ${name}`),
    ...footprint.routes.map((route) => `route ${route}`),
    ...footprint.chains.map((chain) => `iptables chain ${chain}`),
    ...footprint.tables.map((table) => `iptables table ${table}, empty`),
    ...footprint.nftTables.map((table) => `nft table ${table}`),
    ...footprint.ipsets.map((name) => `ipset ${name}`),
    ...footprint.virtualServers.map((server) => `IPVS virtual server ${server}`),
    ...Object.entries(footprint.sysctls).map(
      ([name, value]) => `sysctl ${name} from ${value} back to ${sysctls[name] ?? "?"}`,
    ),
    ...footprint.cgroups.filter((path) => /\/kubepods(\.slice)?$/.test(path)).map((path) => `cgroup ${path}`),
    // The same again, while their folders are there.
    ...(footprint.cgroups.length > 0 ? [] : footprint.units.map((name) => `systemd unit ${name}`)),
    ...footprint.paths.map((path) => `file or folder ${path}`),
    ...footprint.emptyFolders.map((path) => `empty folder ${path}`),
    ...footprint.deadLogs.map((path) => `log link ${path}`),
  ];
}

/** What stays: with `--purge` nothing, and on a worker there is nothing that could not be made again. */
function keptOf({ footprint, options }: Pick<TeardownInput, "footprint" | "options">, ownership: Ownership): Kept {
  const { isMaster, files } = ownership;
  const etcdData = isMaster && footprint.etcdData && !options.purge;
  return { etcdData, identity: !options.purge && (etcdData || (isMaster && files.has(`${paths.pki}/ca.key`))) };
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

interface Pods {
  readonly all: readonly ContainerSummary[];
  /** Without sandboxes. */
  readonly workload: readonly ContainerSummary[];
  readonly controlPlane: readonly ContainerSummary[];
}

function podsOf(containers: readonly ContainerSummary[]): Pods {
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

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

function isAlive(state: string): boolean {
  return state === "running" || state === "restarting" || state === "paused";
}

function named({ id, name }: ContainerSummary): NamedContainer {
  return { id, name };
}
