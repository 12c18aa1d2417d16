import { nanoid } from "nanoid";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { applyPlan } from "../apply/applyPlan.js";
import { messageOf } from "../model/errors.js";
import { paths } from "../model/hostLayout.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import type { RunContext } from "../report/runContext.js";
import { apiByKubeconfig } from "./hostApi.js";
import type { HostSession } from "./hostSession.js";
import { lookForTeardown, planHostTeardown } from "./hostToTearDown.js";

export interface UndoFirstRunInput {
  readonly session: HostSession;
  /** What an earlier cluster left on this host stays: its data, its PKI, its accepted options. */
  readonly keepsData: boolean;
  /** Of a worker, whose Node object is to be removed from its cluster as well. */
  readonly nodeName?: string | undefined;
  readonly timeoutMs: number;
  readonly context: RunContext;
}

/**
 * Takes a failed or stopped first run back by a teardown of all that it had begun: containers, the pods that its
 * kubelet made, mounts, rules, files. The run's own helper still holds the host's lock. What was there before is put
 * back by the undoing of the run's own steps. Never throws: the failure that led here is what has to be reported.
 */
export async function undoFirstRun(input: UndoFirstRunInput): Promise<void> {
  const { keepsData, nodeName, timeoutMs, session, context } = input;
  const { engine, helper } = session;
  const { report } = context;
  let api: KubernetesClient | undefined;
  try {
    const host = await lookForTeardown(engine, helper);
    // Not there, or without a certificate yet: then there is no Node object either.
    const more = { timeoutMs: requestTimeoutMs(timeoutMs) };
    const client = async () => apiByKubeconfig(helper, host.files, paths.kubeletConf, more).catch(() => undefined);
    api = nodeName === undefined ? undefined : await client();
    const { steps } = planHostTeardown(host, {
      options: { force: true, purge: !keepsData, timeoutMs },
      leave: nodeName === undefined || !api ? undefined : { node: nodeName },
    });
    await applyPlan(
      { steps },
      {
        engine,
        helper,
        api,
        containers: [],
        files: host.files,
        kept: new Set(),
        report,
        // The person's signal has led here already.
        signal: new AbortController().signal,
        timeoutMs,
        pullTimeoutMs: timeoutMs,
        keepOnFailure: true,
        newId: () => nanoid(6),
      },
    );
  } catch (error) {
    report({
      kind: "warning",
      message: `not all of this run could be undone: ${messageOf(error)}. Run \`tsdeploy teardown\``,
    });
  } finally {
    api?.close();
  }
}
