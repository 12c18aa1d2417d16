import { withEngine } from "../deploy/withEngine.js";
import { buildImage } from "../image/buildImage.js";
import type { ImageBuildOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** `tsdeploy image build`: an image with all that a node of a version needs. */
export async function imageBuild(options: ImageBuildOptions, context: RunContext): Promise<CommandResult> {
  const { k8sVersion: version, arch } = options;
  return withEngine(options, context, async (engine) => {
    const architecture = arch ?? (await engine.version()).architecture;
    const { reference, id, layer, contents } = await buildImage(engine, { ...options, version, architecture, context });
    return {
      data: { reference, id, version, architecture, layer, contents },
      text: [
        `${reference} is built: Kubernetes ${version} for ${architecture}`,
        "",
        textTable(Object.entries(contents).map(([what, which]) => [`  ${what}`, which])),
        "",
        `Layer ${layer}`,
      ].join("\n"),
    };
  });
}
