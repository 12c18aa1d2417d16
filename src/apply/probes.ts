import { minor, parse } from "semver";
import { ApiError, type KubernetesClient } from "../api/kubernetesClient.js";
import type { Helper } from "../host/helperSession.js";
import { type AddressRanges, isIpv6 } from "../model/addressRanges.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import type { PodsOfNode } from "../network/podNetwork.js";
import { getIfThere } from "./getIfThere.js";
import type { Sight } from "./waitFor.js";

/** What we read of a Node object. */
export interface Node {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly podCIDR?: string;
    /** All of them; versions before v1.16 have only the one above. */
    readonly podCIDRs?: readonly string[];
    readonly taints?: readonly unknown[];
    readonly unschedulable?: boolean;
  };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
      readonly lastHeartbeatTime?: string;
    }[];
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    readonly nodeInfo?: { readonly kubeletVersion: string };
  };
}

export function isReadyNode({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false;
}

export function isMasterNode({ metadata }: Node): boolean {
  return metadata.labels?.["node-role.kubernetes.io/control-plane"] !== undefined;
}

/** Of its kubelet, such as `v1.20.2`. */
export function nodeVersion({ status }: Node): string {
  return status?.nodeInfo?.kubeletVersion ?? "?";
}

/** Where a node's pods are, one place for each of its pod CIDRs; empty before it has them. */
export function podsOf({ metadata, spec, status }: Node): PodsOfNode[] {
  const addresses = status?.addresses?.filter(({ type }) => type === "InternalIP") ?? [];
  return (podCidrsOf(spec) ?? []).flatMap((podCidr) => {
    const address = addresses.find((candidate) => isIpv6(candidate.address) === isIpv6(podCidr))?.address;
    return address === undefined ? [] : [{ node: metadata.name, podCidr, address }];
  });
}

/** A node's pod CIDRs; undefined before it has them. */
export function podCidrsOf(spec: Node["spec"]): AddressRanges | undefined {
  if (spec?.podCIDR === undefined || spec.podCIDR === "") return undefined;
  return [spec.podCIDR, ...(spec.podCIDRs ?? []).slice(1)];
}

/** @returns undefined if there is no such node */
export async function nodeOf(api: KubernetesClient, name: string, signal: AbortSignal): Promise<Node | undefined> {
  return getIfThere<Node>(api, `/api/v1/nodes/${name}`, signal);
}

/**
 * One exec waits inside the host until the port accepts, instead of one exec a try. A host that has not come so far in
 * ten seconds is slow, and needs its processor for what is waited for. An edited manifest may have the image of another
 * version; one of the same minor version is no harm to kubelets.
 */
export async function probeApiServes(
  api: KubernetesClient,
  helper: Helper,
  version: string,
  signal: AbortSignal,
): Promise<Sight> {
  const accepts = `(exec 3<>/dev/tcp/127.0.0.1/${apiserverPort}) 2>/dev/null`;
  const script = `until ${accepts}; do if ((SECONDS < 10)); then sleep 0.05; else sleep 1; fi; done`;
  await helper.run(script, [], { signal });
  return tolerant("the API server", async () => {
    const { gitVersion } = await api.get<{ readonly gitVersion: string }>("/version", { signal });
    const there = parse(gitVersion);
    // What was built without a version calls itself v0.0.0.
    if (!there || there.major === 0 || there.minor === minor(version)) return { done: true };
    return { done: false, seen: `the API server is of ${gitVersion}, not of ${version}: see its manifest in ${paths.manifests}` };
  });
}

export async function probeApi(api: KubernetesClient, signal: AbortSignal): Promise<Sight> {
  return tolerant("the API server", async () => {
    await api.healthz({ signal });
    return { done: true };
  });
}

export async function probeNodeRegistered(api: KubernetesClient, name: string, signal: AbortSignal): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const node = await nodeOf(api, name, signal);
    return node ? { done: true } : { done: false, seen: `node ${name} has not registered`, isMissing: true };
  });
}

export async function probeNodeReady(
  api: KubernetesClient,
  name: string,
  notBeforeMs: number,
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const node = await nodeOf(api, name, signal);
    if (!node) return { done: false, seen: `node ${name} has not registered` };
    const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
    if (!ready) return { done: false, seen: `node ${name} has not reported its state` };
    // Kubernetes writes whole seconds, cut off.
    const heartbeatMs = Date.parse(ready.lastHeartbeatTime ?? "") + 999;
    if (heartbeatMs < notBeforeMs) return { done: false, seen: `node ${name} has not reported since its kubelet started` };
    if (ready.status === "True") return { done: true };
    return { done: false, seen: `node ${name} is not Ready: ${ready.message ?? "no reason given"}` };
  });
}

export async function probeNodeCidr(api: KubernetesClient, name: string, signal: AbortSignal): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const node = await nodeOf(api, name, signal);
    return podCidrsOf(node?.spec) === undefined ? { done: false, seen: `node ${name} has no pod CIDR` } : { done: true };
  });
}

export async function probeNodeAnnotations(
  api: KubernetesClient,
  name: string,
  annotations: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Sight> {
  return tolerant(`node ${name}`, async () => {
    const now = (await nodeOf(api, name, signal))?.metadata.annotations ?? {};
    const missing = Object.entries(annotations).find(([key, value]) => now[key] !== value);
    if (!missing) return { done: true };
    const [key, value] = missing;
    const seen = `node ${name} has ${key} ${now[key] ?? "not yet"}, not ${value}`;
    return { done: false, seen, ...(now[key] === undefined && { isMissing: true }) };
  });
}

/** A probe goes on through an API server that restarts, and through credentials that are not yet known to it. */
export async function tolerant(subject: string, look: () => Promise<Sight>): Promise<Sight> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof ApiError || (error instanceof TsdeployError && error.kind === "unreachable")) {
      return { done: false, seen: `${subject}: ${messageOf(error)}` };
    }
    throw error;
  }
}
