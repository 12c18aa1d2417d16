import { parse, stringify } from "yaml";
import { z } from "zod";
import { messageOf, TsdeployError } from "../errors.js";
import { paths } from "../plan/names.js";
import type { HostFile } from "../plan/plan.js";
import type { MasterOptions } from "./options.js";

const stringMap = z.record(z.string(), z.string());

const schema = z.object({
  clusterName: z.string(),
  k8sVersion: z.string(),
  image: z.string().optional(),
  registry: z.string().optional(),
  ip: z.string(),
  nodeName: z.string(),
  nodeLabels: stringMap,
  nodeTaints: z.array(
    z.object({
      key: z.string(),
      value: z.string().optional(),
      effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    }),
  ),
  podCidr: z.string(),
  serviceCidr: z.string(),
  clusterDomain: z.string(),
  apiserverSans: z.array(z.string()),
  network: z.enum(["bridge", "none"]),
  extraArgs: z.record(z.string(), stringMap),
  patches: z.array(
    z.object({ target: z.string(), type: z.enum(["strategic", "merge", "json"]), body: z.unknown(), file: z.string() }),
  ),
  restartPolicy: z.enum(["always", "unless-stopped", "on-failure"]),
});

/** What a run of `master` accepted, defaults and found values included: later runs follow it unless told otherwise. */
export type AcceptedOptions = Pick<
  MasterOptions,
  | "clusterName"
  | "image"
  | "registry"
  | "nodeLabels"
  | "nodeTaints"
  | "podCidr"
  | "serviceCidr"
  | "clusterDomain"
  | "apiserverSans"
  | "network"
  | "extraArgs"
  | "patches"
  | "restartPolicy"
> & { readonly k8sVersion: string; readonly ip: string; readonly nodeName: string };

const heading = `# What \`tsdeploy master\` accepted on this host. A later run follows it in all that it is not told anew.
`;

/** The accepted options as a file of the host. */
export function acceptedOptionsFile(accepted: AcceptedOptions): HostFile {
  const known: Record<string, unknown> = schema.parse(accepted);
  // Extra arguments may hold what is nobody else's business.
  const content = heading + stringify(known, { sortMapEntries: true });
  return { path: paths.options, mode: 0o600, secret: false, content };
}

/** @throws TsdeployError `conflict` if the file on the host is not one of ours */
export function parseAcceptedOptions(text: string): AcceptedOptions {
  try {
    return schema.parse(parse(text)) as AcceptedOptions;
  } catch (error) {
    throw new TsdeployError("conflict", {
      code: "OPTIONS_BROKEN",
      message: `${paths.options} on the host cannot be read: ${messageOf(error).split("\n")[0] ?? ""}`,
      hint: "Put the file right, or move it away to start from the options of this run alone.",
    });
  }
}

/** Options of this run, filled up with accepted ones where the person gave none. */
export function followAccepted(options: MasterOptions, accepted: AcceptedOptions | undefined): MasterOptions {
  if (!accepted) return options;
  const followed = Object.entries(accepted).filter(([key]) => !options.given.has(key));
  // An image is of one version: whoever asks for another version does not ask for the old image.
  const changesVersion = options.given.has("k8sVersion") && options.k8sVersion !== accepted.k8sVersion;
  return { ...options, ...Object.fromEntries(followed.filter(([key]) => !(key === "image" && changesVersion))) };
}
