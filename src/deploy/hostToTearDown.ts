import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { type Footprint, showFootprint } from "../host/footprint.js";
import { type Helper, openHelper } from "../host/helperSession.js";
import type { HostLock } from "../host/hostLock.js";
import type { EngineFacts, ExistingFile } from "../model/hostFacts.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { planTeardown, type TeardownInput, teardownLookout } from "../plan/planTeardown.js";

/** A host that a teardown has begun to look at. */
export interface HostWithRecords {
  readonly helper: Helper;
  readonly engineFacts: EngineFacts;
  readonly files: ReadonlyMap<string, ExistingFile>;
}

/** A host as a teardown finds it. */
export interface HostToTearDown extends HostWithRecords {
  readonly footprint: Footprint;
}

/**
 * Opens a helper that unmounts for the host as well, and reads the records of what is ours.
 *
 * @param lock undefined for a dry run
 */
export async function openHostToTearDown(
  engine: ContainerEngine,
  image: string,
  lock: HostLock | undefined,
): Promise<HostWithRecords> {
  const helper = await openHelper(engine, image, { propagation: "rshared", lock });
  try {
    return await readRecords(engine, helper);
  } catch (error) {
    await helper.close();
    throw error;
  }
}

/**
 * Looks at all that could be ours.
 *
 * @param helper of propagation `rshared`, or mounts would stay on the host
 */
export async function lookForTeardown(engine: ContainerEngine, helper: Helper): Promise<HostToTearDown> {
  const host = await readRecords(engine, helper);
  return { ...host, footprint: await footprintOf(host) };
}

async function readRecords(engine: ContainerEngine, helper: Helper): Promise<HostWithRecords> {
  const [engineFacts, files] = await Promise.all([collectEngineFacts(engine), helper.readFiles()]);
  return { helper, engineFacts, files };
}

/** All on the host that could be ours. */
export async function footprintOf({ helper, files }: HostWithRecords): Promise<Footprint> {
  return showFootprint(helper, teardownLookout(files));
}

/** What has to be removed from there. Throws as `planTeardown` does. */
export function planHostTeardown(
  host: HostToTearDown,
  how: Pick<TeardownInput, "options" | "leave">,
): TeardownPlan {
  const { engineFacts: engine, footprint, files, helper } = host;
  return planTeardown({ engine, footprint, files, helperId: helper.id, ...how });
}
