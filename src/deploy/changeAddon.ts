import { nanoid } from "nanoid";
import { addons, addonsOf, checkAddons } from "../addons/addons.js";
import { applyPlan } from "../apply/applyPlan.js";
import { type AcceptedOptions, acceptedOptionsFile, parseAcceptedOptions } from "../config/acceptedOptions.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { openHelper } from "../host/helperSession.js";
import { ownCoredns } from "../image/corednsVersion.js";
import { helperImage } from "../image/helperImage.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { featuresOf } from "../kubernetes/versions.js";
import { type AddonName, addonNames } from "../model/addonNames.js";
import { TsdeployError } from "../model/errors.js";
import type { ExistingFile, ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { AddonListOptions, AddonSwitchOptions } from "../model/options.js";
import { isOurs } from "../model/ownership.js";
import { refuseForeignFiles } from "../plan/foreignFiles.js";
import { planAddon } from "../plan/planAddon.js";
import type { RunContext } from "../report/runContext.js";
import { clusterNodes, hasOthers } from "./clusterNodes.js";
import { adminApi, notAMaster } from "./hostApi.js";
import { lockOf } from "./lockOf.js";
import { systemPullSecret } from "./systemPullSecret.js";
import { withEngine } from "./withEngine.js";
import { nothingHere, withHelper } from "./withHelper.js";

/** An add-on, and whether this cluster has it. */
export interface ListedAddon {
  readonly name: AddonName;
  readonly description: string;
  readonly enabled: boolean;
  /** Its release for the cluster's version. */
  readonly version?: string;
  /** Why there is none. */
  readonly reason?: string;
}

/** What a change came to. */
export interface ChangedAddon {
  readonly name: AddonName;
  /** False: it was so already. */
  readonly changed: boolean;
}

/** The add-ons that there are for this host's cluster. @throws TsdeployError `NOT_A_MASTER` */
export async function listAddons(options: AddonListOptions, context: RunContext): Promise<ListedAddon[]> {
  return withHelper(options, context, async ({ helper }) => {
    const accepted = acceptedOf(await helper.readFiles());
    const features = featuresOf(accepted.k8sVersion);
    return addonNames.map((name) => ({
      name,
      description: addons[name].description,
      enabled: addonsOf(accepted).includes(name),
      ...addons[name].availability(features),
    }));
  });
}

/**
 * Turns an add-on of this host's cluster on or off, for later runs of `master` too.
 *
 * @throws TsdeployError `NOT_A_MASTER`; of kind usage, `ADDON_UNAVAILABLE`; `conflict`, `FOREIGN_FILES`
 */
export async function changeAddon(
  options: AddonSwitchOptions & { readonly pullTimeoutMs?: number },
  enabled: boolean,
  context: RunContext,
): Promise<ChangedAddon> {
  return withEngine(options, context, async (engine) => {
    const image = await helperImage(engine, await engine.listContainers());
    if (image === undefined) throw nothingHere(engine);
    const lock = lockOf(`addon ${enabled ? "enable" : "disable"}`, { ...options, dryRun: false }, context);
    const helper = await openHelper(engine, image, { lock, report: context.report });
    try {
      const files = await helper.readFiles();
      const accepted = acceptedOf(files);
      const { addon: name } = options;
      if (accepted.severalMasters && !files.has(paths.addonManager)) throw keptElsewhere();
      if (addonsOf(accepted).includes(name) === enabled) return { name, changed: false };
      const features = featuresOf(accepted.k8sVersion);
      if (enabled) checkAddons([name], features);
      await carryOut({ engine, helper, files, image, accepted: withAddon(accepted, name, enabled), options, context });
      return { name, changed: true };
    } finally {
      await helper.close();
    }
  });
}

interface Change {
  readonly engine: ContainerEngine;
  readonly helper: Awaited<ReturnType<typeof openHelper>>;
  readonly files: Map<string, ExistingFile>;
  readonly image: string;
  /** With the change. */
  readonly accepted: AcceptedOptions;
  readonly options: AddonSwitchOptions & { readonly pullTimeoutMs?: number };
  readonly context: RunContext;
}

async function carryOut(change: Change): Promise<void> {
  const { engine, helper, files, accepted, options, context } = change;
  const { report, signal } = context;
  const { timeoutMs, pullTimeoutMs = timeoutMs } = options;
  const observed = await observe(change);
  const api = await adminApi(helper, files);
  try {
    const known = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
    const features = featuresOf(known.version);
    const dnsFromImage = accepted.dns && ownCoredns(features, observed) !== undefined;
    const config = { ...known, addons: addonsOf(accepted), dnsFromImage };
    const isOn = config.addons.includes(options.addon);
    const settled = { config, features, options: { ...accepted, timeoutMs } };
    const plan = planAddon({
      name: options.addon,
      config,
      features,
      pullSecret: isOn ? await systemPullSecret(settled, observed, api, context) : undefined,
      observed,
      hasOtherNodes: hasOthers(await clusterNodes(api, signal), accepted.nodeName),
      options: accepted,
      nodeName: accepted.nodeName,
      revision: nanoid(),
      optionsFile: acceptedOptionsFile(accepted),
    });
    refuseForeignFiles(plan, observed);
    for (const warning of plan.warnings) report({ kind: "warning", ...warning });
    await applyPlan(plan, {
      engine,
      helper,
      api,
      containers: observed.engine.containers.filter(isOurs),
      files,
      kept: new Set(),
      report,
      signal,
      timeoutMs,
      pullTimeoutMs,
      keepOnFailure: false,
      newId: () => nanoid(6),
    });
  } finally {
    api.close();
  }
}

/** The image's own programs are of concern, and the architecture. */
async function observe({ engine, helper, files, image: id, context }: Change): Promise<ObservedHost> {
  const [engineFacts, image] = await Promise.all([collectEngineFacts(engine), engine.inspectImage(id)]);
  if (!image) throw nothingHere(engine);
  const { dockerRootDir } = engineFacts.info;
  const host = await helper.collectFacts({ dockerRootDir, imageLabels: image.labels, signal: context.signal });
  return { engine: engineFacts, host, image, files };
}

/** Accepted options with the add-on on or off. */
export function withAddon(accepted: AcceptedOptions, name: AddonName, enabled: boolean): AcceptedOptions {
  if (name === "coredns") return { ...accepted, dns: enabled };
  const others = (accepted.enabledAddons ?? []).filter((other) => other !== name);
  return { ...accepted, enabledAddons: enabled ? [...others, name].sort() : others };
}

/** Of several masters one keeps the cluster to its folder of add-ons. */
function keptElsewhere(): TsdeployError {
  return new TsdeployError("conflict", {
    code: "ADDONS_ELSEWHERE",
    message: `${paths.addonManager} is not on this host: another master keeps the cluster's add-ons`,
    hint:
      "Run this there: ConfigMap kube-system/tsdeploy shows its address. If it is gone for good, run `tsdeploy master` here " +
      "first, which takes that over.",
  });
}

/** @throws TsdeployError `NOT_A_MASTER` */
function acceptedOf(files: ReadonlyMap<string, ExistingFile>): AcceptedOptions {
  const content = files.has(paths.adminConf) ? files.get(paths.options)?.content : undefined;
  if (content === undefined) throw notAMaster();
  return parseAcceptedOptions(content);
}

