import type { CommandContext } from "../commands/context.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { messageOf } from "../errors.js";
import { applyTeardown } from "./applyTeardown.js";
import { openDoomedHost, planDoomedHost } from "./tearDownHost.js";

export interface UndoFirstRunInput {
  readonly engine: ContainerEngine;
  readonly image: string;
  /** What an earlier cluster left on this host stays: its data, its PKI, its accepted options. */
  readonly keepData: boolean;
  readonly context: CommandContext;
}

/**
 * Takes a failed or stopped first run back by a teardown of all that it had begun: containers, the pods that its
 * kubelet made, mounts, rules, files. Never throws: the failure that led here is what has to be told.
 */
export async function undoFirstRun({ engine, image, keepData, context }: UndoFirstRunInput): Promise<void> {
  const { report } = context;
  try {
    const host = await openDoomedHost(engine, image);
    try {
      await applyTeardown(planDoomedHost(host, { force: true, purge: !keepData }), {
        engine,
        helper: host.helper,
        report,
        // The person's signal has led here already.
        signal: new AbortController().signal,
        leaveCluster: () => Promise.resolve(),
      });
    } finally {
      await host.helper.close();
    }
  } catch (error) {
    report({
      kind: "warning",
      message: `not all of this run could be taken back: ${messageOf(error)}. Run \`tsdeploy teardown\``,
    });
  }
}
