import { copyImages } from "../docker/copyImages.js";
import type { ClusterHost, MasterHost } from "../model/clusterHosts.js";
import { inPhase } from "../report/inPhase.js";
import type { RunContext } from "../report/runContext.js";
import { contextOf } from "./manyHosts.js";
import { withEngine } from "./withEngine.js";

/**
 * Copies the cluster's image from the master's Docker to that of a host that lacks it, if no registry is known to have
 * it: it was built or loaded there, and each host would have to build its own. Else each pulls by itself.
 *
 * @param context of the whole run
 */
export async function bringImage(
  reference: string,
  master: MasterHost,
  host: ClusterHost,
  context: RunContext,
): Promise<void> {
  const own = contextOf(host, context);
  const quiet = { report: () => undefined };
  await withEngine(host.options, { ...own, ...quiet }, async (to) => {
    if (await to.inspectImage(reference)) return;
    await withEngine(master.options, { ...contextOf(master, context), ...quiet }, async (from) => {
      const [image, { architecture }] = await Promise.all([from.inspectImage(reference), to.version()]);
      if (!image || image.repoDigests.length > 0 || image.architecture !== architecture) return;
      await inPhase("image", own.report, async () => {
        await copyImages([reference], from, to, {
          signal: context.signal,
          onBytes: (bytesDone) => {
            own.report({ kind: "transfer-progress", what: reference, bytesDone, bytesTotal: image.sizeBytes });
          },
        });
      });
    });
  });
}
