import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { type Footprint, showFootprint } from "../host/footprint.js";
import { type Helper, openHelper } from "../host/helperSession.js";
import type { EngineFacts, ExistingFile } from "../model/hostFacts.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { planTeardown, teardownLookout } from "../plan/planTeardown.js";

/** A host as a teardown finds it. */
export interface DoomedHost {
  readonly helper: Helper;
  readonly engineFacts: EngineFacts;
  readonly files: ReadonlyMap<string, ExistingFile>;
  readonly footprint: Footprint;
}

/** Opens a helper that unmounts for the host as well, and looks at all that could be ours. */
export async function openDoomedHost(engine: ContainerEngine, image: string): Promise<DoomedHost> {
  const helper = await openHelper(engine, image, { propagation: "rshared" });
  try {
    const [engineFacts, files] = await Promise.all([collectEngineFacts(engine), helper.readFiles()]);
    return { helper, engineFacts, files, footprint: await showFootprint(helper, teardownLookout(files)) };
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/** What has to go from there. Throws as `planTeardown` does. */
export function planDoomedHost(
  host: DoomedHost,
  options: { readonly force: boolean; readonly purge: boolean },
): TeardownPlan {
  return planTeardown({
    engine: host.engineFacts,
    footprint: host.footprint,
    files: host.files,
    options,
    helperId: host.helper.id,
  });
}

