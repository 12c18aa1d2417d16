import { displayName } from "../apply/diagnose.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { kubeletLabels, sandboxName } from "../model/kubeletLabels.js";
import { isKubeletMade, isOurs } from "../model/ownership.js";

/** Our own containers and those of the control plane's pods by what people call them; of several lives, the latest. */
export function componentsOf(containers: readonly ContainerSummary[]): Map<string, ContainerSummary> {
  const newest = new Map<string, ContainerSummary>();
  for (const container of containers) {
    if (!isOurs(container) && !isControlPlane(container)) continue;
    const known = newest.get(displayName(container));
    if (!known || known.createdAt < container.createdAt) newest.set(displayName(container), container);
  }
  return new Map([...newest].sort(([a], [b]) => a.localeCompare(b)));
}

/** @throws TsdeployError `usage`, `NO_SUCH_COMPONENT`, with those that there are */
export function componentNamed(
  name: string,
  containers: readonly ContainerSummary[],
  { endpoint }: ContainerEngine,
): ContainerSummary {
  const components = componentsOf(containers);
  const container = components.get(name);
  if (container) return container;
  const known = [...components.keys()].join(", ");
  throw new TsdeployError("usage", {
    code: "NO_SUCH_COMPONENT",
    message: `nothing called ${name} runs on ${endpoint}`,
    hint: known === "" ? "Nothing of tsdeploy's is here." : `There are: ${known}.`,
  });
}

/** A kubelet makes the uid of a static pod from its manifest: a digest, where the API server's are UUIDs. */
function isControlPlane(container: ContainerSummary): boolean {
  const { [kubeletLabels.podUid]: uid = "-", [kubeletLabels.containerName]: name } = container.labels;
  return isKubeletMade(container) && !uid.includes("-") && name !== sandboxName;
}
