import type { ContainerEngine } from "../docker/containerEngine.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import { kubeletLabels, sandboxName } from "../model/kubeletLabels.js";
import * as z from "../model/zod.js";
import type { Sight } from "./waitFor.js";

const manifest = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ containers: z.array(z.unknown()) }),
});

/** A static pod whose manifest a run changes under a living kubelet. */
export interface ChangedPod {
  readonly name: string;
  /** How many its new manifest has. */
  readonly containers: number;
  /** Ids of those that ran before. */
  readonly before: readonly string[];
}

/** The static pods that these files are manifests of, with what runs of them now. */
export async function changedPods(engine: ContainerEngine, files: readonly HostFile[]): Promise<ChangedPod[]> {
  return Promise.all(
    files
      .filter(({ path }) => path.startsWith(`${paths.manifests}/`))
      .map(async ({ content }) => {
        const { metadata, spec } = manifest.parse(JSON.parse(content));
        const running = await runningContainers(engine, metadata.name);
        return { name: metadata.name, containers: spec.containers.length, before: running.map(({ id }) => id) };
      }),
  );
}

/** Whether the kubelet runs the pod by its new manifest; the old API server may take its whole grace period to end. */
export async function probeRestarted(engine: ContainerEngine, pod: ChangedPod): Promise<Sight> {
  const running = await runningContainers(engine, pod.name);
  if (running.filter(({ id }) => !pod.before.includes(id)).length >= pod.containers) return { done: true };
  return { done: false, seen: `the kubelet has not restarted pod ${pod.name} with its new manifest` };
}

/**
 * Whether a pod is not just ending an earlier life: a manifest that is put back then has the very uid of the pod that
 * the kubelet is killing, which v1.20 mixes up.
 */
export async function probeSettled(engine: ContainerEngine, { name }: ChangedPod): Promise<Sight> {
  const lives = new Set((await runningContainers(engine, name)).map(({ uid }) => uid));
  return lives.size <= 1 ? { done: true } : { done: false, seen: `pod ${name} is ending an earlier life` };
}

/** Those of this host's static pod of that name, without the sandbox. */
async function runningContainers(
  engine: ContainerEngine,
  pod: string,
): Promise<{ readonly id: string; readonly uid: string }[]> {
  const containers = await engine.listContainers([`${kubeletLabels.podNamespace}=kube-system`]);
  return containers
    .filter(({ state, labels }) => {
      // The kubelet appends its node's name to that of a static pod.
      const isOfPod = labels[kubeletLabels.podName]?.startsWith(`${pod}-`) ?? false;
      return state === "running" && isOfPod && labels[kubeletLabels.containerName] !== sandboxName;
    })
    .map(({ id, labels }) => ({ id, uid: labels[kubeletLabels.podUid] ?? "" }));
}
