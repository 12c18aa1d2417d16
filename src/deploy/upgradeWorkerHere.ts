import { minor } from "semver";
import { parseAcceptedWorkerOptions } from "../config/acceptedOptions.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import type { WorkerHost } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import { paths } from "../model/hostLayout.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import type { RunContext } from "../report/runContext.js";
import { whileDrained } from "./changeWorker.js";
import { apiByKubeconfig } from "./hostApi.js";
import { joinWorker } from "./joinWorker.js";
import { lookAtNode } from "./nodeSight.js";
import { workerAt } from "./optionsAt.js";
import { withHelper } from "./withHelper.js";

export interface WorkerUpgrade {
  readonly node: string;
  readonly from: string;
  readonly to: string;
  readonly drains: boolean;
}

/**
 * Brings one worker to its cluster's version, as its node sees it: its own credential drains it and lets it take pods
 * again.
 *
 * @param requested if it is said, it has to be the cluster's
 * @param apply false: only says what would be done
 * @throws TsdeployError `conflict`, `WORKER_FOLLOWS`
 */
export async function upgradeWorkerHere(
  host: WorkerHost,
  requested: string | undefined,
  apply: boolean,
  context: RunContext,
): Promise<WorkerUpgrade> {
  const { options } = host;
  return withHelper(options, context, async ({ helper }) => {
    const files = await helper.readFiles();
    const timeoutMs = requestTimeoutMs(options.timeoutMs);
    const api = await apiByKubeconfig(helper, files, paths.kubeletConf, { timeoutMs });
    if (!api) throw notJoined();
    try {
      const { signal } = context;
      const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
      const sight = await lookAtNode(host, context);
      if (!sight.there) throw notJoined();
      const { nodeName: node, version: from } = sight.there;
      const to = config.version;
      if (requested !== undefined && requested !== to) throw followsMaster(requested, to);
      const drains = minor(from) !== minor(to);
      const upgrade = { node, from, to, drains };
      if (!apply) return upgrade;
      const master = new URL(readKubeconfig(files.get(paths.kubeletConf)?.content ?? "").server).host;
      // An earlier run may have been told a version: this one is told the new one. Else the node follows its master.
      const accepted = files.get(paths.options)?.content;
      const k8sVersion = accepted === undefined ? undefined : parseAcceptedWorkerOptions(accepted).k8sVersion;
      const told = { ...sight, host: { ...host, options: { ...options, ...defined({ k8sVersion }) } } };
      const join = async (): Promise<void> => {
        await joinWorker({ ...workerAt(told, to).options, master }, context);
      };
      const cluster = { api, config };
      await (drains ? whileDrained(node, { cluster, context, timeoutMs: options.timeoutMs }, join) : join());
      return upgrade;
    } finally {
      api.close();
    }
  });
}

function notJoined(): TsdeployError {
  return new TsdeployError("environment", {
    code: "NOT_JOINED",
    message: "this host is not a node of a cluster",
    hint: "Run `tsdeploy worker --master ADDRESS` here.",
  });
}

function followsMaster(requested: string, cluster: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "WORKER_FOLLOWS",
    message: `a worker follows its cluster, which has ${cluster}, and not ${requested}`,
    hint: "Upgrade the master first, or leave out --to.",
  });
}
