import { addAbortSignal, type Duplex } from "node:stream";
import * as dns from "dns-packet";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { Helper } from "../host/helperSession.js";
import { messageOf } from "../model/errors.js";
import type { Probe } from "../model/plan.js";
import { withAnySignal } from "../model/signals.js";
import { podNetworkOf } from "../network/podNetworks.js";
import type { Report } from "../report/events.js";
import { isReady, type Pod, sightOf } from "./podState.js";
import { type Node, podsOf, tolerant } from "./probes.js";
import type { Sight } from "./waitFor.js";

type NameProbe = Extract<Probe, { readonly kind: "name-resolves" }>;

/** Where cluster DNS is by Kubernetes' own custom. */
const dnsPods = "/api/v1/namespaces/kube-system/pods";
const dnsSelector = "k8s-app=kube-dns";

/** What a server says that does not answer. */
const silence = "nothing";

/** How long one answer may take: it comes from the same machine, or from a neighbour. */
const answerMs = 5_000;

/** What a probe asks, and whom it warns. */
interface Means {
  readonly api: KubernetesClient;
  readonly helper: Pick<Helper, "openTcp" | "run">;
  readonly report: Report;
  /** Of the whole wait: how long a connection may take is measured by it. */
  readonly timeoutMs: number;
}

/** Asks DNS only when a pod of it is ready: each question is a program started on the host. */
export async function probeNameResolves(means: Means, probe: NameProbe, signal: AbortSignal): Promise<Sight> {
  const { api, helper, report } = means;
  const { name, address, server } = probe;
  return tolerant("the cluster's DNS", async () => {
    const pods = await api.list<Pod>(dnsPods, { signal, query: { labelSelector: dnsSelector } });
    if (!pods.some(isReady)) return sightOf(pods, "there is no pod of the cluster's DNS");
    const answer = await ask(helper, { name, server }, signal);
    if (answer === address) return { done: true };
    const sight: Sight = { done: false, seen: `DNS at ${server} says of ${name}: ${answer}` };
    if (!answer.startsWith(silence)) return sight;
    const warning = await missingRoutes(means, probe, pods.filter(isReady), signal);
    if (warning === undefined) return sight;
    report({ kind: "warning", message: warning });
    return { done: true };
  });
}

/**
 * What to tell the owner of a network without the routes to DNS on other nodes: kubelets there have found it well, so
 * that nothing is wrong with DNS itself. Undefined if routes are not the owner's, or if that is not what keeps it from
 * being heard.
 */
async function missingRoutes(
  means: Means,
  { name, address, node, network }: NameProbe,
  ready: readonly Pod[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { api, helper } = means;
  const [local, remote] = [ready.filter((pod) => isOn(pod, node)), ready.filter((pod) => !isOn(pod, node))];
  if (remote.length === 0) return undefined;
  const nodes = (await api.list<Node>("/api/v1/nodes", { signal })).flatMap(podsOf);
  if (podNetworkOf({ network }).routes(nodes).length === 0) return undefined;
  const reached = await Promise.all(remote.map((pod) => isReached(means, pod, signal)));
  const lost = remote.filter((_, index) => reached[index] === false);
  const routes = podNetworkOf({ network }).routes(nodes.filter((one) => lost.some((pod) => isOn(pod, one.node))));
  if (routes.length === 0) return undefined;
  for (const { status } of local) {
    if ((await ask(helper, { name, server: status?.podIP ?? "" }, signal)) !== address) return undefined;
  }
  const where = lost.map(({ metadata, spec }) => `${metadata.name} on ${spec?.nodeName ?? "?"}`).join(", ");
  return (
    `DNS is ready, but this node does not reach all of it (${where}): names resolve here ` +
    `${local.length > 0 ? "only now and then" : "only"} when your network has the missing routes: ` +
    `${routes.map((route) => `\`ip route add ${route}\``).join(", ")}. \`tsdeploy status\` shows those of all nodes.`
  );
}

function isOn({ spec }: Pod, node: string): boolean {
  return spec?.nodeName === node;
}

/** Whether the host's own packets reach the pod: what is refused has arrived. As patient as requests to the API. */
async function isReached({ helper, timeoutMs }: Means, { status }: Pod, signal: AbortSignal): Promise<boolean> {
  const seconds = Math.ceil(Math.max(10_000, timeoutMs / 12) / 1000);
  const { stdout } = await helper.run(reachScript, [status?.podIP ?? "", String(seconds)], { signal });
  return stdout.toString().includes("reached");
}

const reachScript = `
words=$(timeout "$2" bash -c 'exec 3<>"/dev/tcp/$0/53"' "$1" 2>&1) || [[ $words == *refused* ]] || exit 0
echo reached
`;

/** The address by which the server knows the name, or in words what it says instead. */
async function ask(
  helper: Pick<Helper, "openTcp">,
  { name, server }: Pick<NameProbe, "name" | "server">,
  signal: AbortSignal,
): Promise<string> {
  const stream = await helper.openTcp(server, 53);
  const deadline = AbortSignal.timeout(answerMs);
  try {
    return await withAnySignal([signal, deadline], (either) => exchange(stream, name, either));
  } catch (error) {
    signal.throwIfAborted();
    return deadline.aborted ? silence : `${silence} (${messageOf(error)})`;
  } finally {
    stream.on("error", () => undefined);
    stream.destroy();
  }
}

async function exchange(stream: Duplex, name: string, signal: AbortSignal): Promise<string> {
  const question = { type: "A" as const, name };
  addAbortSignal(signal, stream);
  stream.write(dns.streamEncode({ type: "query", id: 1, flags: dns.RECURSION_DESIRED, questions: [question] }));
  let received = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    received = Buffer.concat([received, chunk]);
    // Two bytes say how long what follows is.
    const isWhole = received.length >= 2 && received.length >= 2 + received.readUInt16BE(0);
    if (isWhole) return told(dns.streamDecode(received));
  }
  // A connection that nobody took.
  return silence;
}

function told({ answers = [], ...packet }: dns.Packet): string {
  const found = answers.flatMap((answer) => (answer.type === "A" ? [answer.data] : []));
  return found[0] ?? (packet as { readonly rcode?: string }).rcode ?? "no address";
}
