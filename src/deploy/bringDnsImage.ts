import { clusterTolerations, isTolerated } from "../addons/podParts.js";
import { imageReference } from "../config/imageReference.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { ensureImage } from "../image/ensureImage.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import type { WorkerOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";

export interface DnsImageWish {
  readonly config: ClusterConfig;
  /** That the node runs from. */
  readonly image: string;
  /** Of this machine. */
  readonly architecture: string;
  readonly options: Pick<WorkerOptions, "nodeTaints" | "registryMirrors" | "mirror" | "pullTimeoutMs">;
}

/**
 * CoreDNS's pods name the master's image, which perhaps no registry has. A node that runs from another one gets it as
 * well, if they may run there: pulled, or built where that is how the master came by it. A node without it is a node
 * all the same, so that what keeps it away is a warning.
 */
export async function bringDnsImage(engine: ContainerEngine, wish: DnsImageWish, context: RunContext): Promise<void> {
  const { config, image, architecture, options } = wish;
  const { version, image: reference } = config;
  if (config.dnsFromImage !== true || image === reference) return;
  if (options.nodeTaints.some((taint) => !isTolerated(taint, clusterTolerations))) return;
  const how = reference === imageReference({ version }) ? "build" : "pull";
  try {
    await ensureImage(engine, { how, reference }, { ...options, version, architecture, context });
  } catch (error) {
    if (!(error instanceof TsdeployError) || error.kind === "aborted") throw error;
    const [problem] = error.problems;
    context.report({
      kind: "warning",
      message:
        `CoreDNS cannot run on this node: its pods run from ${reference}, which is not here: ${problem?.message ?? ""}. ` +
        "It runs on the others; `tsdeploy image copy` from the master's Docker brings it.",
    });
  }
}
