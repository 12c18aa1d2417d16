import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { labels } from "../model/hostLayout.js";
import { kubeletLabels, sandboxName } from "../model/kubeletLabels.js";

/**
 * The last log lines of what looks ill on this host: our own containers that are not running or were restarted, and
 * control-plane containers that ended.
 */
export async function diagnose(engine: ContainerEngine): Promise<string[]> {
  const containers = await engine.listContainers();
  const ill = await Promise.all(
    containers.map(async (container) => ((await isIll(engine, container)) ? container : undefined)),
  );
  const newestByName = new Map<string, ContainerSummary>();
  for (const container of ill) {
    if (!container) continue;
    const known = newestByName.get(displayName(container));
    if (!known || known.createdAt <= container.createdAt) newestByName.set(displayName(container), container);
  }
  return Promise.all(
    [...newestByName].map(([name, { id, name: containerName, status }]) =>
      lastWords(engine, { id, name: containerName, title: `${name} (${status})` }),
    ),
  );
}

/** A kubelet without its API server says so ten times a second. */
const noise = /"?node "?[^ ]+"? not found"?$/;

/** How Go programs say why they end; a usage text or a stack may follow. etcd says why before its panic. */
const lastSigh = /^(Error: |panic: |F\d{4} |E\d{4} .*(failed to|invalid)|\{"level":"(fatal|panic)")/;
const unknownFlag = /unknown flag|^flag provided but not defined/;

/** The last lines of a container's log, what it said on ending first, and how to see more. */
export async function lastWords(
  engine: ContainerEngine,
  container: { readonly id: string; readonly name: string; readonly title: string },
): Promise<string> {
  const log = await engine.containerLogs(container.id, { tail: 200 }).catch(() => "");
  const said = withoutStacks(log.trimEnd().split("\n")).filter((line) => !noise.test(line));
  const cause = said.filter((line) => lastSigh.test(line) || unknownFlag.test(line)).slice(-2);
  const lines = [...new Set([...cause, ...said.slice(-5)])].slice(0, 5);
  return [
    `${container.title} said last:`,
    ...lines.map((line) => `    ${line}`),
    `  more: docker logs ${container.name}`,
  ].join("\n");
}

/** Without Go's stacks, which bury the reason. Those of several ends may follow each other. */
function withoutStacks(lines: readonly string[]): string[] {
  let inStack = false;
  return lines
    .filter((line) => {
      inStack = /^goroutine \d+ \[/.test(line) || (inStack && /^$|^\t|^created by |^\S+\(.*\)$/.test(line));
      return !inStack;
    })
    .map((line) => line.replace(/,"stacktrace":".*"\}$/, "}"));
}

/** `etcd`, `apiserver`: what a person calls it. */
export function displayName(container: ContainerSummary): string {
  return container.labels[labels.component] ?? container.labels[kubeletLabels.containerName] ?? container.name;
}

async function isIll(engine: ContainerEngine, container: ContainerSummary): Promise<boolean> {
  const component = container.labels[labels.component];
  if (component === "helper") return false;
  if (component) {
    if (container.state !== "running") return true;
    return ((await engine.inspectContainer(container.id))?.restartCount ?? 0) > 0;
  }
  return (
    container.labels[kubeletLabels.podNamespace] === "kube-system" &&
    container.labels[kubeletLabels.containerName] !== sandboxName &&
    container.state === "exited"
  );
}
