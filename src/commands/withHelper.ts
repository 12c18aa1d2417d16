import { helperImage } from "../apply/helperImage.js";
import { withEngine } from "../apply/openHost.js";
import type { CommonOptions } from "../config/options.js";
import type { ContainerEngine, ContainerSummary } from "../docker/containerEngine.js";
import { TsdeployError } from "../errors.js";
import { type Helper, openHelper } from "../facts/helperSession.js";
import type { CommandContext } from "./context.js";

export interface LookedAtHost {
  readonly engine: ContainerEngine;
  readonly helper: Helper;
  readonly containers: readonly ContainerSummary[];
}

/** For commands that look at a host, or speak to its cluster, and change nothing on it. */
export async function withHelper<T>(
  options: CommonOptions,
  context: CommandContext,
  use: (host: LookedAtHost) => Promise<T>,
): Promise<T> {
  return withEngine(options, context, async (engine) => {
    const containers = await engine.listContainers();
    const image = await helperImage(engine, containers);
    if (image === undefined) {
      throw new TsdeployError("environment", {
        code: "NOTHING_HERE",
        message: `nothing of tsdeploy is on ${engine.endpoint}`,
        hint: "Say which Docker host is meant, with --host or --context, or make it one with `tsdeploy master`.",
      });
    }
    const helper = await openHelper(engine, image);
    try {
      return await use({ engine, helper, containers });
    } finally {
      await helper.close();
    }
  });
}
