import type { MasterHost, WorkerHost } from "../model/clusterHosts.js";
import type { MasterOptions, WorkerOptions } from "../model/options.js";
import type { NodeSight } from "./nodeSight.js";

/** The host, with options by which it runs a version. An image is of one version: a named one is for its own alone. */
export function masterAt({ host, there }: NodeSight<MasterHost>, version: string): MasterHost {
  const { given } = host.options;
  const options = withoutImageOfOther<MasterOptions>(host.options, there?.namedVersion, version);
  const keys = options.image === undefined ? [...given].filter((key) => key !== "image") : [...given];
  return { ...host, options: { ...options, k8sVersion: version, given: new Set([...keys, "k8sVersion"]) } };
}

/**
 * The same of a worker, which follows its master where its file says no version: what an earlier run has accepted here
 * must not keep it at another.
 */
export function workerAt({ host, there }: NodeSight<WorkerHost>, version: string): WorkerHost {
  const options = withoutImageOfOther<WorkerHost["options"]>(host.options, there?.namedVersion, version);
  const { k8sVersion, ...rest } = options;
  const said = k8sVersion === undefined ? {} : { k8sVersion: version };
  return { ...host, options: { ...rest, ...said, given: new Set([...options.given, "k8sVersion", "image"]) } };
}

function withoutImageOfOther<Options extends Pick<MasterOptions | WorkerOptions, "image">>(
  options: Options,
  named: string | undefined,
  version: string,
): Options {
  if (options.image === undefined || named === undefined || named === version) return options;
  return Object.fromEntries(Object.entries(options).filter(([key]) => key !== "image")) as unknown as Options;
}
