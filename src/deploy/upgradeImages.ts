import { coerce } from "semver";
import { furtherImages } from "../addons/furtherImages.js";
import { followAccepted } from "../config/acceptedOptions.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import { besides } from "../image/besides.js";
import type { ImageChoice } from "../image/chooseImage.js";
import { chooseNodeImage } from "../image/chooseNodeImage.js";
import { ensureImage, pullImage } from "../image/ensureImage.js";
import { sideImageNames } from "../image/sideImages.js";
import { taggedEtcd } from "../kubernetes/etcdVersions.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost, WorkerHost } from "../model/clusterHosts.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { imageLabels } from "../model/imageLabels.js";
import type { RunContext } from "../report/runContext.js";
import { bringImage } from "./bringImage.js";
import { contextOf } from "./manyHosts.js";
import { acceptedOn, type NodeSight } from "./nodeSight.js";
import { masterAt, workerAt } from "./optionsAt.js";
import { withEngine } from "./withEngine.js";

/** The image by which a host is to run a version. */
export interface UpgradeImage {
  readonly host: string;
  readonly version: string;
  readonly reference: string;
  /** `copy`: from the first master's Docker, which has it and no registry is known to. */
  readonly how: "present" | "copy" | "pull" | "build";
  /** The etcd that a master would run with it, such as `3.5.26`, as far as it is known. */
  readonly etcd?: string;
  /** Of a master's: no registry is known to have it. */
  readonly isLocal?: boolean;
}

/** What images of other hosts are chosen by. */
export interface FirstMaster {
  readonly sight: NodeSight<MasterHost>;
  readonly images: readonly UpgradeImage[];
}

/** The images of a master, by version. Fetches nothing. @param first another one that may have them */
export async function masterImages(
  sight: NodeSight<MasterHost>,
  versions: readonly string[],
  context: RunContext,
  first?: FirstMaster,
): Promise<UpgradeImage[]> {
  return withEngine(sight.host.options, contextOf(sight.host, context), (engine) =>
    inTurn(versions, async (version) => {
      const { options } = followed(sight, masterAt(sight, version));
      const choice = await choose(engine, sight, options, version);
      const here = choice.how === "present" ? await engine.inspectImage(choice.reference) : undefined;
      const etcd = etcdOf(choice, here, version);
      const isLocal = choice.how === "build" || here?.repoDigests.length === 0;
      const how = howToGet(choice, version, first);
      return { host: sight.name, version, ...choice, how, isLocal, ...(etcd !== undefined && { etcd }) };
    }),
  );
}

/** Undefined where only a run of the image would tell. */
function etcdOf({ how, reference }: ImageChoice, here: ImageDetails | undefined, version: string): string | undefined {
  const features = featuresOf(version);
  if (how === "build") return features.components.etcd;
  const beside = taggedEtcd(features.images.etcd);
  const [published] = features.published?.reference.split("{") ?? [];
  if (!here) return published !== undefined && reference.startsWith(published) ? beside : undefined;
  const isBeside = besides(here, features, { network: "none", dns: false }).includes("etcd");
  return isBeside ? beside : coerce(here.labels[imageLabels.etcd])?.version;
}

/** The same of a worker, which follows the master's. */
export async function workerImages(
  sight: NodeSight<WorkerHost>,
  versions: readonly string[],
  config: ClusterConfig,
  master: FirstMaster,
  context: RunContext,
): Promise<UpgradeImage[]> {
  return withEngine(sight.host.options, contextOf(sight.host, context), (engine) =>
    inTurn(versions, async (version) => {
      const { options } = followed(sight, workerAt(sight, version));
      const ofMaster = master.images.find((image) => image.version === version);
      const cluster = { ...config, version, image: ofMaster?.reference ?? config.image };
      const choice = await choose(engine, sight, options, version, cluster);
      return { host: sight.name, version, reference: choice.reference, how: howToGet(choice, version, master) };
    }),
  );
}

/** What no registry has is copied from where it is, or will have been built. */
function howToGet(choice: ImageChoice, version: string, first: FirstMaster | undefined): UpgradeImage["how"] {
  const known = first?.images.find((image) => image.version === version);
  const isCopied = choice.reference === known?.reference && known.isLocal === true;
  return choice.how !== "present" && isCopied ? "copy" : choice.how;
}

/**
 * Brings all that a host runs a version from to its Docker: nothing has to be fetched when the host itself is changed.
 *
 * @throws TsdeployError as `ensureImage` and `copyImages` do
 */
export async function bringUpgradeImage(
  sight: NodeSight<MasterHost> | NodeSight<WorkerHost>,
  image: UpgradeImage,
  config: ClusterConfig,
  master: FirstMaster,
  context: RunContext,
): Promise<void> {
  const { host } = sight;
  const { reference, version } = image;
  const own = contextOf(host, context);
  if (image.how === "copy") await bringImage(reference, master.sight.host, host, context);
  await withEngine(host.options, own, async (engine) => {
    const { architecture } = await engine.version();
    const how = image.how === "copy" ? "build" : image.how;
    const { registryMirrors, mirror, pullTimeoutMs } = followedOptions(sight, version);
    const wish = { version, architecture, registryMirrors, mirror, pullTimeoutMs, context: own };
    const hyperkube = await ensureImage(engine, { reference, how }, wish);
    for (const side of sideReferences(sight, hyperkube, version, config, architecture)) {
      await pullImage(engine, side, { pullTimeoutMs, context: own });
    }
  });
}

/** Images beside it that the host would have to pull. */
function sideReferences(
  sight: NodeSight<MasterHost> | NodeSight<WorkerHost>,
  hyperkube: ImageDetails,
  version: string,
  config: ClusterConfig,
  architecture: string,
): string[] {
  const features = featuresOf(version);
  const { registry = config.registry, registryMirrors } = followedOptions(sight, version);
  const place = { architecture, registry, registryMirrors };
  const dns = config.addons.includes("coredns") && config.dnsFromImage !== true;
  const parts = besides(hyperkube, features, { network: config.network, dns });
  const names = sideImageNames(features, place);
  const needed = parts.filter((part) => part !== "etcd" || sight.host.role === "master").map((part) => names[part]);
  const further = furtherImages({ enabledAddons: config.addons })(features, place).map(({ reference }) => reference);
  return [...needed, ...further];
}

function followedOptions(
  sight: NodeSight<MasterHost> | NodeSight<WorkerHost>,
  version: string,
): MasterHost["options"] | WorkerHost["options"] {
  return sight.host.role === "master"
    ? followed(sight as NodeSight<MasterHost>, masterAt(sight as NodeSight<MasterHost>, version)).options
    : followed(sight as NodeSight<WorkerHost>, workerAt(sight as NodeSight<WorkerHost>, version)).options;
}

function followed<Host extends MasterHost | WorkerHost>({ there }: NodeSight, host: Host): Host {
  return { ...host, options: followAccepted(host.options, there && acceptedOn(there.observed)) };
}

async function choose(
  engine: ContainerEngine,
  { there }: NodeSight,
  requested: Pick<MasterHost["options"], "image" | "registry" | "registryMirrors">,
  version: string,
  cluster?: Pick<ClusterConfig, "version" | "image" | "registry">,
): Promise<ImageChoice> {
  if (!there) throw new Error("no node is there to have an image");
  return chooseNodeImage(engine, there.observed.engine, { requested, version, cluster });
}

async function inTurn<Item, Result>(items: readonly Item[], act: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}
