import { mergeIntoKubeconfig } from "../config/operatorKubeconfig.js";
import { adminConfOf } from "../deploy/hostApi.js";
import { withHelper } from "../deploy/withHelper.js";
import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import type { KubeconfigOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy kubeconfig`: the administrator's kubeconfig of a master, printed, or merged into the operator's own. */
export async function kubeconfig(options: KubeconfigOptions, context: RunContext): Promise<CommandResult> {
  return withHelper(options, context, async ({ helper }) => {
    const adminConf = adminConfOf(await helper.readFiles());
    if (!options.merge) return { data: { kubeconfig: adminConf }, text: adminConf.trimEnd() };
    const clusterName = readKubeconfig(adminConf).context.replace(/^.*@/, "");
    const merged = await mergeIntoKubeconfig(adminConf, clusterName, options.kubeconfig, context);
    return { data: merged, text: `Context ${merged.context} is current in ${merged.path}` };
  });
}
