import { readFile } from "node:fs/promises";
import { fromKubeconfig } from "../api/fromKubeconfig.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { openDirectly } from "../api/openDirectly.js";
import { isReadyNode, type Node, nodeVersion, podCidrsOf, podsOf } from "../apply/probes.js";
import { acceptedNode, isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import { type AddonState, addonStates } from "../deploy/addonStates.js";
import { componentsOf } from "../deploy/components.js";
import { apiByKubeconfig } from "../deploy/hostApi.js";
import { type LookedAtHost, withLook } from "../deploy/withHelper.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { familiesText } from "../model/addressRanges.js";
import { defined } from "../model/defined.js";
import { messageOf } from "../model/errors.js";
import type { ExistingFile, InterfaceAddress } from "../model/hostFacts.js";
import { labels, paths } from "../model/hostLayout.js";
import type { StatusOptions } from "../model/options.js";
import { isOurs } from "../model/ownership.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { certificateExpiries, type CertificateExpiry } from "../pki/certificateExpiries.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { clusterStatus } from "./clusterStatus.js";
import { progressText, type UpgradeProgress, upgradeProgress } from "./upgradeProgress.js";
import { watchStatus } from "./watchStatus.js";

interface NodeRow {
  readonly name: string;
  readonly ready: boolean;
  readonly version: string;
  readonly address: string;
  /** Addresses of its pods; undefined before it has some. */
  readonly podCidr?: string;
}

const dayMs = 24 * 60 * 60 * 1000;

/** `tsdeploy status`: what runs on this host, in which version, how well, and until when its certificates are good. */
export async function status(options: StatusOptions, context: RunContext): Promise<CommandResult> {
  if (options.hosts) {
    const { hosts, watch, output } = options;
    return watch === true ? watchStatus(hosts, output, context) : clusterStatus(hosts, context);
  }
  return withLook(options, context, (host) => statusOf(host, options, context));
}

async function statusOf(host: LookedAtHost, options: StatusOptions, context: RunContext): Promise<CommandResult> {
  const { helper } = host;
  const [files, nowMs, addresses] = await Promise.all([helper.readFiles(), helper.clockMs(), helper.addresses()]);
  const components = componentsOf(host.containers);
  const first = host.containers.find(isOurs);
  const certificates = certificateExpiries(files);
  const cluster = await lookAtCluster(host, files, options, context);
  const data = {
    cluster: first?.labels[labels.cluster],
    role: first?.labels[labels.role],
    version: first?.labels[labels.version],
    apiserver: cluster.server,
    health: cluster.health,
    address: addressOf(files, addresses),
    components: [...components].map(([component, { name, state, status: text, image }]) => ({
      component,
      container: name,
      image,
      state,
      status: text,
    })),
    certificates: certificates.map(({ name, path, notAfterMs }) => ({
      name,
      path,
      expires: new Date(notAfterMs).toISOString(),
    })),
    nodes: cluster.nodes?.map(rowOf),
    upgrade: progressOf(cluster, first),
    routes: neededRoutes(files, cluster.nodes),
    addons: cluster.addons,
  };
  const { endpoint } = host.engine;
  const { routes, address } = data;
  return { data, text: describe({ first, components, certificates, cluster, routes, address, nowMs, endpoint }) };
}

interface ClusterView {
  readonly server?: string;
  /** `ok`, or what is wrong; undefined if this host has no credential for it. */
  readonly health?: string;
  /** Undefined without an administrator's credential. */
  readonly nodes?: readonly Node[];
  /** Those that are on, on a master. */
  readonly addons?: readonly AddonState[];
}

async function lookAtCluster(
  { helper }: LookedAtHost,
  files: ReadonlyMap<string, ExistingFile>,
  { kubeconfig }: StatusOptions,
  { signal }: RunContext,
): Promise<ClusterView> {
  const isMaster = files.has(paths.adminConf);
  let api: KubernetesClient | undefined;
  try {
    api =
      kubeconfig === undefined
        ? await apiByKubeconfig(helper, files, isMaster ? paths.adminConf : paths.kubeletConf)
        : await apiOfOperator(kubeconfig);
    if (!api) return {};
    await api.healthz({ signal });
    const nodes = isMaster || kubeconfig !== undefined ? await api.list<Node>("/api/v1/nodes", { signal }) : undefined;
    const addons = isMaster && kubeconfig === undefined ? await addonStates(api, files, signal) : undefined;
    return { server: api.server, health: "ok", ...defined({ nodes, addons }) };
  } catch (error) {
    return { ...(api && { server: api.server }), health: messageOf(error) };
  } finally {
    api?.close();
  }
}

async function apiOfOperator(path: string): Promise<KubernetesClient> {
  return fromKubeconfig({
    path,
    text: await readFile(path, "utf8"),
    connect: openDirectly,
    readFile: (name) => readFile(name, "utf8"),
  });
}

function rowOf(node: Node): NodeRow {
  const { metadata, spec, status: state } = node;
  const podCidrs = podCidrsOf(spec);
  return {
    name: metadata.name,
    ready: isReadyNode(node),
    version: nodeVersion(node),
    address: state?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "?",
    ...defined({ podCidr: podCidrs && familiesText(podCidrs) }),
  };
}

/** Where the node is by its last run, and where the host is. */
interface AddressView {
  readonly node: string;
  /** Whether the host still has that address. */
  readonly isThere: boolean;
  /** Those of the interface that had it; all, where that is not known. */
  readonly host: readonly string[];
}

/** Undefined on a host that is no node, or that shows no addresses. */
export function addressOf(
  files: ReadonlyMap<string, ExistingFile>,
  addresses: readonly InterfaceAddress[],
): AddressView | undefined {
  const node = acceptedNode(files);
  // A host that shows none at all cannot be compared.
  if (!node || addresses.length === 0) return undefined;
  const {
    ip: [ip],
    ipInterface,
  } = node;
  const near = addresses.filter((one) => ipInterface === undefined || one.interface === ipInterface);
  return {
    node: ip,
    isThere: addresses.some(({ address }) => address === ip),
    host: near.map(({ address }) => address),
  };
}

/** What the owner's network has to have, of a master's cluster. */
function neededRoutes(files: ReadonlyMap<string, ExistingFile>, nodes: readonly Node[] = []): string[] {
  const accepted = files.get(paths.options)?.content;
  if (accepted === undefined || !isMasterOptions(accepted)) return [];
  return podNetworkOf(parseAcceptedOptions(accepted)).routes(nodes.flatMap(podsOf));
}

interface HostView {
  readonly first: ContainerSummary | undefined;
  readonly components: ReadonlyMap<string, ContainerSummary>;
  readonly certificates: readonly CertificateExpiry[];
  readonly cluster: ClusterView;
  /** Those that the owner's network has to have. */
  readonly routes: readonly string[];
  readonly address: AddressView | undefined;
  /** The host's clock, by which its certificates end. */
  readonly nowMs: number;
  readonly endpoint: string;
}

function describe(view: HostView): string {
  const { first, components, certificates, cluster, routes, nowMs, endpoint } = view;
  if (!first) return `Nothing of tsdeploy runs on ${endpoint}`;
  const own = (name: keyof typeof labels): string => first.labels[labels[name]] ?? "?";
  const soonest = [...certificates].sort((a, b) => a.notAfterMs - b.notAfterMs)[0];
  const days = soonest && Math.floor((soonest.notAfterMs - nowMs) / dayMs);
  return [
    `${own("role")} of cluster ${own("cluster")}, Kubernetes ${own("version")}`,
    ...(cluster.server === undefined && cluster.health === undefined
      ? []
      : [`API server${cluster.server === undefined ? "" : ` ${cluster.server}`}: ${cluster.health ?? "not queried"}`]),
    ...[progressOf(cluster, first)].flatMap((progress) => (progress ? [progressText(progress)] : [])),
    ...moves(view, own("role")),
    "",
    ...table([...components].map(([component, { status: text }]) => [component, text])),
    ...(soonest && days !== undefined
      ? ["", `Certificates: the first to end is ${soonest.name}, in ${days} days (${iso(soonest.notAfterMs)})`]
      : []),
    ...(cluster.addons && cluster.addons.length > 0 ? ["", ...table(cluster.addons.map(addonCells))] : []),
    ...(cluster.nodes
      ? ["", ...table(cluster.nodes.map(rowOf).map((node) => [node.name, node.ready ? "Ready" : "NotReady", node.version, node.address]))]
      : []),
    ...(routes.length > 0
      ? ["", "Routes to pods that the other machines need:", ...routes.map((route) => `  ip route add ${route}`)]
      : []),
  ].join("\n");
}

/** Of a master's cluster: with another kubeconfig the version of this host says nothing. */
function progressOf({ nodes }: ClusterView, host: ContainerSummary | undefined): UpgradeProgress | undefined {
  if (!nodes || host?.labels[labels.role] !== "master") return undefined;
  return upgradeProgress(nodes, host.labels[labels.version]);
}

/** What to do where an address is not what it was. */
function moves({ address, cluster }: HostView, role: string): string[] {
  const isWorker = role === "worker";
  const master = cluster.server === undefined ? "ADDRESS" : new URL(cluster.server).hostname;
  const again = isWorker ? `tsdeploy worker --master ${master}` : "tsdeploy master";
  return [
    ...(address?.isThere === false
      ? [`Address: ${address.node}, which this host has no more (now: ${address.host.join(", ") || "none"}): run \`${again}\``]
      : []),
    ...(isWorker && cluster.health !== undefined && cluster.health !== "ok"
      ? ["  If the master has another address now, run `tsdeploy worker --master ADDRESS` here with that"]
      : []),
  ];
}

function addonCells({ name, ready, wanted }: AddonState): string[] {
  return [`add-on ${name}`, wanted === undefined ? "is not there" : `${ready ?? 0} of ${wanted} ready`];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
