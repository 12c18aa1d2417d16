import { addonsOf } from "../../../src/addons/addons.js";
import { acceptedOptionsFile, parseAcceptedOptions } from "../../../src/config/acceptedOptions.js";
import { withAddon } from "../../../src/deploy/changeAddon.js";
import {
  type JoinedCluster,
  refuseLivingMember,
  refuseRemovedMember,
  shownConfigOf,
} from "../../../src/deploy/joinMaster.js";
import { planMasterHost, settle, type Settled } from "../../../src/deploy/settleMaster.js";
import { planWorkerHost } from "../../../src/deploy/settleWorker.js";
import { bootstrapObjects, clusterConfigPath, parseClusterConfig } from "../../../src/kubernetes/bootstrapObjects.js";
import { tokenSecret } from "../../../src/kubernetes/clusterInfo.js";
import { defaultRegistry } from "../../../src/kubernetes/releaseTable.js";
import { featuresOf } from "../../../src/kubernetes/versions.js";
import type { AddonName } from "../../../src/model/addonNames.js";
import type { ExistingFile, ObservedHost } from "../../../src/model/hostFacts.js";
import { paths } from "../../../src/model/hostLayout.js";
import type { MasterOptions, WorkerOptions } from "../../../src/model/options.js";
import { planAddon } from "../../../src/plan/planAddon.js";
import {
  masterInputOf,
  masterOptions,
  observed as masterFixture,
  workerInput,
  workerInputOf,
} from "../../plan/fixtures.js";
import { type MemoryCluster, MemoryHost, memoryImage } from "./memoryHost.js";
import { carryOutWell, observe, type Scene } from "./scene.js";

interface Of {
  readonly version: string;
  /** Of the etcd in the image; undefined: it has none, and etcd has an image of its own. */
  readonly etcd?: string;
}

export interface MasterOf extends Of {
  readonly options?: Partial<MasterOptions>;
}

export interface WorkerOf extends Of {
  readonly options?: Partial<WorkerOptions>;
}

/** What a host may have that is somebody's own. */
export interface Owned {
  readonly files?: Readonly<Record<string, ExistingFile>>;
  readonly folders?: Readonly<Record<string, number>>;
}

const imageLabels = { "io.tsdeploy.image.pause": "/pause", "io.tsdeploy.image.cni": "/usr/lib/cni" };

/**
 * A host with Docker and nothing of Kubernetes, but an image for each of these.
 *
 * @param cluster that has a master already, of which this host is to be a further one
 */
export function freshHost(
  isWorker: boolean,
  of: readonly Of[],
  owned: Owned = {},
  cluster?: MemoryCluster,
): MemoryHost {
  return MemoryHost.of({
    isWorker,
    ...(cluster && { cluster }),
    images: of.map(({ version, etcd }) => memoryImage(`tsdeploy/hyperkube:${version}`, etcd, { labels: imageLabels })),
    registry: of.map(({ version }) => memoryImage(`${defaultRegistry}/${featuresOf(version).images.etcd}`)),
    ...owned,
  });
}

function fixtureOf(fixture: ObservedHost, { version, etcd }: Of): ObservedHost {
  const host: { imageEtcdVersion?: string } & ObservedHost["host"] = { ...fixture.host };
  delete host.imageEtcdVersion;
  return {
    ...fixture,
    image: { ...fixture.image, tags: [`tsdeploy/hyperkube:${version}`], labels: imageLabels },
    host: { ...host, imageVersion: version, ...(etcd !== undefined && { imageEtcdVersion: etcd }) },
  };
}

function settledMaster(version: string, options: Partial<MasterOptions>, observed: ObservedHost): Settled {
  const given = new Set(["k8sVersion", ...Object.keys(options)]);
  return settle({ ...masterOptions, ...options, k8sVersion: version, given }, observed, `tsdeploy/hyperkube:${version}`);
}

/** `master` with these options on this host. */
export async function masterScene(host: MemoryHost, of: MasterOf): Promise<Scene> {
  const { version, options = {} } = of;
  const features = featuresOf(version);
  const observed = await observe(host, fixtureOf(masterFixture, of));
  const settled = settledMaster(version, options, observed);
  const isFirstRun = observed.engine.containers.length === 0;
  const token = { id: "abcdef", secret: "0123456789abcdef" };
  const tokens = isFirstRun && features.nodeCredentials === "bootstrap-token" ? [token] : [];
  const plan = await planMasterHost(settled, observed, {
    pkiFiles: masterInputOf({ version }).pkiFiles,
    bootstrapObjects: [
      ...tokens.map((one) => tokenSecret(one)),
      ...bootstrapObjects(settled.config, "CA", features, tokens),
    ],
    isUp: !isFirstRun,
  });
  return { host, observed, plan, overwrite: options.overwrite ?? false };
}

/** Where the founder of a cluster of several masters is. */
const founder = "10.0.0.5";

/** `master --join` on this host, whose cluster has a master already. */
export async function furtherMasterScene(host: MemoryHost, of: MasterOf): Promise<Scene> {
  const { version } = of;
  const options: Partial<MasterOptions> = { severalMasters: true, join: founder, ...of.options };
  const observed = await observe(host, fixtureOf(workerInput.observed, of));
  const settled = settledMaster(version, options, observed);
  const { signal } = new AbortController();
  const { members } = await host.etcd.at(founder).members();
  const isUp = await host.api.healthz().then(
    () => true,
    () => false,
  );
  if (!isUp) {
    const living = (): Promise<Set<string>> => Promise.resolve(new Set());
    const joined = { etcd: { ...host.etcd, living }, members } as unknown as JoinedCluster;
    if (observed.host.etcdData) refuseRemovedMember(joined, settled);
    else await refuseLivingMember(joined, settled, signal);
  }
  const config = await shownConfigOf(host.others, members, settled.config, undefined, signal);
  const plan = await planMasterHost({ ...settled, config }, observed, {
    pkiFiles: masterInputOf({ version }).pkiFiles,
    bootstrapObjects: bootstrapObjects(config, "CA", settled.features, []),
    isUp,
    joins: isUp ? undefined : founder,
  });
  return { host, observed, plan, overwrite: false, joined: settled };
}

/** `worker` with these options on this host. */
export async function workerScene(host: MemoryHost, of: WorkerOf): Promise<Scene> {
  const { version } = of;
  const features = featuresOf(version);
  const observed = await observe(host, fixtureOf(workerInput.observed, of));
  const input = workerInputOf({ version, observed });
  const options = { ...input.options, ...of.options };
  const hasJoined = observed.files.has(paths.kubeletConf) && features.nodeCredentials === "bootstrap-token";
  const credentials = input.credentials.filter(({ path }) => !(hasJoined && path === paths.bootstrapKubeletConf));
  const { image = `tsdeploy/hyperkube:${version}` } = options;
  const plan = await planWorkerHost({ ...input, options, version, image, credentials }, observed);
  return { host, observed, plan, overwrite: false };
}

/** `addon enable` or `addon disable` on this host, on which `master` has run. */
export async function addonScene(host: MemoryHost, of: Of, name: AddonName, enabled: boolean): Promise<Scene> {
  const observed = await observe(host, fixtureOf(masterFixture, of));
  const accepted = withAddon(parseAcceptedOptions(observed.files.get(paths.options)?.content ?? ""), name, enabled);
  const config = { ...parseClusterConfig(host.state.objects.get(clusterConfigPath)), addons: addonsOf(accepted) };
  const plan = planAddon({
    name,
    config,
    features: featuresOf(of.version),
    observed,
    options: accepted,
    hasOtherNodes: false,
    nodeName: accepted.nodeName,
    revision: "another",
    optionsFile: acceptedOptionsFile(accepted),
  });
  return { host, observed, plan, overwrite: false };
}

/** A host on which `master` has run, and that has images for later runs. */
export async function runningMaster(of: MasterOf, later: readonly Of[] = [], owned: Owned = {}): Promise<MemoryHost> {
  const host = freshHost(false, [of, ...later], owned);
  await carryOutWell(await masterScene(host, of), host);
  return host.copy();
}

/** A host that may become a further master of a cluster with one. */
export async function hostBesideMaster(of: MasterOf, owned: Owned = {}): Promise<MemoryHost> {
  const { state } = await runningMaster({ ...of, options: { severalMasters: true, ...of.options } });
  return freshHost(false, [of], owned, structuredClone({ etcd: state.etcd, objects: state.objects }));
}

/** The same for `worker`. */
export async function runningWorker(of: WorkerOf, later: readonly Of[] = [], owned: Owned = {}): Promise<MemoryHost> {
  const host = freshHost(true, [of, ...later], owned);
  await carryOutWell(await workerScene(host, of), host);
  return host.copy();
}
