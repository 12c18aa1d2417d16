import type { ContainerEngine } from "../docker/containerEngine.js";
import type { EngineFacts } from "../model/hostFacts.js";

/** The first tier of facts: three calls at once, and nothing is started. Throws as the engine does. */
export async function collectEngineFacts(engine: ContainerEngine): Promise<EngineFacts> {
  const [version, info, containers] = await Promise.all([engine.version(), engine.info(), engine.listContainers()]);
  return { endpoint: engine.endpoint, version, info, containers };
}
