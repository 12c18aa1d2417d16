import { compare } from "semver";
import { createHash } from "node:crypto";
import { flagOf } from "../../../src/plan/commandFlag.js";
import { initialCluster, memberAt, type EtcdMember } from "../../../src/kubernetes/etcdMembers.js";
import { criSocket, etcdMember, etcdPort, labels, paths } from "../../../src/model/hostLayout.js";
import { kubeletLabels, sandboxName } from "../../../src/model/kubeletLabels.js";
import { hasQuorum } from "./etcd.js";
import { type HostState, makeFolders, type MemoryContainer } from "./state.js";

const clientCertificate = `${paths.kubeletRoot}/pki/kubelet-client-current.pem`;
const kubeletState = `${paths.kubeletRoot}/cpu_manager_state`;

interface Manifest {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly containers: readonly { readonly name: string; readonly image: string }[] };
}

export function isRunning(container: MemoryContainer): boolean {
  return container.state === "running";
}

export function componentsOf(state: HostState, component: string): MemoryContainer[] {
  return [...state.containers.values()].filter((container) => container.labels[labels.component] === component);
}

/** The kubelet that works: one that needs cri-dockerd waits for it. */
export function workingKubelet(state: HostState): MemoryContainer | undefined {
  const kubelet = componentsOf(state, "kubelet").find(isRunning);
  const needsCri = kubelet?.command.some((word) => word.includes(criSocket)) ?? false;
  return needsCri && !componentsOf(state, "cri").some(isRunning) ? undefined : kubelet;
}

/** Id of the member that runs on this host. */
export function memberHere(state: HostState): string | undefined {
  return componentsOf(state, "etcd").some(isRunning) ? memberOfData(state) : undefined;
}

/** Of the machines of a cluster all live but, perhaps, this one. */
export function memberLives(state: HostState): (member: EtcdMember) => boolean {
  const own = memberOfData(state);
  return ({ id, name }) => (id === own ? memberHere(state) === id : name !== "");
}

/** Whether etcd takes a write of the API server on this host. */
function etcdServes(state: HostState): boolean {
  const { members } = state.etcd;
  if (members.length === 0) return componentsOf(state, "etcd").some(isRunning);
  const own = members.find(({ id }) => id === memberHere(state));
  return own?.isLearner === false && hasQuorum(state.etcd, memberLives(state));
}

/** Whether the API server of another master answers. */
export function othersAnswer(state: HostState): boolean {
  return state.isFurther && hasQuorum(state.etcd, memberLives(state));
}

/** Whether the API server answers: on a master etcd and the pod of the control plane have to run. */
export function apiAnswers(state: HostState): boolean {
  if (state.isWorker) return true;
  const pod = [...state.containers.values()].find(
    ({ labels: { [kubeletLabels.containerName]: name } }) => name === "apiserver",
  );
  return pod !== undefined && isRunning(pod) && etcdServes(state);
}

export function listens(state: HostState, port: number): boolean {
  const byPort: Readonly<Record<number, () => boolean>> = {
    [etcdPort]: () => componentsOf(state, "etcd").some(isRunning),
    6443: () => apiAnswers(state),
    10248: () => workingKubelet(state) !== undefined,
    10256: () => componentsOf(state, "proxy").some(isRunning),
  };
  const look = byPort[port];
  if (!look) throw new Error(`the memory host knows no port ${port}`);
  return look();
}

/** Lets etcd, the kubelet and the control plane do at once all that they would do in time. */
export function settle(state: HostState): void {
  settleOwn(state);
  if (!state.isWorker && !state.isFurther && !state.files.has(etcdMember)) {
    state.objects.clear();
    state.etcd.members = [];
  }
  const kubelet = workingKubelet(state);
  if (!kubelet) return;
  if (!state.isWorker) settleStaticPods(state);
  if (!apiAnswers(state)) return;
  settleNode(state, kubelet);
  if (!state.isWorker) settleDns(state);
}

/** Cluster DNS answers as soon as a pod of it runs. */
function settleDns(state: HostState): void {
  const path = "/api/v1/namespaces/kube-system/pods/coredns-1";
  if (!answersNames(state)) {
    state.objects.delete(path);
    return;
  }
  state.objects.set(path, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "coredns-1", namespace: "kube-system" },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
}

/** Whether there is a Deployment of CoreDNS, in any version of its API. */
export function answersNames(state: HostState): boolean {
  return [...state.objects.keys()].some((path) => path.endsWith("/namespaces/kube-system/deployments/coredns"));
}

/** Two of a component want the same ports, and an etcd refuses data that a newer minor has raised. */
function settleOwn(state: HostState): void {
  for (const container of state.containers.values()) {
    const component = container.labels[labels.component];
    if (component === undefined || component === "helper") continue;
    if (container.state !== "running" && container.state !== "restarting") continue;
    const hasRival = componentsOf(state, component).some((other) => other !== container && isRunning(other));
    const isRefused = hasRival || (component === "etcd" && !mayOpen(state, container));
    container.state = isRefused ? "restarting" : "running";
    if (isRefused) Object.assign(container, { exitCode: 1, restartCount: container.restartCount + 5 });
  }
}

/** etcd reads data of its own minor and of older ones, which it raises; and of a member that the others know. */
function mayOpen(state: HostState, { image, command }: MemoryContainer): boolean {
  const minorOf = (version: string): number[] => version.split(".").slice(0, 2).map(Number);
  const own = state.images.get(image)?.etcd ?? /etcd[^:]*:v?([\d.]+)/.exec(image)?.[1];
  if (own === undefined) throw new Error(`the memory host knows no etcd version of ${image}`);
  const data = state.files.get(etcdMember)?.content.split(" ")[0];
  const [ownMajor = 0, ownMinor = 0] = minorOf(own);
  const [major = 0, minor = 0] = minorOf(data ?? "0.0");
  if (major > ownMajor || (major === ownMajor && minor > ownMinor)) return false;
  const member = memberToBe(state, command);
  if (member === "none") return false;
  makeFolders(state, paths.etcd);
  // The cluster's version, and with it the data's, is that of its oldest member.
  const oldest = state.etcd.members.length > 1 ? [own, state.etcd.version].sort(compare)[0] : own;
  // On a machine it is a folder. Its content here is the minor version that raised it last, and whose it is.
  state.files.set(etcdMember, { mode: 0o600, content: [minorOf(oldest ?? own).join("."), ...member].join(" ") });
  return true;
}

function memberOfData({ files }: HostState): string | undefined {
  return files.get(etcdMember)?.content.split(" ")[1];
}

/** The id of the member that an etcd with this command is; nothing where it knows of no others; `none` if it ends. */
function memberToBe({ files, etcd, ...state }: HostState, command: readonly string[]): readonly string[] | "none" {
  const how = flagOf(command, "initial-cluster-state");
  if (how === undefined) return [];
  const own = memberOfData({ files, etcd, ...state });
  if (files.has(etcdMember)) return etcd.members.some(({ id }) => id === own) ? [own ?? ""] : "none";
  const name = flagOf(command, "name") ?? "";
  const peerUrl = flagOf(command, "initial-advertise-peer-urls") ?? "";
  if (how === "new") {
    etcd.members = [{ id: "1", name, peerUrls: [peerUrl], clientUrls: [], isLearner: false }];
    return ["1"];
  }
  const member = memberAt(etcd.members, peerUrl);
  // One that has run is told by its data alone.
  if (member?.name !== "") return "none";
  if (flagOf(command, "initial-cluster") !== initialCluster(etcd.members, { name, peerUrl })) return "none";
  etcd.members = etcd.members.map((one) => (one === member ? { ...one, name } : one));
  return [member.id];
}

/** A pod's uid is the digest of its manifest: another manifest is another pod. */
function settleStaticPods(state: HostState): void {
  const wanted = new Map<string, Manifest>();
  for (const [path, { content }] of state.files) {
    if (!path.startsWith(`${paths.manifests}/`) || path.includes("/.")) continue;
    const { uid, manifest } = parsed(content);
    wanted.set(uid, manifest);
  }
  const known = new Set<string>();
  for (const container of [...state.containers.values()]) {
    const uid = container.labels[kubeletLabels.podUid];
    // With dashes it is the API server's.
    if (uid === undefined || uid.includes("-")) continue;
    if (wanted.has(uid)) known.add(uid);
    else state.containers.delete(container.id);
  }
  for (const [uid, manifest] of wanted) if (!known.has(uid)) makePod(state, uid, manifest);
}

/** By content: a host looks at the same few manifests hundreds of times. */
const manifests = new Map<string, { readonly uid: string; readonly manifest: Manifest }>();

function parsed(content: string): { readonly uid: string; readonly manifest: Manifest } {
  const known = manifests.get(content) ?? {
    uid: createHash("md5").update(content).digest("hex"),
    manifest: JSON.parse(content) as Manifest,
  };
  manifests.set(content, known);
  return known;
}

function makePod(state: HostState, uid: string, { metadata, spec }: Manifest): void {
  const pod = `${metadata.name}-${nodeName(workingKubelet(state))}`;
  for (const { name, image } of [{ name: sandboxName, image: "pause" }, ...spec.containers]) {
    state.made += 1;
    const id = `pod${state.made}`;
    state.containers.set(id, {
      id,
      name: `k8s_${name}_${pod}_kube-system_${uid}_0`,
      image,
      command: [],
      binds: [],
      labels: {
        [kubeletLabels.containerName]: name,
        [kubeletLabels.podName]: pod,
        [kubeletLabels.podNamespace]: "kube-system",
        [kubeletLabels.podUid]: uid,
      },
      restartPolicy: "no",
      createdAt: state.made,
      state: "running",
      exitCode: 0,
      restartCount: 0,
      startedAt: new Date().toISOString(),
    });
  }
}

function nodeName(kubelet: MemoryContainer | undefined): string {
  return flagOf(kubelet?.command ?? [], "hostname-override") ?? "node";
}

/** A kubelet without a kubeconfig bootstraps; then it registers its node, and reports it. */
function settleNode(state: HostState, kubelet: MemoryContainer): void {
  if (!state.files.has(paths.kubeletConf)) {
    if (!state.files.has(paths.bootstrapKubeletConf)) return;
    state.files.set(paths.kubeletConf, { mode: 0o600, content: `names ${clientCertificate}` });
    makeFolders(state, `${paths.kubeletRoot}/pki`);
    state.files.set(clientCertificate, { mode: 0o600, content: "certificate by bootstrap" });
  }
  state.files.set(kubeletState, { mode: 0o600, content: "{}" });
  state.heartbeatMs = Date.now();
  const name = nodeName(kubelet);
  const path = `/api/v1/nodes/${name}`;
  const own = { "kubernetes.io/hostname": name };
  state.objects.set(
    path,
    state.objects.get(path) ?? { apiVersion: "v1", kind: "Node", metadata: { name, labels: own }, spec: {} },
  );
  if (state.isWorker || state.isFurther) allocatePodCidr(state, path);
}

/** What a controller-manager does: at once for a worker, on a new master only ten seconds after its start. */
export function allocateInTime(state: HostState, path: string): void {
  const spec = state.objects.get(path)?.["spec"] as { readonly podCIDR?: string } | undefined;
  if (spec?.podCIDR === undefined) state.looks += 1;
  if (state.looks > 4) allocatePodCidr(state, path);
}

export function allocatePodCidr(state: HostState, path: string): void {
  const node = state.objects.get(path);
  if (!node) return;
  const spec = node["spec"] as { readonly podCIDR?: string } | undefined;
  const podCIDR = state.isWorker || state.isFurther ? "10.244.7.0/24" : "10.244.0.0/24";
  state.objects.set(path, { ...node, spec: { podCIDR, podCIDRs: [podCIDR], ...spec } });
}

/** Ready needs a network for pods with a pod CIDR, and a kubelet that still reports. */
export function nodeStatus(state: HostState, path: string): unknown {
  const { podCIDR } = (state.objects.get(path)?.["spec"] ?? {}) as { readonly podCIDR?: string };
  const isReady = podCIDR !== undefined && [...state.files.keys()].some((path) => path.startsWith(`${paths.cniConf}/`));
  if (workingKubelet(state)) state.heartbeatMs = Date.now();
  const lastHeartbeatTime = new Date(state.heartbeatMs).toISOString().replace(/\.\d+/, "");
  return { conditions: [{ type: "Ready", status: isReady ? "True" : "False", lastHeartbeatTime, message: "no network" }] };
}
