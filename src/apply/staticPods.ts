import { z } from "zod";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { paths } from "../plan/names.js";
import type { HostFile } from "../plan/plan.js";
import { kubeletLabels, sandboxName } from "./diagnose.js";

const manifest = z.object({ metadata: z.object({ name: z.string() }) });

/** Names of the static pods that these files are manifests of. */
export function staticPodsOf(files: readonly HostFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith(`${paths.manifests}/`))
    .map(({ content }) => manifest.parse(JSON.parse(content)).metadata.name);
}

/** Ids of the running containers, without the sandbox, of this host's static pod of that name. */
export async function runningPodContainers(engine: ContainerEngine, pod: string): Promise<string[]> {
  const containers = await engine.listContainers([`${kubeletLabels.podNamespace}=kube-system`]);
  return containers
    .filter(({ state, labels }) => {
      // The kubelet appends its node's name to that of a static pod.
      const isOfPod = labels[kubeletLabels.podName]?.startsWith(`${pod}-`) ?? false;
      return state === "running" && isOfPod && labels[kubeletLabels.containerName] !== sandboxName;
    })
    .map(({ id }) => id);
}
