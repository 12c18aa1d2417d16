import { homedir } from "node:os";
import { ApiError } from "../api/apiFault.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import { applyTeardown } from "../apply/applyTeardown.js";
import { deleteNode, drainNode } from "../apply/leaveCluster.js";
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
import type { TeardownPlan } from "../model/teardownPlan.js";
import { flagOf } from "../plan/commandFlag.js";
import { isNothingToDo } from "../plan/planTeardown.js";
import type { CommandResult } from "../report/events.js";
import { phaseTable } from "../report/phaseTable.js";
import type { RunContext } from "../report/runContext.js";
import { apiByKubeconfig } from "./hostApi.js";
import { type DoomedHost, openDoomedHost, planDoomedHost } from "./tearDownHost.js";
import { withEngine } from "./withEngine.js";

/** `tsdeploy teardown`: takes this host out of its cluster, and the cluster off this host. */
export async function teardown(options: TeardownOptions, context: RunContext): Promise<CommandResult> {
  if (options.purge && !options.yes && !options.dryRun && !context.isTTY) {
    throw new TsdeployError("usage", {
      code: "PURGE_UNCONFIRMED",
      message: "--purge deletes the cluster's data, and there is no terminal to ask on",
      hint: "Say --yes as well if that is meant.",
    });
  }
  return withEngine(options, context, async (engine) => {
    const image = await helperImage(engine, await engine.listContainers());
    // Without one nobody can look at the host's files; what a teardown kept may be there.
    if (image === undefined) {
      const blind = "no hyperkube image is here to look at the host's files with";
      if (!options.purge) return nothingHere(engine, [], `; ${blind}`);
      throw new TsdeployError("environment", {
        code: "NO_IMAGE",
        message: `${blind}, so what an earlier teardown kept cannot be purged`,
        hint: "Pull or load the cluster's image, or remove /etc/kubernetes and /var/lib/etcd yourself.",
      });
    }
    const host = await openDoomedHost(engine, image);
    try {
      return await tearDown(engine, host, options, context);
    } finally {
      await host.helper.close();
    }
  });
}

async function tearDown(
  engine: ContainerEngine,
  host: DoomedHost,
  options: TeardownOptions,
  context: RunContext,
): Promise<CommandResult> {
  const plan = planDoomedHost(host, options);
  if (isNothingToDo(plan)) return nothingHere(engine, plan.keeps);
  const description = describeTeardown(plan);
  if (options.dryRun) return { data: { dryRun: true, plan }, text: description };

  context.report({ kind: "notice", message: description });
  if (options.purge && !options.yes && !(await context.confirm("Delete all of this, the cluster's data included?"))) {
    throw new TsdeployError("aborted", { code: "ABORTED", message: "nothing was removed" });
  }
  const times = await applyTeardown(plan, {
    engine,
    helper: host.helper,
    report: context.report,
    signal: context.signal,
    leaveCluster: () => leaveCluster(engine, host, options, context),
  });
  if (options.purge) await forgetCluster(host, context);
  return {
    data: { role: plan.role, cluster: plan.clusterName, removed: true, kept: plan.keeps, phases: times },
    text: [
      plan.keeps.length === 0
        ? "Gone without a trace."
        : `Gone, but for what a later \`tsdeploy master\` goes on with (--purge deletes it): ${plan.keeps.join(", ")}`,
      "",
      phaseTable(times),
    ].join("\n"),
  };
}

/** Moves the pods elsewhere and deletes the Node object. A cluster that is gone already does not hold a worker back. */
async function leaveCluster(
  engine: ContainerEngine,
  host: DoomedHost,
  options: TeardownOptions,
  context: RunContext,
): Promise<void> {
  const { report, signal } = context;
  const kubelet = kubeletOf(host.engineFacts.containers);
  if (!kubelet) return;
  const node = await nodeNameOf(engine, kubelet.id);
  let api: KubernetesClient | undefined;
  try {
    // Throws where the node was never let in: its kubeconfig then names a certificate that it has not got.
    api = await apiByKubeconfig(host.helper, host.files);
    if (!api || node === "") return;
    const version = kubelet.labels[labels.version];
    await drainNode(api, {
      node,
      evictionApiVersion: version === undefined ? "policy/v1" : featuresOf(version).apis.eviction,
      timeoutMs: options.timeoutMs,
      signal,
      onSeen: (seen) => {
        report({ kind: "waiting", phase: "leave cluster", seen });
      },
    });
    await deleteNode(api, node, signal);
  } catch (error) {
    const isGone = error instanceof TsdeployError && error.kind !== "failed" && error.kind !== "aborted";
    if (!isGone && !(error instanceof ApiError)) throw error;
    report({
      kind: "warning",
      message:
        `node ${node} could not leave its cluster: ${messageOf(error)}. ` +
        `If the cluster lives, run there: kubectl delete node ${node}`,
    });
  } finally {
    api?.close();
  }
}

/** What the kubelet calls its node. */
async function nodeNameOf(engine: ContainerEngine, kubeletId: string): Promise<string> {
  const { command = [] } = (await engine.inspectContainer(kubeletId)) ?? {};
  return flagOf(command, "hostname-override") ?? "";
}

/** The operator's own traces of a cluster whose data is gone. */
async function forgetCluster({ files }: DoomedHost, context: RunContext): Promise<void> {
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

function describeTeardown(plan: TeardownPlan): string {
  const what = plan.role === undefined ? "what is left of tsdeploy" : `the ${plan.role} of cluster ${plan.clusterName ?? "?"}`;
  const names = [...plan.removes, ...plan.removesLast].map(({ name }) => name);
  return [
    `This removes ${what}:`,
    ...(plan.leavesCluster ? ["  its pods, by draining the node, and its Node object"] : []),
    ...names.map((name) => `  container ${name}`),
    ...plan.leftovers.map((line) => `  ${line}`),
    ...(plan.keeps.length > 0 ? [`and keeps ${plan.keeps.join(", ")}`] : []),
  ].join("\n");
}

function nothingHere(engine: ContainerEngine, keeps: readonly string[] = [], remark = ""): CommandResult {
  const kept = keeps.length === 0 ? remark : `; kept for a later \`tsdeploy master\`: ${keeps.join(", ")}`;
  return {
    data: { removed: false, kept: keeps },
    text: `Nothing of tsdeploy runs on ${engine.endpoint}${kept}`,
  };
}
