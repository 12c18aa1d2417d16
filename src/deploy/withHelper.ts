import type { ContainerEngine } from "../docker/containerEngine.js";
import { type Helper, openHelper } from "../host/helperSession.js";
import { kubeletToLookThrough } from "../host/lookThrough.js";
import { helperImage } from "../image/helperImage.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { CommonOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { withEngine } from "./withEngine.js";

export interface LookedAtHost {
  readonly engine: ContainerEngine;
  readonly helper: Helper;
  readonly containers: readonly ContainerSummary[];
}

/** For commands that speak to a host's cluster, for as long as it takes, and change nothing on the host itself. */
export async function withHelper<T>(
  options: CommonOptions,
  context: RunContext,
  use: (host: LookedAtHost) => Promise<T>,
): Promise<T> {
  return withEngine(options, context, (engine) => withHelperOn(engine, context, use));
}

/** For a short look at a host: through its kubelet's container, if there is one. */
export async function withLook<T>(
  options: CommonOptions,
  context: RunContext,
  use: (host: LookedAtHost) => Promise<T>,
): Promise<T> {
  return withEngine(options, context, (engine) => withLookOn(engine, context, use));
}

/** The same by a connection that is open. */
export async function withLookOn<T>(
  engine: ContainerEngine,
  context: RunContext,
  use: (host: LookedAtHost) => Promise<T>,
): Promise<T> {
  return withHelperOn(engine, context, use, kubeletToLookThrough);
}

async function withHelperOn<T>(
  engine: ContainerEngine,
  context: RunContext,
  use: (host: LookedAtHost) => Promise<T>,
  through?: typeof kubeletToLookThrough,
): Promise<T> {
  const containers = await engine.listContainers();
  const image = await helperImage(engine, containers);
  if (image === undefined) throw nothingHere(engine);
  const helper = await openHelper(engine, image, { through: through?.(containers, image), report: context.report });
  try {
    return await use({ engine, helper, containers });
  } finally {
    await helper.close();
  }
}

/** For a Docker that has no image of ours to look at its host with. */
export function nothingHere({ endpoint }: ContainerEngine): TsdeployError {
  return new TsdeployError("environment", {
    code: "NOTHING_HERE",
    message: `nothing of tsdeploy is on ${endpoint}`,
    hint: "Say which Docker host is meant, with --host or --context, or make it one with `tsdeploy master`.",
  });
}
