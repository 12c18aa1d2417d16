import type { CommandContext } from "../commands/context.js";
import type { ContainerEngine } from "../docker/containerEngine.js";

export async function undoFirstRun(_input: { engine: ContainerEngine; image: string; keepData: boolean; context: CommandContext }): Promise<void> {
  await Promise.resolve();
}
