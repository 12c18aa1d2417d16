import { type FamilyOptions, familyProblems } from "../kubernetes/dualStack.js";
import { checkDirectRouting, maskSizeProblems, type PodRanges } from "../kubernetes/networks.js";
import { checkProxyMode } from "../kubernetes/proxyConfiguration.js";
import { checkAnonymousAuth, checkInsecureApi, checkSeveralMasters, featuresOf } from "../kubernetes/versions.js";
import type { ProxyMode } from "../model/options.js";
import type { NetworkBackend, NetworkName } from "../model/podNetwork.js";
import { contains, overlap } from "./networkReaders.js";
import type { CommandName } from "./optionTable.js";
import { type Complaint, ownProblems } from "./reader.js";
import { isRestrictedLabel } from "./restrictedLabels.js";

/** The values of a run that were read without complaint, and who gave them. */
export interface ReadOptions {
  readonly command: CommandName;
  readonly get: (key: string) => unknown;
  /** Undefined for defaults. */
  readonly sourceOf: (key: string) => "flag" | "variable" | "file" | undefined;
  /** A host of a cluster's file: where its master is, the run finds out. */
  readonly isOneOfMany?: boolean;
}

export interface CrossComplaint extends Complaint {
  /** Option that it is said about. */
  readonly key: string;
}

/** What is wrong between options that are right one by one. Pure. */
export function crossChecks(options: ReadOptions): CrossComplaint[] {
  const ofRanges = [rangesOverlap, addressInRange, families, partsOfRanges, directRouting];
  const checks = [...ofRanges, restrictedLabels, foreignArgs, ofVersion, ofJoining, impossiblePairs, missing];
  return checks.flatMap((check) => check(options));
}

const ranges = [
  { key: "podCidr", name: "pod addresses", flag: "--pod-cidr" },
  { key: "serviceCidr", name: "Service addresses", flag: "--service-cidr" },
] as const;

function rangesOverlap({ get, sourceOf }: ReadOptions): CrossComplaint[] {
  // Said about the one that the person gave.
  const [said, other] = sourceOf("podCidr") === undefined ? [ranges[1], ranges[0]] : ranges;
  const byDefault = sourceOf(other.key) === undefined ? ` (${other.flag}'s default)` : "";
  return rangesIn(get(said.key)).flatMap((value) =>
    rangesIn(get(other.key))
      .filter((otherValue) => overlap(value, otherValue))
      .map((otherValue) => ({
        key: said.key,
        code: "RANGE_OVERLAP",
        message: `the ${said.name} ${value} overlap the ${other.name} ${otherValue}${byDefault}`,
        hint: "Choose ranges that have no address in common.",
      })),
  );
}

/** As they were read; none if they were not. */
function rangesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

function addressInRange({ get }: ReadOptions): CrossComplaint[] {
  return ranges.flatMap(({ key, name, flag }) =>
    rangesIn(get(key)).flatMap((range) =>
      rangesIn(get("ip"))
        .filter((ip) => contains(range, ip))
        .map((ip) => ({
          key: "ip",
          code: "RANGE_OVERLAP",
          message: `the node's address ${ip} is one of the ${name} ${range}`,
          hint: `Choose another range with ${flag}.`,
        })),
    ),
  );
}

/** Of what the person gave: the rest may be what an earlier run has accepted, and is looked at when that is known. */
function families({ get, sourceOf }: ReadOptions): CrossComplaint[] {
  const given = (key: keyof FamilyOptions): unknown => (sourceOf(key) === undefined ? undefined : get(key));
  const keys = ["podCidr", "serviceCidr", "ip", "network", "networkBackend", "networkMtu"] as const;
  const version = get("k8sVersion");
  const options: FamilyOptions = Object.fromEntries(keys.map((key) => [key, given(key)]));
  return familyProblems(options, typeof version === "string" ? featuresOf(version) : undefined);
}

/** Where the pods' range is not given, an earlier run may have accepted another than the default. */
function partsOfRanges({ get, sourceOf }: ReadOptions): CrossComplaint[] {
  const [podCidr, sizes] = [get("podCidr"), get("nodeCidrMaskSize")];
  if (sourceOf("podCidr") === undefined || !Array.isArray(podCidr) || !Array.isArray(sizes)) return [];
  // Read as such.
  const ranges = { podCidr, nodeCidrMaskSize: sizes } as unknown as PodRanges;
  return maskSizeProblems(ranges).map((problem) => ({ key: "nodeCidrMaskSize", ...problem }));
}

/** Of what the person gave: what an earlier run has accepted is looked at when that is known. */
function directRouting({ get, sourceOf }: ReadOptions): CrossComplaint[] {
  if (sourceOf("networkDirectRouting") === undefined) return [];
  const given = (key: string, otherwise: string): unknown => (sourceOf(key) === undefined ? otherwise : get(key));
  const complaints: CrossComplaint[] = [];
  const use = (): void => {
    checkDirectRouting({
      networkDirectRouting: get("networkDirectRouting") === true,
      // Read as choices.
      network: given("network", "flannel") as NetworkName,
      networkBackend: given("networkBackend", "vxlan") as NetworkBackend,
    });
  };
  ownProblems(use, (complaint) => complaints.push({ key: "networkDirectRouting", ...complaint }));
  return complaints;
}

function restrictedLabels({ get }: ReadOptions): CrossComplaint[] {
  const labels = get("nodeLabels");
  const nodeName = get("nodeName");
  if (typeof labels !== "object" || labels === null) return [];
  return Object.entries(labels)
    .filter(([label]) => isRestrictedLabel(label))
    .map(([label, value]) => ({
      key: "nodeLabels",
      path: [label],
      aboutKey: true,
      code: "LABEL_RESTRICTED",
      message: `a node may not give itself the label ${label}`,
      hint:
        "When it has joined, run: kubectl label node " +
        `${typeof nodeName === "string" ? nodeName : "<node name>"} ${label}=${String(value)}`,
    }));
}

/** A file may serve a whole cluster; a flag is meant for this machine. */
function foreignArgs({ command, get, sourceOf }: ReadOptions): CrossComplaint[] {
  const args = get("extraArgs");
  if (command !== "worker" || sourceOf("extraArgs") === "file" || typeof args !== "object" || args === null) return [];
  return Object.keys(args)
    .filter((component) => component !== "kubelet" && component !== "proxy")
    .map((component) => ({
      key: "extraArgs",
      message: `a worker has no ${component}`,
      hint: "Give this extra argument to `tsdeploy master`.",
    }));
}

/** What the requested version cannot do. One that an earlier run accepted is looked at when it is known. */
function ofVersion({ get }: ReadOptions): CrossComplaint[] {
  const [version, insecureApi, mode] = [get("k8sVersion"), get("insecureApi"), get("proxyMode")];
  if (typeof version !== "string") return [];
  const features = featuresOf(version);
  const severalMasters = get("severalMasters") === true;
  const complaints: CrossComplaint[] = [];
  const check = (key: string, use: () => void): void => {
    ownProblems(use, (complaint) => complaints.push({ key, ...complaint }));
  };
  check("insecureApi", () => {
    checkInsecureApi({ insecureApi: insecureApi === true }, features);
  });
  check("extraArgs", () => {
    checkAnonymousAuth(get("extraArgs") ?? {}, features);
  });
  check("severalMasters", () => {
    checkSeveralMasters({ severalMasters }, features);
  });
  if (mode !== undefined) {
    check("proxyMode", () => {
      // Read as one of the choices.
      checkProxyMode(mode as ProxyMode, features);
    });
  }
  return complaints;
}

function impossiblePairs({ command, get, sourceOf }: ReadOptions): CrossComplaint[] {
  const complaints: CrossComplaint[] = [];
  const conflict = (key: string, message: string, hint: string): void => {
    complaints.push({ key, code: "OPTION_CONFLICT", message, hint });
  };
  if (sourceOf("dockerHost") === "flag" && sourceOf("dockerContext") === "flag") {
    conflict("dockerHost", "cannot be given together with --context", "Give one of them.");
  }
  if (sourceOf("clusterFile") !== undefined) {
    for (const key of ["config", "dockerHost", "dockerContext"]) {
      if (sourceOf(key) === "flag") conflict(key, "cannot be given together with --file", "Write it into that file.");
    }
  }
  complaints.push(...ofHosts({ command, get, sourceOf }));
  const ttlMs = get("tokenTtl");
  if (get("role") === "master" && typeof ttlMs === "number" && ttlMs > longestMasterTokenMs) {
    conflict("tokenTtl", "of a token for masters is two hours at most: the cluster's keys can be had by it", "Give 2h or less.");
  }
  if (get("parallel") === 0) conflict("parallel", "of 0 would have no host done", "Give 1 or more.");
  if (sourceOf("token") !== undefined && sourceOf("token") === sourceOf("tokenFile")) {
    conflict("tokenFile", "cannot be given together with a token", "Give one of them.");
  }
  if (get("follow") === true && get("output") === "json") {
    conflict("follow", "has no end, and so no JSON document", "Leave out --follow, or --output json.");
  }
  if (get("file") === "-" && command === "image save" && get("output") === "json") {
    conflict("file", "cannot be standard output, which is for the JSON document", "Name a file, or leave out --output json.");
  }
  if (get("merge") === true && sourceOf("kubeconfig") !== undefined && get("kubeconfig") === undefined) {
    conflict("merge", "needs a kubeconfig to merge into", "Leave out --no-kubeconfig.");
  }
  return complaints;
}

/** Of commands that work on one host, or on some of a file's. */
function ofHosts({ command, get, sourceOf }: ReadOptions): CrossComplaint[] {
  const hasFile = sourceOf("clusterFile") !== undefined;
  const isSome = sourceOf("onHosts") !== undefined;
  const isAll = get("all") === true;
  const complaints: CrossComplaint[] = [];
  if ((isSome || isAll) && !hasFile) {
    const [key, message] = isSome ? ["onHosts", "is a host of a file, and none was named"] : ["all", "is for the hosts of a file"];
    complaints.push({ key, code: "OPTION_CONFLICT", message, hint: "Name it: --file cluster.yaml." });
  }
  if (get("watch") === true && !hasFile) {
    const hint = "Name it: --file cluster.yaml.";
    complaints.push({ key: "watch", code: "OPTION_CONFLICT", message: "is for the hosts of a file", hint });
  }
  if (command !== "exec") return complaints;
  if (isSome && isAll) {
    complaints.push({ key: "all", code: "OPTION_CONFLICT", message: "cannot be given beside a host", hint: "Give one of them." });
  }
  if (hasFile && !isSome && !isAll) {
    const hint = "Name it before the --, or say --all.";
    complaints.push({ key: "onHosts", code: "OPTION_MISSING", message: "is needed: which host of the file", hint });
  }
  if (sourceOf("argv") === undefined) {
    const hint = "Write it behind --, such as `tsdeploy exec -- ps`.";
    complaints.push({ key: "argv", code: "OPTION_MISSING", message: "is needed: the command to run", hint });
  }
  return complaints;
}

/** What all masters of a cluster have in common: a further one takes it from the cluster. */
const clusterWide: readonly string[] = [
  "clusterName",
  "podCidr",
  "serviceCidr",
  "clusterDomain",
  "network",
  "networkBackend",
  "networkMtu",
  "networkDirectRouting",
  "proxyMode",
  "insecureApi",
  "dns",
];

/** Of a further master. A file may serve a whole cluster. */
function ofJoining({ command, get, sourceOf }: ReadOptions): CrossComplaint[] {
  if (command !== "master") return [];
  if (sourceOf("join") === undefined) {
    // A file, or an environment, may serve workers as well.
    const key = ["token", "tokenFile"].find((one) => sourceOf(one) === "flag");
    return key === undefined
      ? []
      : [{ key, code: "OPTION_CONFLICT", message: "is for a further master", hint: "Say which master is there, with --join." }];
  }
  const own = clusterWide.filter((key) => sourceOf(key) === "flag");
  const version = get("k8sVersion");
  const lower = typeof version === "string" && !featuresOf(version).severalMasters ? ["k8sVersion"] : [];
  return [...own, ...lower].map((key) => ({
    key,
    code: "OPTION_CONFLICT",
    message: "cannot be given together with --join: all masters of a cluster have it in common",
    hint: "Leave it out; to change it, run `tsdeploy master` with it on each master afterwards.",
  }));
}

const longestMasterTokenMs = 2 * 60 * 60 * 1000;

const clusterCommands: readonly CommandName[] = ["up", "down", "config print", "config validate"];

function missing({ command, sourceOf, isOneOfMany = false }: ReadOptions): CrossComplaint[] {
  if (clusterCommands.includes(command) && sourceOf("clusterFile") === undefined) {
    const message = "is needed: the file of the cluster, with its hosts";
    return [{ key: "clusterFile", code: "OPTION_MISSING", message, hint: "Write it as --file cluster.yaml." }];
  }
  if (command === "image copy" && sourceOf("to") === undefined) {
    const message = "is needed: the Docker that gets the images";
    return [{ key: "to", code: "OPTION_MISSING", message, hint: "Write it as --to ssh://root@10.0.0.6." }];
  }
  if (command === "worker" && !isOneOfMany && sourceOf("master") === undefined) {
    return [
      {
        key: "master",
        code: "OPTION_MISSING",
        message: "is needed: the address of the machine that ran `tsdeploy master`",
        hint: "On the master, `tsdeploy token create` prints the whole line to run here.",
      },
    ];
  }
  return [];
}
