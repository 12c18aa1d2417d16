import { nanoid } from "nanoid";
import { applyPlan } from "../apply/applyPlan.js";
import {
  type AcceptedOptions,
  acceptedOptionsFile,
  followAccepted,
  parseAcceptedOptions,
} from "../config/acceptedOptions.js";
import { imageReference } from "../config/imageReference.js";
import { mergeIntoKubeconfig } from "../config/operatorKubeconfig.js";
import { TokenStore } from "../config/tokenStore.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { hostBeforeFile } from "../host/hostBefore.js";
import { unknownHost } from "../host/unknownHost.js";
import type { ImageChoice } from "../image/chooseImage.js";
import { chooseNodeImage, tellMissingImage } from "../image/chooseNodeImage.js";
import { helperImage } from "../image/helperImage.js";
import { bootstrapObjects } from "../kubernetes/bootstrapObjects.js";
import { tokenSecret } from "../kubernetes/clusterInfo.js";
import { addressAt } from "../kubernetes/networks.js";
import { checkProxyMode } from "../kubernetes/proxyConfiguration.js";
import {
  checkInsecureApi,
  defaultVersion,
  featuresOf,
  resolveVersion,
  type VersionFeatures,
} from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { messageOf } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { apiserverPort, labels, paths } from "../model/hostLayout.js";
import type { JoinToken } from "../model/identity.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { MasterOptions } from "../model/options.js";
import { isOurs, kubeletOf } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { formatJoinToken, makeJoinToken } from "../pki/joinToken.js";
import { type MadeIdentity, makeIdentity } from "../pki/makeIdentity.js";
import { unmadeIdentity } from "../pki/unmadeIdentity.js";
import type { IdentityNames } from "../pki/wantedCertificates.js";
import { describePlan } from "../plan/describePlan.js";
import { diffPlan } from "../plan/diff.js";
import { refuseNodeChanges } from "../plan/nodeChanges.js";
import { nodeIdentity } from "../plan/nodeIdentity.js";
import { planMaster } from "../plan/planMaster.js";
import type { Wanted } from "../preflight/check.js";
import { versionChange } from "../preflight/dataChecks.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { CommandResult, PhaseTime } from "../report/events.js";
import { phaseTable } from "../report/phaseTable.js";
import type { RunContext } from "../report/runContext.js";
import { type Configurations, masterConfigurations } from "./clusterConfigurations.js";
import { masterApi } from "./hostApi.js";
import { checkTier, type HostSession, openSession, type OpenSessionInput, presentOn } from "./hostSession.js";
import { readBundled } from "./readBundled.js";
import { tellDifference } from "./reportDifference.js";
import { undoFirstRun } from "./undoFirstRun.js";
import { withEngine } from "./withEngine.js";

/** `tsdeploy master`: this Docker host becomes, or stays, the control plane of a cluster. */
export async function master(asked: MasterOptions, context: RunContext): Promise<CommandResult> {
  // It takes a tenth of a second to load, which passes while Docker is asked.
  if (!asked.dryRun) void import("../pki/makeCertificate.js");
  return withEngine(asked, context, async (engine) => {
    const engineFacts = await collectEngineFacts(engine);
    const running = kubeletOf(engineFacts.containers);
    const version = resolveVersion(asked.k8sVersion ?? running?.labels[labels.version] ?? defaultVersion);
    const { clusterName = "", ...known } = wantedOf(asked, version);
    // Not said: an earlier run may have accepted another than the default.
    const wanted = asked.given.has("clusterName") ? { ...known, clusterName } : known;
    checkTier(runPreflight("engine", engineFacts, wanted), context);

    const opened = await openMasterHost({ engine, engineFacts, version, wanted, options: asked, context });
    if (!opened) return describeUnknown(asked, engineFacts, version);
    try {
      return await runMaster(opened, asked, context);
    } finally {
      await opened.session.helper.close();
    }
  });
}

/** Without the image: what a plan says as far as it can be told. */
async function describeUnknown(
  asked: MasterOptions,
  engineFacts: EngineFacts,
  version: string,
): Promise<CommandResult> {
  const observed = unknownHost(engineFacts);
  const settled = settle(asked, observed, imageReference({ ...asked, version }));
  return describePlan(await planWith(settled, observed, unmadeIdentity(identityNames(settled)), {}));
}

/** A host, and the image that it is to run from. */
interface OpenedMaster {
  readonly session: HostSession;
  readonly image: string;
}

/**
 * Opens the host with the image that it is to run from. What an earlier run accepted may say that it is another than
 * the default: until that is known, any image that is here will do.
 *
 * @returns undefined for a dry run if that image is not here
 */
async function openMasterHost(
  input: Omit<OpenSessionInput, "image" | "options"> & { readonly options: MasterOptions },
): Promise<OpenedMaster | undefined> {
  const { engine, engineFacts, options } = input;
  const { image, registry, dryRun } = options;
  const choice = await chooseNodeImage(engine, engineFacts, { asked: options, version: input.version });
  const isAsked = image !== undefined || registry !== undefined;
  const other = choice.how === "present" || isAsked ? undefined : await helperImage(engine, engineFacts.containers);
  const first: ImageChoice = other === undefined ? choice : { how: "present", reference: other };
  if (dryRun && first.how !== "present") {
    tellMissingImage(first, input.context);
    return undefined;
  }

  const session = await openSession({ ...input, image: first });
  let settled: { readonly image: ImageChoice; readonly version: string } | undefined;
  try {
    const { options: followed, accepted, version } = follow(options, session.observed);
    // Before an image is fetched that would be of no use.
    const refusal = versionChange(accepted?.k8sVersion, version);
    checkTier({ errors: refusal ? [refusal] : [], warnings: [] }, input.context);
    settled = { image: await chooseNodeImage(engine, engineFacts, { asked: followed, version }), version };
  } finally {
    if (settled?.image.reference !== first.reference) await session.helper.close();
  }
  const { reference } = settled.image;
  if (reference === first.reference) return { session, image: reference };
  if (dryRun && settled.image.how !== "present") {
    tellMissingImage(settled.image, input.context);
    return undefined;
  }
  return { session: await openSession({ ...input, ...settled }), image: reference };
}

/** What a run is asked for, filled up with what an earlier one accepted. */
interface Followed {
  readonly options: MasterOptions;
  readonly accepted: AcceptedOptions | undefined;
  readonly version: string;
}

function follow(asked: MasterOptions, observed: ObservedHost): Followed {
  const file = observed.files.get(paths.options);
  const accepted = file && parseAcceptedOptions(file.content);
  const options = followAccepted(asked, accepted);
  return { options, accepted, version: resolveVersion(options.k8sVersion ?? defaultVersion) };
}

/** What a run comes to when options, accepted options and the host's facts are put together. */
interface Settled extends Followed {
  readonly features: VersionFeatures;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly config: ClusterConfig;
}

/** @throws TsdeployError of kind usage for what this version of Kubernetes does not have */
function settle(asked: MasterOptions, observed: ObservedHost, image: string): Settled {
  const followed = follow(asked, observed);
  const { options, version } = followed;
  const features = featuresOf(version);
  const { nodeName, nodeIp } = nodeIdentity(options, observed.host, features);
  const { kubelet, proxy } = options.extraArgs;
  const config: ClusterConfig = {
    clusterName: options.clusterName,
    version,
    image,
    ...(options.registry === undefined ? {} : { registry: options.registry }),
    apiserver: `https://${nodeIp}:${apiserverPort}`,
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    clusterDomain: options.clusterDomain,
    clusterDns: addressAt(options.serviceCidr, 10),
    network: options.network,
    insecureApi: options.insecureApi,
    proxyMode: options.proxyMode,
    extraArgs: { ...(kubelet && { kubelet }), ...(proxy && { proxy }) },
  };
  checkProxyMode(config.proxyMode, features);
  checkInsecureApi(config, features);
  return { ...followed, features, nodeName, nodeIp, config };
}

function identityNames({ nodeName, nodeIp, config, options, features }: Settled): IdentityNames {
  const tokenFile = features.nodeCredentials === "token-file";
  return {
    nodeName,
    nodeIp,
    serviceIp: addressAt(config.serviceCidr, 1),
    clusterDomain: config.clusterDomain,
    extraSans: options.apiserverSans,
    tokenFile,
    basicAuth: tokenFile && config.insecureApi,
  };
}

async function planWith(
  settled: Settled,
  observed: ObservedHost,
  pkiFiles: readonly HostFile[],
  base: Configurations,
  // A plan for --dry-run tells their names, which no CA changes.
  objects: readonly KubernetesObject[] = bootstrapObjects(settled.config, "", settled.features, []),
): Promise<Plan> {
  const { options, version, nodeName, nodeIp, config } = settled;
  const hostBefore = hostBeforeFile(observed.host, observed.files);
  return planMaster({
    options: { ...options, k8sVersion: version },
    config,
    observed,
    bundled: await readBundled(),
    pkiFiles,
    base,
    otherFiles: [
      ...(hostBefore ? [hostBefore] : []),
      acceptedOptionsFile({ ...options, k8sVersion: version, ip: nodeIp, nodeName }),
    ],
    bootstrapObjects: objects,
  });
}

async function runMaster(
  { session, image }: OpenedMaster,
  asked: MasterOptions,
  context: RunContext,
): Promise<CommandResult> {
  const { engine, helper, observed } = session;
  const settled = settle(asked, observed, image);
  const { options, accepted, version, config, features } = settled;
  const acceptedData = accepted && { accepted: { ...accepted, version: accepted.k8sVersion } };
  checkTier(runPreflight("host", observed, { ...wantedOf(options, version), ...acceptedData }), context);

  const names = identityNames(settled);
  if (options.dryRun && !observed.files.has(`${paths.pki}/ca.key`)) {
    return describePlan(await planWith(settled, observed, unmadeIdentity(names), {}));
  }
  const made = await makeIdentity({
    ...names,
    existing: observed.files,
    clusterName: config.clusterName,
    etcdData: observed.host.etcdData,
    nowMs: observed.host.clockMs,
  });
  const caPem = made.identity.ca.certificate;
  const isFirstRun = !observed.engine.containers.some(isOurs);
  const bootstrapTokens = isFirstRun && features.nodeCredentials === "bootstrap-token" ? [makeJoinToken(caPem)] : [];
  const joinToken = isFirstRun ? (made.joinToken ?? bootstrapTokens[0]) : undefined;
  const expiresMs = observed.host.clockMs + options.tokenTtlMs;
  const api = masterApi(helper, made.identity);
  try {
    const base = isFirstRun ? {} : await masterConfigurations(api, features, context);
    const plan = await planWith(settled, observed, made.files, base, [
      ...bootstrapTokens.map((token) => tokenSecret(token, { expiresMs, description: "made by tsdeploy master" })),
      ...bootstrapObjects(config, caPem, features, bootstrapTokens),
    ]);
    const present = await presentOn(session);
    refuseNodeChanges(plan, present);
    const difference = diffPlan(plan, present, { overwrite: options.overwrite });
    if (options.dryRun) return describePlan(plan, isFirstRun ? undefined : difference);

    tellDifference(plan, difference, isFirstRun, context);
    const times = await applyPlan(plan, {
      engine,
      helper,
      api,
      containers: observed.engine.containers.filter(isOurs),
      files: observed.files,
      kept: new Set(difference.kept.map(({ path }) => path)),
      report: context.report,
      signal: context.signal,
      timeoutMs: options.timeoutMs,
      pullTimeoutMs: options.pullTimeoutMs,
      keepOnFailure: options.keepOnFailure || isFirstRun,
      newId: () => nanoid(6),
    }).catch(async (error: unknown) => {
      if (isFirstRun && !options.keepOnFailure) {
        const keepData = accepted !== undefined || observed.host.etcdData;
        await undoFirstRun({ engine, image: observed.image.id, keepData, before: observed.files, context });
      }
      throw error;
    });
    const changed = difference.changes.length > 0;
    return await summary({ plan, changed, times, options, made, joinToken, config, context });
  } finally {
    api.close();
  }
}

/** What checks have to know of a run; the rest of its options is theirs alone. */
function wantedOf(options: MasterOptions, version: string): Wanted {
  return {
    role: "master",
    clusterName: options.clusterName,
    version,
    ...(options.nodeName !== undefined && { nodeName: options.nodeName }),
    ...(options.ip !== undefined && { ip: options.ip }),
    podCidr: options.podCidr,
    serviceCidr: options.serviceCidr,
    clusterDomain: options.clusterDomain,
    network: options.network,
    insecureApi: options.insecureApi,
    proxyMode: options.proxyMode,
    allowSwap: options.extraArgs.kubelet?.["fail-swap-on"] === "false",
  };
}

interface SummaryInput {
  readonly plan: Plan;
  readonly changed: boolean;
  readonly times: readonly PhaseTime[];
  readonly options: MasterOptions;
  readonly made: MadeIdentity;
  readonly joinToken: JoinToken | undefined;
  readonly config: ClusterConfig;
  readonly context: RunContext;
}

/** What the operator gets: a kubeconfig, the token saved, and the line to run elsewhere. */
async function summary(input: SummaryInput): Promise<CommandResult> {
  const { plan, changed, times, options, made, config, context } = input;
  const address = new URL(config.apiserver).hostname;
  // The cluster runs: what this machine's own files refuse is no failure of it.
  const warn = (what: string, error: unknown): void => {
    context.report({ kind: "warning", message: `${what}: ${messageOf(error)}` });
  };
  const token = input.joinToken ? formatJoinToken(input.joinToken) : undefined;
  if (token !== undefined) {
    await new TokenStore(context.env)
      .save(`${address}:${apiserverPort}`, token)
      .catch((error: unknown) => {
        warn("the join token could not be saved here", error);
      });
  }

  const adminConf = made.files.find(({ path }) => path === paths.adminConf)?.content ?? "";
  const { kubeconfig: path } = options;
  const kubeconfig =
    path === undefined
      ? undefined
      : await mergeIntoKubeconfig(adminConf, config.clusterName, path, context).catch((error: unknown) => {
          warn(`the cluster could not be added to ${path}`, error);
          return undefined;
        });

  const endedAt = (phase: string): number | undefined => times.find((time) => time.phase === phase)?.endedAtMs;
  const joinCommand = token === undefined ? undefined : `tsdeploy worker --master ${address} --token ${token}`;
  return {
    data: {
      role: "master",
      cluster: config.clusterName,
      version: config.version,
      node: plan.nodeName,
      address,
      apiserver: config.apiserver,
      changed,
      phases: times,
      apiAnswersMs: endedAt("control plane"),
      nodeReadyMs: endedAt("node"),
      ...(kubeconfig && { kubeconfig }),
      ...(joinCommand !== undefined && { joinCommand }),
    },
    text: [
      changed
        ? `Kubernetes ${config.version} runs: node ${plan.nodeName}, ${config.apiserver}`
        : `Nothing to change: Kubernetes ${config.version} runs on node ${plan.nodeName}, ${config.apiserver}`,
      "",
      phaseTable(times),
      "",
      ...(kubeconfig
        ? [`kubectl: context ${kubeconfig.context} in ${kubeconfig.path}`]
        : ["kubectl: `tsdeploy kubeconfig` prints a kubeconfig"]),
      ...(kubeconfig?.previousContext === undefined
        ? []
        : [`  before: kubectl config use-context ${kubeconfig.previousContext}`]),
      ...(joinCommand === undefined
        ? ["More workers: `tsdeploy token create` prints the line to run there"]
        : ["More workers, on each of them:", "", `  ${joinCommand}`]),
    ].join("\n"),
  };
}
