import type { ContainerSummary } from "../model/dockerObjects.js";
import type { EngineFacts, HostFacts } from "../model/hostFacts.js";

/**
 * Both tiers of facts with containers as listed after the host's facts were read. A kubelet may replace a pod's
 * container at any time: a list from before does not have the container of a process that has started to listen since,
 * which would then pass for somebody else's. A container that only the earlier list has was removed meanwhile, so
 * nothing listens in it any more.
 */
export function withContainersNow(
  engine: EngineFacts,
  host: HostFacts,
  containers: readonly ContainerSummary[],
): { readonly engine: EngineFacts; readonly host: HostFacts } {
  const now = new Set(containers.map(({ id }) => id));
  const removed = new Set(engine.containers.map(({ id }) => id).filter((id) => !now.has(id)));
  const listeningPorts = host.listeningPorts.filter(({ container = "" }) => !removed.has(container));
  return { engine: { ...engine, containers }, host: { ...host, listeningPorts } };
}
