import { X509Certificate } from "node:crypto";
import type { Duplex } from "node:stream";
import { ApiError } from "../api/apiFault.js";
import { discoverCluster } from "../api/discoverCluster.js";
import { KubernetesClient } from "../api/kubernetesClient.js";
import { openDirectly } from "../api/openDirectly.js";
import { nodeOf } from "../apply/probes.js";
import { acceptedWorkerFile, followAccepted, parseAcceptedWorkerOptions } from "../config/acceptedOptions.js";
import { imageReference } from "../config/imageReference.js";
import { TokenStore } from "../config/tokenStore.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import type { Helper } from "../host/helperSession.js";
import { hostBeforeFile } from "../host/hostBefore.js";
import { unknownHost } from "../host/unknownHost.js";
import type { ImageChoice } from "../image/chooseImage.js";
import { chooseNodeImage, reportMissingImage } from "../image/chooseNodeImage.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { defaultVersion, featuresOf, resolveVersion } from "../kubernetes/versions.js";
import { checkSkew } from "../kubernetes/versionSkew.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import { imageLabels } from "../model/imageLabels.js";
import type { WorkerOptions } from "../model/options.js";
import { kubeletOf } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { bootstrapToken, parseJoinToken } from "../pki/joinToken.js";
import { nodeKubeconfig } from "../pki/nodeKubeconfig.js";
import { describePlan } from "../plan/describePlan.js";
import { nodeIdentity } from "../plan/nodeIdentity.js";
import { planWorker } from "../plan/planWorker.js";
import type { Wanted } from "../preflight/check.js";
import { runPreflight } from "../preflight/runPreflight.js";
import type { RunContext } from "../report/runContext.js";
import { type ChangedNode, changeNode, type PlannedNode } from "./changeNode.js";
import { clusterConfigurations } from "./clusterConfigurations.js";
import { apiByKubeconfig, requestTimeoutMs } from "./hostApi.js";
import { checkTier, type HostSession, openSession } from "./hostSession.js";
import { readBundled } from "./readBundled.js";
import { withEngine } from "./withEngine.js";

/** A worker that is a node of its cluster. */
export interface JoinedWorker extends ChangedNode {
  readonly config: ClusterConfig;
  /** The node's own, such as `v1.20.2`. */
  readonly version: string;
}

/** This Docker host joins, or stays in, a cluster. */
export async function joinWorker(
  requested: WorkerOptions,
  context: RunContext,
): Promise<JoinedWorker | PlannedNode> {
  return withEngine(requested, context, async (engine) => {
    const run = new WorkerRun(engine, await collectEngineFacts(engine), requested, context);
    try {
      return await run.run();
    } finally {
      await run.close();
    }
  });
}

/** What is known of the cluster, and by which credential this run asks it. */
interface Membership {
  readonly config: ClusterConfig;
  readonly api: KubernetesClient;
  /** CA certificate, and the bootstrap kubeconfig of a node that has not joined. */
  readonly credentials: readonly HostFile[];
  readonly hasJoined: boolean;
}

class WorkerRun {
  readonly #engine: ContainerEngine;
  readonly #engineFacts: EngineFacts;
  /** With what an earlier run accepted, as soon as that is known. */
  #requested: WorkerOptions;
  readonly #context: RunContext;
  #session: { readonly image: string; readonly host: HostSession } | undefined;
  #api: KubernetesClient | undefined;

  constructor(engine: ContainerEngine, engineFacts: EngineFacts, requested: WorkerOptions, context: RunContext) {
    this.#engine = engine;
    this.#engineFacts = engineFacts;
    this.#requested = requested;
    this.#context = context;
  }

  async run(): Promise<JoinedWorker | PlannedNode> {
    const context = this.#context;
    checkTier(runPreflight("engine", this.#engineFacts, this.#wanted()), context);

    // With an image that is here the host itself asks the master, on the way that its kubelet will take.
    const local = await this.#localImage();
    if (local !== undefined) await this.#open({ how: "present", reference: local }, defaultVersion, this.#wanted());
    const membership = await this.#membership();
    this.#api = membership.api;
    const { config } = membership;

    const requested = this.#requested;
    const version = resolveVersion(requested.k8sVersion ?? config.version);
    checkSkew({ master: config.version, worker: version });
    const image = await chooseNodeImage(this.#engine, this.#engineFacts, { requested, version, cluster: config });
    const features = featuresOf(version);
    const base = await clusterConfigurations(membership.api, features, context.signal);
    const bundled = await readBundled();
    const planFor = (observed: ObservedHost): Plan => {
      const hostBefore = hostBeforeFile(observed.host, observed.files);
      const { nodeName, nodeIp } = nodeIdentity(requested, observed.host, features);
      return planWorker({
        options: { ...requested, k8sVersion: version, image: image.reference },
        config,
        observed,
        base,
        bundled,
        credentials: membership.credentials,
        otherFiles: [
          ...(hostBefore ? [hostBefore] : []),
          acceptedWorkerFile({ ...requested, ip: nodeIp, nodeName }),
        ],
      });
    };
    // Without the image: what a plan says as far as it can be told.
    if (requested.dryRun && image.how !== "present") {
      reportMissingImage(image, context);
      return { kind: "planned", description: describePlan(planFor(unknownHost(this.#engineFacts))) };
    }

    const wanted = this.#wanted(config, version);
    // Some checks of Docker are by version; warnings have been told.
    checkTier({ ...runPreflight("engine", this.#engineFacts, wanted), warnings: [] }, context);
    const session = await this.#open(image, version, wanted);
    const { observed } = session;
    checkTier(runPreflight("host", observed, { ...wanted, ...validityOf(membership.api) }), context);
    const plan = planFor(observed);
    const { nodeName } = plan;
    if (!membership.hasJoined) await this.#refuseTakenName(membership.api, nodeName);
    const { api } = membership;
    const options = { ...requested, overwrite: false };
    const outcome = await changeNode({ plan, session, api, options, keepsData: false, context });
    return outcome.kind === "planned" ? outcome : { ...outcome, config, version };
  }

  async close(): Promise<void> {
    this.#api?.close();
    await this.#session?.host.helper.close();
  }

  #wanted(config?: ClusterConfig, version?: string): Wanted {
    const requested = this.#requested;
    return {
      role: "worker",
      ...defined({
        version,
        nodeName: requested.nodeName,
        ip: requested.ip,
        networkInterface: requested.networkInterface,
      }),
      ...(config && {
        clusterName: config.clusterName,
        podCidr: config.podCidr,
        serviceCidr: config.serviceCidr,
        clusterDomain: config.clusterDomain,
        network: config.network,
        networkBackend: config.networkBackend,
        masterIp: new URL(config.apiserver).hostname,
        proxyMode: config.proxyMode,
      }),
      allowSwap: { ...config?.extraArgs.kubelet, ...requested.extraArgs.kubelet }["fail-swap-on"] === "false",
    };
  }

  /** An image here that a helper can run from, before the cluster has told which one the node is to run from. */
  async #localImage(): Promise<string | undefined> {
    const { image, registry, k8sVersion } = this.#requested;
    const running = kubeletOf(this.#engineFacts.containers);
    const named = [
      image,
      k8sVersion === undefined ? undefined : imageReference({ registry, version: resolveVersion(k8sVersion) }),
      running?.image,
    ];
    for (const reference of named) {
      if (reference !== undefined && (await this.#engine.inspectImage(reference))) return reference;
    }
    const { architecture } = this.#engineFacts.version;
    const images = await this.#engine.listImages([imageLabels.pause]);
    return images.find((any) => any.architecture === architecture && any.tags.length > 0)?.tags[0];
  }

  /** The session of this image; the facts of an earlier one hold if it is the same. */
  async #open(choice: ImageChoice, version: string, wanted: Wanted): Promise<HostSession> {
    const image = choice.reference;
    if (this.#session?.image === image) return this.#session.host;
    // Docker 20.10 leaves streams through a helper that is gone open: a request on a kept one would wait in vain.
    this.#api?.disconnect();
    await this.#session?.host.helper.close();
    this.#session = undefined;
    const host = await openSession({
      engine: this.#engine,
      engineFacts: this.#engineFacts,
      image: choice,
      version,
      wanted,
      options: this.#requested,
      context: this.#context,
    });
    this.#session = { image, host };
    const accepted = host.observed.files.get(paths.options);
    // Beside a CA's key it is a master's, which the checks refuse.
    if (accepted && !host.observed.files.has(`${paths.pki}/ca.key`)) {
      this.#requested = followAccepted(this.#requested, parseAcceptedWorkerOptions(accepted.content));
    }
    return host;
  }

  /**
   * By the helper of the moment: another image takes another one. Without an image here the worker's own network cannot
   * be used yet.
   */
  #openTcp(host: string, port: number): Promise<Duplex> {
    return this.#session ? this.#session.host.helper.openTcp(host, port) : openDirectly(host, port);
  }

  /** By the node's own credential if it has joined, else by a token. */
  async #membership(): Promise<Membership> {
    const { signal } = this.#context;
    const master = masterAddress(this.#requested.master);
    const host = this.#session?.host;
    const joined = host && (await this.#joinedMembership(host));
    if (joined) return joined;

    const token = parseJoinToken(await this.#token(`${master.host}:${master.port}`));
    const connect = (): Promise<Duplex> => this.#openTcp(master.host, master.port);
    const timeoutMs = requestTimeoutMs(this.#requested.timeoutMs);
    const apiserver = `${master.host}:${master.port}`;
    const { caPem, config } = await discoverCluster({ token, apiserver, connect, signal, timeoutMs });
    const api = new KubernetesClient({
      server: `https://${apiserver}`,
      connect,
      caPem,
      credentials: { token: bootstrapToken(token) },
      timeoutMs,
    });
    const credentials = [caCertificate(caPem), nodeKubeconfig(config, caPem, token)];
    return { config, api, credentials, hasJoined: false };
  }

  /** Undefined if the node has no credential, or one that is good no more: it then needs a token again. */
  async #joinedMembership({ helper, observed }: HostSession): Promise<Membership | undefined> {
    const { signal } = this.#context;
    const ca = observed.files.get(`${paths.pki}/ca.crt`)?.content;
    // The kubelet writes its kubeconfig before it has got the certificate that this names.
    const lasting: Pick<Helper, "run" | "openTcp"> = {
      run: async (...script) => helper.run(...script),
      openTcp: async (host, port) => this.#openTcp(host, port),
    };
    const options = { timeoutMs: requestTimeoutMs(this.#requested.timeoutMs) };
    const api = await apiByKubeconfig(lasting, observed.files, paths.kubeletConf, options).catch((error: unknown) => {
      if (error instanceof TsdeployError && error.problems[0]?.code === "KUBECONFIG_BROKEN") return undefined;
      throw error;
    });
    if (!api || ca === undefined) return undefined;
    try {
      await this.#refuseOtherCluster(helper, new URL(api.server), ca);
      const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
      return { config, api, credentials: [caCertificate(ca)], hasJoined: true };
    } catch (error) {
      api.close();
      if (error instanceof ApiError && error.status === 401) return undefined;
      throw error;
    }
  }

  /** A master may be named by another name or address than the node's kubeconfig does: its CA tells. */
  async #refuseOtherCluster(helper: Helper, joined: URL, caPem: string): Promise<void> {
    const { host, port } = masterAddress(this.#requested.master);
    if (joined.host === `${host}:${port}`) return;
    const connect = (): Promise<Duplex> => helper.openTcp(host, port);
    const named = new KubernetesClient({ server: `https://${host}:${port}`, connect, caPem });
    try {
      await named.get("/version", { signal: this.#context.signal });
    } catch (error) {
      if (error instanceof ApiError) return;
      if (!(error instanceof TsdeployError && error.problems[0]?.code === "CA_MISMATCH")) throw error;
      throw new TsdeployError("conflict", {
        code: "ALREADY_JOINED",
        message: `this host is a node of the cluster at ${joined.origin}, not of that at ${this.#requested.master}`,
        hint: "Run `tsdeploy teardown` here first.",
      });
    } finally {
      named.close();
    }
  }

  async #token(apiserver: string): Promise<string> {
    const { isTTY, env } = this.#context;
    const token = this.#requested.token ?? (await new TokenStore(env).load(apiserver));
    if (token !== undefined) return token;
    const where = "`tsdeploy token create` on the master prints one";
    if (isTTY) return this.#context.askSecret(`Join token of ${apiserver} (${where}): `);
    throw new TsdeployError("usage", {
      code: "TOKEN_MISSING",
      message: `a join token is needed to join the cluster at ${apiserver}`,
      hint: "Run `tsdeploy token create` on the master; give what it prints by --token, --token-file - or TSDEPLOY_TOKEN.",
    });
  }

  /** Two kubelets under one name would overwrite each other's state. */
  async #refuseTakenName(api: KubernetesClient, nodeName: string): Promise<void> {
    const node = await nodeOf(api, nodeName, this.#context.signal).catch((error: unknown) => {
      // An older cluster may not let who joins see its nodes.
      if (error instanceof ApiError && error.status === 403) return undefined;
      throw error;
    });
    const isReady = node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
    if (isReady !== true) return;
    throw new TsdeployError("conflict", {
      code: "NODE_NAME_TAKEN",
      message: `the cluster has a Ready node named ${nodeName}`,
      hint: `Give this one another name with --node-name, or remove the other: kubectl delete node ${nodeName}.`,
    });
  }
}

/** When the API server's certificate is good: the worker's kubelet will look at it by the worker's clock. */
function validityOf(api: KubernetesClient): Pick<Wanted, "validity"> {
  const [pem] = api.peerCertificates;
  if (pem === undefined) return {};
  const { validFrom, validTo } = new X509Certificate(pem);
  return { validity: { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) } };
}

function caCertificate(content: string): HostFile {
  return { path: `${paths.pki}/ca.crt`, mode: 0o644, content, secret: false };
}

function masterAddress(text: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`https://${text}`);
  return { host: hostname, port: port === "" ? (text.endsWith(":443") ? 443 : apiserverPort) : Number(port) };
}
