import { applyTeardown } from "../apply/applyTeardown.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { messageOf } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import type { RunContext } from "../report/runContext.js";
import { openDoomedHost, planDoomedHost } from "./tearDownHost.js";

export interface UndoFirstRunInput {
  readonly engine: ContainerEngine;
  readonly image: string;
  /** What an earlier cluster left on this host stays: its data, its PKI, its accepted options. */
  readonly keepData: boolean;
  /** Files of the host before the run: a PKI that was brought along stays, even if it is that of no cluster yet. */
  readonly before: ReadonlyMap<string, ExistingFile>;
  readonly context: RunContext;
}

/**
 * Takes a failed or stopped first run back by a teardown of all that it had begun: containers, the pods that its
 * kubelet made, mounts, rules, files. Never throws: the failure that led here is what has to be told.
 */
export async function undoFirstRun(input: UndoFirstRunInput): Promise<void> {
  const { engine, keepData, before } = input;
  const { report } = input.context;
  try {
    const host = await openDoomedHost(engine, input.image);
    try {
      await applyTeardown(sparing(planDoomedHost(host, { force: true, purge: !keepData }), before, host.files), {
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

/** Instead of the PKI's folder, only what has been added to it goes. */
function sparing(
  plan: TeardownPlan,
  before: ReadonlyMap<string, unknown>,
  now: ReadonlyMap<string, unknown>,
): TeardownPlan {
  const inPki = (path: string): boolean => path.startsWith(`${paths.pki}/`);
  if (!plan.cleanup || ![...before.keys()].some(inPki)) return plan;
  const added = [...now.keys()].filter((path) => inPki(path) && !before.has(path));
  const doomed = plan.cleanup.paths.flatMap((path) => (path === paths.pki ? added : [path]));
  return { ...plan, cleanup: { ...plan.cleanup, paths: doomed } };
}
