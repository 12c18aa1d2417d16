import type { FoundBinaries } from "./findBinaries.js";
import { imagePaths } from "./imageContents.js";
import { imageScript } from "./imageScript.js";
import type { LayerFile } from "./layer.js";
import { pauses } from "./prepareBase.js";
import type { ImageProbe } from "./probeImage.js";

/** A pod's first process: the folder's, else the base's, else catatonit, else a script of ours. */
export async function choosePause(
  given: FoundBinaries,
  probe: ImageProbe | undefined,
): Promise<{ readonly command: readonly string[]; readonly files: readonly LayerFile[] }> {
  const command = [`/${imagePaths.pause}`];
  if (given.hasPause || probe?.hasPause === true) return { command, files: [] };
  const catatonit = probe && pauses(probe) ? probe.programs.get("catatonit") : undefined;
  if (catatonit !== undefined) return { command: [catatonit, "-P"], files: [] };
  return { command, files: [{ path: imagePaths.pause, source: { content: await imageScript("pause") } }] };
}
