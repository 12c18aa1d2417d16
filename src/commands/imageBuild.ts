import { buildImage } from "../apply/buildImage.js";
import { withEngine } from "../apply/openHost.js";
import type { ImageBuildOptions } from "../config/options.js";
import type { CommandResult } from "../report/events.js";
import { textTable } from "../report/textTable.js";
import type { CommandContext } from "./context.js";

/** `tsdeploy image build`: an image with all that a node of a version needs. */
export async function imageBuild(options: ImageBuildOptions, context: CommandContext): Promise<CommandResult> {
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
