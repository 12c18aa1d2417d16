import { addAbortSignal, type Duplex } from "node:stream";
import * as dns from "dns-packet";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { Helper } from "../host/helperSession.js";
import { messageOf } from "../model/errors.js";
import type { Probe } from "../model/plan.js";
import { isReady, type Pod, sightOf } from "./podState.js";
import { tolerant } from "./probes.js";
import type { Sight } from "./waitFor.js";

type NameProbe = Extract<Probe, { readonly kind: "name-resolves" }>;

/** Where cluster DNS is by Kubernetes' own custom. */
const dnsPods = "/api/v1/namespaces/kube-system/pods";
const dnsSelector = "k8s-app=kube-dns";

/** How long one answer may take: it comes from the same machine, or from a neighbour. */
const answerMs = 5_000;

/** Asks DNS only when a pod of it is ready: each question is a program started on the host. */
export async function probeNameResolves(
  api: KubernetesClient,
  helper: Pick<Helper, "openTcp">,
  { name, address, server }: NameProbe,
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant("the cluster's DNS", async () => {
    const pods = await api.list<Pod>(dnsPods, { signal, query: { labelSelector: dnsSelector } });
    if (!pods.some(isReady)) return sightOf(pods, "there is no pod of the cluster's DNS");
    const answer = await ask(helper, { name, server }, signal);
    if (answer === address) return { done: true };
    return { done: false, seen: `DNS at ${server} says of ${name}: ${answer}` };
  });
}

/** The address by which the server knows the name, or in words what it says instead. */
async function ask(
  helper: Pick<Helper, "openTcp">,
  { name, server }: Pick<NameProbe, "name" | "server">,
  signal: AbortSignal,
): Promise<string> {
  const stream = await helper.openTcp(server, 53);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  try {
    return await exchange(stream, name, limit);
  } catch (error) {
    signal.throwIfAborted();
    return limit.aborted ? "nothing" : `nothing (${messageOf(error)})`;
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
  return "nothing";
}

function told({ answers = [], ...packet }: dns.Packet): string {
  const found = answers.flatMap((answer) => (answer.type === "A" ? [answer.data] : []));
  return found[0] ?? (packet as { readonly rcode?: string }).rcode ?? "no address";
}
