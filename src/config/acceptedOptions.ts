import { parse, stringify } from "yaml";
import { addonNames } from "../model/addonNames.js";
import { familiesOf, familiesText, type OnePerFamily } from "../model/addressRanges.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { MasterOptions, WorkerOptions } from "../model/options.js";
import { networkBackends, networkNames } from "../model/podNetwork.js";
import * as z from "../model/zod.js";

/** Text in the file, as it is for an option. */
const onePerFamily = z.union([z.string().transform(familiesOf), z.custom<OnePerFamily>(Array.isArray)]);

const stringMap = z.record(z.string(), z.string());

const nodeShape = {
  image: z.string().optional(),
  registry: z.string().optional(),
  registryMirrors: stringMap.default({}),
  mirror: z.string().optional(),
  ip: onePerFamily,
  ipInterface: z.string().optional(),
  networkInterface: z.string().optional(),
  nodeName: z.string(),
  nodeLabels: stringMap,
  nodeTaints: z.array(
    z.object({
      key: z.string(),
      value: z.string().optional(),
      effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    }),
  ),
  extraArgs: z.record(z.string(), stringMap),
  patches: z.array(
    z.object({ target: z.string(), type: z.enum(["strategic", "merge", "json"]), body: z.unknown(), file: z.string() }),
  ),
  restartPolicy: z.enum(["always", "unless-stopped", "on-failure"]),
};

const masterSchema = z.object({
  ...nodeShape,
  clusterName: z.string(),
  k8sVersion: z.string(),
  etcdVersion: z.string().optional(),
  podCidr: onePerFamily,
  nodeCidrMaskSize: z.array(z.number()).optional(),
  serviceCidr: onePerFamily,
  clusterDomain: z.string(),
  apiserverSans: z.array(z.string()),
  controlPlaneEndpoint: z.string().optional(),
  severalMasters: z.boolean().default(false),
  join: z.string().optional(),
  network: z.enum(networkNames),
  networkBackend: z.enum(networkBackends).default("vxlan"),
  networkMtu: z.number().optional(),
  networkDirectRouting: z.boolean().default(false),
  insecureApi: z.boolean().default(false),
  proxyMode: z.enum(["iptables", "ipvs", "nftables"]).default("iptables"),
  // A cluster of an earlier release has none until it is requested.
  dns: z.boolean().default(false),
  enabledAddons: z.array(z.enum(addonNames)).default([]),
  addons: z.array(z.object({ name: z.string(), content: z.string() })).default([]),
});

const workerSchema = z.object({ ...nodeShape, k8sVersion: z.string().optional() });

type NodeKeys =
  | "image"
  | "registry"
  | "registryMirrors"
  | "mirror"
  | "networkInterface"
  | "nodeLabels"
  | "nodeTaints"
  | "extraArgs"
  | "patches"
  | "restartPolicy";
type ClusterKeys =
  | "clusterName"
  | "podCidr"
  | "nodeCidrMaskSize"
  | "serviceCidr"
  | "clusterDomain"
  | "apiserverSans"
  | "controlPlaneEndpoint"
  | "severalMasters"
  | "join"
  | "network"
  | "networkBackend"
  | "networkMtu"
  | "networkDirectRouting"
  | "insecureApi"
  | "proxyMode"
  | "dns"
  | "enabledAddons"
  | "addons";
type FoundNode = {
  readonly ip: OnePerFamily;
  /** Interface that had the address: no option, but what tells which address came in its place. */
  readonly ipInterface?: string;
  readonly nodeName: string;
};

/** What a run of `master` accepted, defaults and found values included: later runs follow it unless given otherwise. */
export type AcceptedOptions = Pick<MasterOptions, NodeKeys | ClusterKeys> &
  FoundNode & {
    readonly k8sVersion: string;
    /** The etcd that it started, such as `3.5.26`: no option, but what decides which etcd may use the data next. */
    readonly etcdVersion?: string;
  };

/** The same of a run of `worker`. Version and image are there only if the person chose them; else the master says. */
export type AcceptedWorkerOptions = Pick<WorkerOptions, NodeKeys | "k8sVersion"> & FoundNode;

/** What is kept beside the options. */
const records: ReadonlySet<string> = new Set(["etcdVersion", "ipInterface"]);

const heading = `# What \`tsdeploy\` accepted on this host. A later run follows it in all that is not given anew.
`;

/** A master's accepted options as a file of the host. */
export function acceptedOptionsFile(accepted: AcceptedOptions): HostFile {
  const known = masterSchema.parse(accepted);
  const { ip, podCidr, serviceCidr } = known;
  return optionsFile({
    ...known,
    ip: familiesText(ip),
    podCidr: familiesText(podCidr),
    serviceCidr: familiesText(serviceCidr),
  });
}

/** A worker's accepted options as a file of the host. */
export function acceptedWorkerFile(accepted: AcceptedWorkerOptions): HostFile {
  const known = workerSchema.parse(accepted);
  return optionsFile({ ...known, ip: familiesText(known.ip) });
}

/** @throws TsdeployError `conflict` if the file on the host is not one of ours */
export function parseAcceptedOptions(text: string): AcceptedOptions {
  return parseWith(masterSchema, text) as AcceptedOptions;
}

/** Whether these are a master's, not a worker's. False for what cannot be read. */
export function isMasterOptions(text: string | undefined): boolean {
  try {
    return masterSchema.safeParse(parse(text ?? "")).success;
  } catch {
    return false;
  }
}

/** @throws TsdeployError `conflict` if the file on the host is not one of ours */
export function parseAcceptedWorkerOptions(text: string): AcceptedWorkerOptions {
  return parseWith(workerSchema, text) as AcceptedWorkerOptions;
}

const nodeSchema = z.object({ ip: onePerFamily, ipInterface: z.string().optional(), nodeName: z.string() });

/** Where an earlier run found this node, master or worker; undefined if nothing that can be read says so. */
export function acceptedNode(files: ReadonlyMap<string, { readonly content: string }>): FoundNode | undefined {
  try {
    return nodeSchema.safeParse(parse(files.get(paths.options)?.content ?? "")).data as FoundNode | undefined;
  } catch {
    return undefined;
  }
}

/** Options of this run, filled up with accepted ones where the person gave none. */
export function followAccepted<Options extends { readonly given: ReadonlySet<string>; readonly k8sVersion?: string }>(
  options: Options,
  accepted: AcceptedOptions | AcceptedWorkerOptions | undefined,
): Options {
  if (!accepted) return options;
  const followed = Object.entries(accepted).filter(([key]) => !records.has(key) && !options.given.has(key));
  // An image is of one version: whoever requests another version does not want the old image.
  const changesVersion = options.given.has("k8sVersion") && options.k8sVersion !== accepted.k8sVersion;
  return { ...options, ...Object.fromEntries(followed.filter(([key]) => !(key === "image" && changesVersion))) };
}

function optionsFile(known: Readonly<Record<string, unknown>>): HostFile {
  // Patches, extra arguments and a mirror's URL may hold what is nobody else's business.
  const content = heading + stringify(known, { sortMapEntries: true });
  return { path: paths.options, mode: 0o600, secret: true, content };
}

function parseWith(schema: z.ZodType, text: string): unknown {
  try {
    return schema.parse(parse(text));
  } catch (error) {
    throw new TsdeployError("conflict", {
      code: "OPTIONS_BROKEN",
      message: `${paths.options} on the host cannot be read: ${messageOf(error).split("\n")[0] ?? ""}`,
      hint: "Put the file right, or move it away to start from the options of this run alone.",
    });
  }
}
