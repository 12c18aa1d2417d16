import { compare } from "semver";
import { acceptedNode, isMasterOptions, parseAcceptedOptions, parseAcceptedWorkerOptions } from "../config/acceptedOptions.js";
import { collectEngineFacts } from "../host/engineFacts.js";
import { openHelper, prepareLook } from "../host/helperSession.js";
import { kubeletToLookThrough } from "../host/lookThrough.js";
import { saidVersion } from "../image/versionOfImage.js";
import type { ClusterHost } from "../model/clusterHosts.js";
import { TsdeployError } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdCopy, etcdScrap, labels, paths } from "../model/hostLayout.js";
import { imageLabels } from "../model/imageLabels.js";
import { isOurs, kubeletOf } from "../model/ownership.js";
import type { RunContext } from "../report/runContext.js";
import { contextOf, failureOf, type HostFailure } from "./manyHosts.js";
import { withEngine } from "./withEngine.js";

/** A node that runs on a host, as a look that changed nothing has found it. */
export interface NodeThere {
  readonly nodeName: string;
  /** Of Kubernetes, as the last run on the host was to have it. */
  readonly version: string;
  /** False where a run was cut short. */
  readonly isWhole: boolean;
  /** Seen through the image that it runs from. */
  readonly observed: ObservedHost;
  /** Of Kubernetes, of which its Docker has an image. */
  readonly imageVersions: readonly string[];
  /** Of the image that the host's options name, if they do and it says so. */
  readonly namedVersion: string | undefined;
}

/** A host, and what is there. */
export interface NodeSight<Host extends ClusterHost = ClusterHost> {
  readonly host: Host;
  readonly name: string;
  /** Of a host that is not reached, or cannot be looked at. */
  readonly failure?: HostFailure;
  /** Undefined where nothing of ours runs. */
  readonly there?: NodeThere;
}

/** Never throws for what a host is like. */
export async function lookAtNode<Host extends ClusterHost>(host: Host, context: RunContext): Promise<NodeSight<Host>> {
  const { name } = host;
  const own = { ...contextOf(host, context), report: () => undefined };
  try {
    const there = await look(host, own);
    return { host, name, ...(there && { there }) };
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { host, name, failure: failureOf(error, context.signal) };
  }
}

async function look({ role, options }: ClusterHost, context: RunContext): Promise<NodeThere | undefined> {
  return withEngine(options, context, async (engine) => {
    const engineFacts = await collectEngineFacts(engine);
    const kubelet = kubeletOf(engineFacts.containers);
    if (!kubelet) return undefined;
    const found = kubelet.labels[labels.role];
    if (found !== role) throw otherRole(engine.endpoint, found ?? "?", role);
    const image = await engine.inspectImage(kubelet.imageId);
    if (!image) throw new Error(`Docker has no image of the container ${kubelet.name}`);
    const through = kubeletToLookThrough(engineFacts.containers, kubelet.imageId);
    const look = { dockerRootDir: engineFacts.info.dockerRootDir, imageLabels: image.labels, signal: context.signal };
    const how = { through, look: await prepareLook(look), report: context.report };
    const helper = await openHelper(engine, kubelet.imageId, how);
    try {
      const [{ host, files }, images, namedVersion] = await Promise.all([
        helper.look(look),
        engine.listImages([imageLabels.pause]),
        options.image === undefined ? undefined : saidVersion(engine, options.image, options.registryMirrors),
      ]);
      const observed: ObservedHost = { engine: engineFacts, host, files, image };
      const nodeName = acceptedNode(files)?.nodeName ?? engineFacts.info.hostname.toLowerCase();
      const imageVersions = images.flatMap((one) => one.labels[imageLabels.version] ?? []);
      return { nodeName, ...versionThere(observed), observed, imageVersions, namedVersion };
    } finally {
      await helper.close();
    }
  });
}

/** A run writes its options before it replaces a container: where they differ, it was cut short. */
function versionThere({ engine, host, files }: ObservedHost): Pick<NodeThere, "version" | "isWhole"> {
  const ours = engine.containers.filter(isOurs);
  const versions = ours.flatMap((container) => container.labels[labels.version] ?? []).sort(compare);
  const text = files.get(paths.options)?.content;
  const accepted = isMasterOptions(text) ? parseAcceptedOptions(text ?? "").k8sVersion : undefined;
  const version = accepted ?? versions[0] ?? "";
  const isWhole =
    ours.every(({ state }) => state === "running") &&
    versions.every((one) => one === version) &&
    ![etcdCopy, etcdScrap].some((path) => host.entries.includes(path));
  return { version, isWhole };
}

/** The options that an earlier run has accepted on this host. */
export function acceptedOn({ files }: ObservedHost): ReturnType<typeof parseAcceptedWorkerOptions> | undefined {
  const text = files.get(paths.options)?.content;
  if (text === undefined) return undefined;
  return isMasterOptions(text) ? parseAcceptedOptions(text) : parseAcceptedWorkerOptions(text);
}

function otherRole(endpoint: string, is: string, wanted: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "OTHER_ROLE",
    message: `${endpoint} is a ${is}, and not a ${wanted}`,
    hint: "Put the file right, or run `tsdeploy teardown` there first.",
  });
}
