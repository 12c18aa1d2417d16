import { homedir } from "node:os";
import { nanoid } from "nanoid";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { cannotLeave } from "../apply/actions/unlessClusterIsGone.js";
import { applyPlan } from "../apply/applyPlan.js";
import { changeKubeconfigFile, kubeconfigPath } from "../config/kubeconfigFile.js";
import { removeFromKubeconfig } from "../config/kubeconfigMerge.js";
import { TokenStore } from "../config/tokenStore.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { helperImage } from "../image/helperImage.js";
import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import { featuresOf } from "../kubernetes/versions.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { labels, paths } from "../model/hostLayout.js";
import type { TeardownOptions } from "../model/options.js";
import { kubeletOf } from "../model/ownership.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import type { TeardownPlan } from "../model/teardownPlan.js";
import { flagOf } from "../plan/commandFlag.js";
import { isNothingToDo, type LeavePlan } from "../plan/planTeardown.js";
import type { PhaseTime } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { apiByKubeconfig } from "./hostApi.js";
import { footprintOf, type HostWithRecords, openHostToTearDown, planHostTeardown } from "./hostToTearDown.js";
import { masterToLeave } from "./leaveMasters.js";
import { lockOf } from "./lockOf.js";
import { withEngine } from "./withEngine.js";

/** What a teardown came to. */
export type TeardownOutcome =
  /** `blind`: nobody could look at the host's files, for want of an image. */
  | { readonly kind: "nothing"; readonly endpoint: string; readonly keeps: readonly string[]; readonly blind: boolean }
  | { readonly kind: "planned"; readonly plan: TeardownPlan }
  | { readonly kind: "removed"; readonly plan: TeardownPlan; readonly times: readonly PhaseTime[] };

/**
 * Takes this host out of its cluster, and the cluster off this host.
 *
 * @param confirm is shown the plan before anything is removed
 * @throws TsdeployError `aborted` if it is not confirmed; `TEARDOWN_INCOMPLETE` with all that is still there
 */
export async function tearDown(
  options: TeardownOptions,
  context: RunContext,
  confirm: (plan: TeardownPlan) => Promise<boolean>,
): Promise<TeardownOutcome> {
  return withEngine(options, context, async (engine) => {
    const image = await helperImage(engine, await engine.listContainers());
    // Without one nobody can look at the host's files; what a teardown kept may be there.
    if (image === undefined) {
      if (!options.purge) return { kind: "nothing", endpoint: engine.endpoint, keeps: [], blind: true };
      throw new TsdeployError("environment", {
        code: "NO_IMAGE",
        message:
          "no hyperkube image is here to look at the host's files with, so what an earlier teardown kept cannot be purged",
        hint: "Pull or load the cluster's image, or remove /etc/kubernetes and /var/lib/etcd yourself.",
      });
    }
    const host = await openHostToTearDown(engine, image, lockOf("teardown", options, context));
    try {
      return await tearDownHost(engine, host, options, context, confirm);
    } finally {
      await host.helper.close();
    }
  });
}

async function tearDownHost(
  engine: ContainerEngine,
  host: HostWithRecords,
  options: TeardownOptions,
  context: RunContext,
  confirm: (plan: TeardownPlan) => Promise<boolean>,
): Promise<TeardownOutcome> {
  // Side by side: each asks the host a few times.
  const looking = footprintOf(host);
  // Whether it is of use is known only when the other way has ended.
  looking.catch(() => undefined);
  const master = await masterToLeave(host, options, context);
  const leaver = master ?? (await nodeToLeave(engine, host, options, context));
  try {
    const plan = planHostTeardown({ ...host, footprint: await looking }, { options, leave: leaver?.plan });
    if (isNothingToDo(plan)) return { kind: "nothing", endpoint: engine.endpoint, keeps: plan.keeps, blind: false };
    if (options.dryRun) return { kind: "planned", plan };
    if (!(await confirm(plan))) {
      const hint = "Leave out --purge to keep the data, or answer y.";
      throw new TsdeployError("aborted", { code: "ABORTED", message: "nothing was removed", hint });
    }
    const { timeoutMs } = options;
    const times = await applyPlan(plan, {
      engine,
      helper: host.helper,
      api: leaver?.api,
      etcd: master?.etcd,
      containers: [],
      files: host.files,
      kept: new Set(),
      report: context.report,
      signal: context.signal,
      timeoutMs,
      pullTimeoutMs: timeoutMs,
      keepOnFailure: false,
      newId: () => nanoid(6),
    });
    if (options.purge || master) await forgetCluster(host, context);
    return { kind: "removed", plan, times };
  } finally {
    leaver?.api.close();
    master?.etcd.close();
  }
}

interface Leaver {
  readonly plan: LeavePlan;
  readonly api: KubernetesClient;
}

/** How a worker that runs leaves its cluster. One that was never let in, or whose cluster is gone, cannot. */
async function nodeToLeave(
  engine: ContainerEngine,
  { engineFacts, helper, files }: HostWithRecords,
  options: TeardownOptions,
  context: RunContext,
): Promise<Leaver | undefined> {
  const kubelet = kubeletOf(engineFacts.containers);
  if (!kubelet || kubelet.labels[labels.role] !== "worker" || kubelet.state !== "running" || options.force) {
    return undefined;
  }
  const node = await nodeNameOf(engine, kubelet.id);
  if (node === "") return undefined;
  const version = kubelet.labels[labels.version];
  const evictionApiVersion = version === undefined ? "policy/v1" : featuresOf(version).apis.eviction;
  try {
    const timeoutMs = requestTimeoutMs(options.timeoutMs);
    const api = await apiByKubeconfig(helper, files, paths.kubeletConf, { timeoutMs });
    if (!api) return undefined;
    // Only to have a connection by the time that the plan needs it; who does not answer now is asked again then.
    if (!options.dryRun) void api.healthz({ signal: context.signal }).catch(() => undefined);
    return { plan: { node, evictionApiVersion }, api };
  } catch (error) {
    // Its kubeconfig then names a certificate that it has not got.
    if (!options.dryRun) context.report({ kind: "warning", message: cannotLeave(node, error) });
    return undefined;
  }
}

/** What the kubelet calls its node. */
async function nodeNameOf(engine: ContainerEngine, kubeletId: string): Promise<string> {
  const { command = [] } = (await engine.inspectContainer(kubeletId)) ?? {};
  return flagOf(command, "hostname-override") ?? "";
}

/** The operator's own traces of a cluster whose data is gone. */
async function forgetCluster({ files }: HostWithRecords, context: RunContext): Promise<void> {
  const adminConf = files.get(paths.adminConf)?.content;
  if (adminConf === undefined) return;
  const { server } = readKubeconfig(adminConf);
  await new TokenStore(context.env).forget(new URL(server).host);
  const path = kubeconfigPath(undefined, context.env, context.env["HOME"] ?? homedir());
  await changeKubeconfigFile(path, (text) =>
    text === undefined ? undefined : removeFromKubeconfig(text, adminConf),
  ).catch((error: unknown) => {
    context.report({ kind: "warning", message: `the cluster is still in ${path}: ${messageOf(error)}` });
  });
}
