import type { ClusterHost } from "../model/clusterHosts.js";
import { labels } from "../model/hostLayout.js";
import { kubeletOf } from "../model/ownership.js";
import type { RunContext } from "../report/runContext.js";
import { withEngine } from "./withEngine.js";

/** Which of the two a host is: `master`, `worker`; undefined if no node runs there. */
export async function roleThere({ options }: ClusterHost, context: RunContext): Promise<string | undefined> {
  return withEngine(options, context, async (engine) => kubeletOf(await engine.listContainers())?.labels[labels.role]);
}
