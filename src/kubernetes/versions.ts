import semver from "semver";
import { TsdeployError } from "../model/errors.js";
import type { ExtraArgs } from "../model/options.js";
import * as flagTables from "./flagTable.js";
import { defaultVersion } from "./defaultVersion.js";
import type { FieldTable, FlagComponent, FlagRange, FlagTable } from "./flagTable.js";
import {
  components,
  type Components,
  corednses,
  corednsRanges,
  packedFlannelVersion,
  images,
  type Images,
  published,
} from "./releaseTable.js";
import { triedVersions } from "./triedRuns.js";
import * as table from "./versionTable.js";

export { defaultVersion };

/** All that one version decides: a column of `versionTable.ts`. */
export interface VersionFeatures {
  /** Such as `v1.20.2`. */
  readonly version: string;
  /** False for one that is only known by its neighbours. */
  readonly tried: boolean;
  readonly programs: Readonly<Record<table.Program, string>>;
  readonly runtime: "dockershim" | "cri-dockerd";
  readonly nodeCredentials: "token-file" | "bootstrap-token";
  /** Of what type it is where there is none yet. */
  readonly serviceAccountKey: "rsa" | "ecdsa";
  readonly authorizationMode: string;
  readonly supportsCgroupV2: boolean;
  /** Whether the kubelet ends where there is swap. */
  readonly refusesSwap: boolean;
  /** Whether pods and Services can have addresses of both families. */
  readonly dualStack: boolean;
  /** Whether a cluster can have several masters, as far as Kubernetes is concerned. */
  readonly severalMasters: boolean;
  /** Minor versions that a kubelet may be behind an API server of this one. */
  readonly kubeletSkew: number;
  readonly nodeIpamBlocks: boolean;
  readonly etcdApi: "v2" | "v3";
  /** Whether the kubelet is configured by its command line alone, or by a file. */
  readonly kubeletConfigured: table.ConfiguredBy;
  readonly proxyConfigured: table.ConfiguredBy;
  readonly podCidrDelivery: table.PodCidrDelivery;
  /** Whether the kubelet reads CNI's `*.conflist`; else a single plugin's `*.conf`. */
  readonly cniList: boolean;
  /** The newest specification of CNI that the runtime's library knows. */
  readonly cniVersion: string;
  /** False: CNI plugins have to be in /opt/cni/bin inside the kubelet's container. */
  readonly kubeletCniBinDir: boolean;
  /** Whether it may look for them in several folders. */
  readonly cniBinDirList: boolean;
  /** Who answers /healthz without credentials, on 127.0.0.1. */
  readonly health: Readonly<Record<"apiserver" | "controller-manager" | "scheduler", table.HealthPort>>;
  /** Whether the API server's insecure port can be opened. */
  readonly insecureApi: boolean;
  /** False: port 10250 has no authentication, and has to be closed by a rule of ours. */
  readonly kubeletAuthenticates: boolean;
  /** False: other machines reach what listens on loopback, unless a rule of ours drops that. */
  readonly kubeletProtectsLoopback: boolean;
  /** False: the API server dials kubelets by their nodes' names. */
  readonly usesNodeAddresses: boolean;
  /** `daemon`: pods of several containers need the daemon's default-ipc-mode to be shareable. */
  readonly sandboxIpc: "daemon" | "shareable";
  /** Docker's API as the kubelet speaks it; undefined without dockershim. */
  readonly dockerApi: table.DockerApi | undefined;
  /** File in /var/lib/kubelet/pki that a bootstrapped kubeconfig names. */
  readonly kubeletClientCertificate: string;
  readonly rotatesCertificates: boolean;
  /** Whether bootstrap tokens may have groups of their own; else their group is `system:bootstrappers`. */
  readonly tokenGroups: boolean;
  /** Who decides that a kubelet gets its certificate. */
  readonly csrApproval: "none" | "flag" | "roles-of-ours" | "roles";
  /** Whether pods may have a priority class. */
  readonly podPriorities: boolean;
  /** Whether tolerations and affinity are fields of a pod; else annotations. */
  readonly schedulingFields: boolean;
  /** Whether a deletion can take along what the object has made. */
  readonly deletionPropagation: boolean;
  readonly upperCaseKeys: boolean;
  /** Whether a container can be kept from gaining privileges. */
  readonly privilegeEscalation: boolean;
  /** Whether a container can say its seccomp profile by a field. */
  readonly seccompProfiles: boolean;
  /** Whether nodes have the label `kubernetes.io/os`. */
  readonly osLabels: boolean;
  /** Whether there is `discovery.k8s.io/v1`. */
  readonly endpointSlices: boolean;
  /** Whether a startup probe may put off the liveness probe. */
  readonly startupProbes: boolean;
  readonly proxyModes: readonly table.ProxyMode[];
  readonly apis: table.ApiVersions;
  readonly images: Images;
  /** Releases that `image build` downloads. */
  readonly components: Components;
  /** Releases of CoreDNS that can serve this version. */
  readonly corednsRange: string;
  /** The official hyperkube image, with `{arch}` and `{version}` to fill in; undefined where there is none. */
  readonly published: { readonly reference: string } | undefined;
  /** This version's value of a flag, or `absent`; undefined where the table has nothing to say. */
  readonly flag: (component: FlagComponent, name: string, insecureApi?: boolean) => Verdict | undefined;
  /** The same of a field of the kubelet's or kube-proxy's configuration file, by its dotted path. */
  readonly field: (document: "kubelet" | "proxy", path: string) => Verdict<FieldValue> | undefined;
  /** Flags that the table has a value for in this version: said even if nobody else says them. */
  readonly ownFlags: (component: FlagComponent, insecureApi?: boolean) => Readonly<Record<string, string>>;
  /** The same of fields, by dotted path. */
  readonly ownFields: (document: "kubelet" | "proxy") => Readonly<Record<string, FieldValue>>;
}

/** `present` without a value: as the manifest, the planner or the document says it. */
export type Verdict<Value = string> =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly value?: Value };

/** A field's value may be one. */
type FieldValue = string | boolean;

/**
 * Reads a version as a person writes it: `1.20.2`, `v1.20.2`.
 *
 * @returns it with its `v`
 * @throws TsdeployError of kind usage: `VERSION_MALFORMED`, `VERSION_UNSUPPORTED` with the nearest that is supported
 */
export function resolveVersion(text: string): string {
  const version = semver.valid(/^v?\d/.test(text.trim()) ? text.trim() : "");
  if (version === null) {
    throw new TsdeployError("usage", {
      code: "VERSION_MALFORMED",
      message: `${JSON.stringify(text.slice(0, 100))} is not a version of Kubernetes`,
      hint: /^v?1\.\d+$/.test(text.trim())
        ? `Say which of its patch releases, as in ${defaultVersion}.`
        : `Write it as ${defaultVersion}.`,
    });
  }
  if (!isSupported(version)) {
    throw new TsdeployError("usage", {
      code: "VERSION_UNSUPPORTED",
      message: `Kubernetes v${version} is not supported; supported is ${rangeName(supportedMinors())}`,
      hint: `The nearest that is supported is ${nearest(version)}.`,
    });
  }
  return `v${version}`;
}

/** @throws TsdeployError of kind usage, `INSECURE_API_UNSUPPORTED`, where there is no insecure port to open */
export function checkInsecureApi(config: { readonly insecureApi: boolean }, features: VersionFeatures): void {
  if (!config.insecureApi || features.insecureApi) return;
  throw new TsdeployError("usage", {
    code: "INSECURE_API_UNSUPPORTED",
    message: `--insecure-api is not for ${features.version}: Kubernetes v1.20 and later have no insecure port`,
    hint: "Leave it out, or say --no-insecure-api where an earlier run has accepted it.",
  });
}

/**
 * @throws TsdeployError of kind usage, `ANONYMOUS_AUTH_OFF`, where the API server would be killed again and again: its
 * health is looked at without credentials
 */
export function checkAnonymousAuth(extraArgs: ExtraArgs, features: VersionFeatures): void {
  const isOff = /^(0|f|false)$/i.test(extraArgs.apiserver?.["anonymous-auth"] ?? "");
  if (!isOff || features.health.apiserver.scheme === "HTTP") return;
  throw new TsdeployError("usage", {
    code: "ANONYMOUS_AUTH_OFF",
    message:
      "extraArgs.apiserver: with --anonymous-auth=false the API server answers its own liveness probe by 401, so that the " +
      "kubelet kills it again and again, and nobody who joins can read cluster-info",
    hint:
      "Leave it out: by RBAC anonymous people see little more than that. From v1.32 on an AuthenticationConfiguration " +
      "(--authentication-config) can let them in at single paths, by anonymous.conditions.",
  });
}

/** @throws TsdeployError of kind usage, `SEVERAL_MASTERS_UNSUPPORTED`, where API servers do not know of each other */
export function checkSeveralMasters(config: { readonly severalMasters?: boolean }, features: VersionFeatures): void {
  if (config.severalMasters !== true || features.severalMasters) return;
  throw new TsdeployError("usage", {
    code: "SEVERAL_MASTERS_UNSUPPORTED",
    message: `--several-masters is not for ${features.version}: API servers before v1.11 do not notice that one of them is gone`,
    hint: "Choose a later version with --k8s-version, or leave it out.",
  });
}

/** Minor versions that are supported, such as `v1.20`, oldest first. */
export function supportedMinors(range?: string): string[] {
  const minors: string[] = [];
  for (let minor = 0; minor < 100; minor++) {
    const isIn = range === undefined ? isSupported(`1.${minor}.0`) : matches(`1.${minor}.0`, range);
    if (isIn) minors.push(`v1.${minor}`);
  }
  return minors;
}

/** `v1.24 - v1.36` */
export function rangeName(minors: readonly string[]): string {
  return `${minors[0] ?? ""} - ${minors.at(-1) ?? ""}`;
}

/** @throws TsdeployError as `resolveVersion` does */
export function featuresOf(text: string): VersionFeatures {
  const version = resolveVersion(text);
  const known = knownFeatures.get(version) ?? readFeatures(version);
  knownFeatures.set(version, known);
  return known;
}

/** The value of the row that holds for a version. @throws Error if there is none, a bug */
export function valueFor<Value>(version: string, rows: readonly table.Row<Value>[]): Value {
  const row = rows.find(({ range }) => matches(version, range));
  if (!row) throw new Error(`a table has no row for ${version}`);
  return row.value;
}

/** Each version is looked up once: a plan looks hundreds of times. */
const knownFeatures = new Map<string, VersionFeatures>();

/** Reads the tables for a supported version; tests give others. */
export function readFeatures(
  version: string,
  { flagTable, fieldTable }: { readonly flagTable: FlagTable; readonly fieldTable: FieldTable } = flagTables,
): VersionFeatures {
  const pick = <Value>(rows: readonly table.Row<Value>[]): Value => valueFor(version, rows);
  const flags = { open: flagVerdicts(version, true, flagTable), closed: flagVerdicts(version, false, flagTable) };
  const fields = fieldVerdicts(version, fieldTable);
  const coredns = pick(corednses);
  return {
    version,
    tried: triedVersions.includes(version),
    programs: pick(table.programNames),
    runtime: pick(table.runtimes),
    nodeCredentials: pick(table.nodeCredentials),
    serviceAccountKey: pick(table.serviceAccountKeys),
    authorizationMode: pick(table.authorizationModes),
    supportsCgroupV2: pick(table.cgroupV2),
    refusesSwap: pick(table.swapRefusals),
    dualStack: pick(table.dualStacks),
    severalMasters: pick(table.severalMasters),
    kubeletSkew: pick(table.kubeletSkews),
    nodeIpamBlocks: pick(table.nodeIpamBlocks),
    etcdApi: pick(table.etcdApis),
    kubeletConfigured: pick(table.kubeletConfigured),
    proxyConfigured: pick(table.proxyConfigured),
    podCidrDelivery: pick(table.podCidrDeliveries),
    cniList: pick(table.cniLists),
    cniVersion: pick(table.cniVersions),
    kubeletCniBinDir: pick(table.kubeletCniBinDirs),
    cniBinDirList: pick(table.cniBinDirLists),
    health: pick(table.healthPorts),
    insecureApi: pick(table.insecureApis),
    kubeletAuthenticates: pick(table.kubeletAuthentication),
    kubeletProtectsLoopback: pick(table.loopbackProtection),
    usesNodeAddresses: pick(table.nodeAddresses),
    sandboxIpc: pick(table.sandboxIpcs),
    dockerApi: pick(table.dockerApis),
    kubeletClientCertificate: pick(table.kubeletClientCertificates),
    rotatesCertificates: pick(table.certificateRotation),
    tokenGroups: pick(table.tokenGroups),
    csrApproval: pick(table.csrApprovals),
    podPriorities: pick(table.podPriorities),
    schedulingFields: pick(table.schedulingFields),
    deletionPropagation: pick(table.deletionPropagation),
    upperCaseKeys: pick(table.upperCaseKeys),
    privilegeEscalation: pick(table.privilegeEscalation),
    seccompProfiles: pick(table.seccompProfiles),
    osLabels: pick(table.osLabels),
    endpointSlices: pick(table.endpointSlices),
    startupProbes: pick(table.startupProbes),
    proxyModes: pick(table.proxyModes),
    apis: {
      kubeletConfiguration: pick(table.apiVersions.kubeletConfiguration),
      proxyConfiguration: pick(table.apiVersions.proxyConfiguration),
      schedulerConfiguration: pick(table.apiVersions.schedulerConfiguration),
      rbac: pick(table.apiVersions.rbac),
      eviction: pick(table.apiVersions.eviction),
      disruptionBudget: pick(table.apiVersions.disruptionBudget),
      deployment: pick(table.apiVersions.deployment),
      apiService: pick(table.apiVersions.apiService),
    },
    images: { ...pick(images), coredns: `coredns/coredns:v${coredns}` },
    components: { ...pick(components), flannel: packedFlannelVersion, coredns },
    corednsRange: pick(corednsRanges),
    published: pick(published),
    flag: (component, name, insecureApi = false) => (insecureApi ? flags.open : flags.closed)[component].get(name),
    field: (document, path) => fields[document].get(path),
    ownFlags: (component, insecureApi = false) => valuesOf((insecureApi ? flags.open : flags.closed)[component]),
    ownFields: (document) => valuesOf(fields[document]),
  };
}

function valuesOf<Value>(verdicts: ReadonlyMap<string, Verdict<Value>>): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    [...verdicts].flatMap(([name, verdict]) =>
      verdict.kind === "present" && verdict.value !== undefined ? [[name, verdict.value]] : [],
    ),
  );
}

type FlagVerdicts = Readonly<Record<FlagComponent, ReadonlyMap<string, Verdict>>>;

function flagVerdicts(version: string, insecureApi: boolean, flagTable: FlagTable): FlagVerdicts {
  const holds = (row: FlagRange): boolean =>
    (row.insecureApi === undefined || row.insecureApi === insecureApi) && matches(version, row.range);
  const of = (component: FlagComponent): ReadonlyMap<string, Verdict> =>
    new Map(Object.entries(flagTable[component]).map(([flag, rows]) => [flag, verdictOf(rows.find(holds))]));
  return {
    apiserver: of("apiserver"),
    "controller-manager": of("controller-manager"),
    scheduler: of("scheduler"),
    kubelet: of("kubelet"),
    proxy: of("proxy"),
    etcd: of("etcd"),
  };
}

type FieldVerdicts = Readonly<Record<"kubelet" | "proxy", ReadonlyMap<string, Verdict<FieldValue>>>>;

function fieldVerdicts(version: string, fieldTable: FieldTable): FieldVerdicts {
  const of = (document: "kubelet" | "proxy"): ReadonlyMap<string, Verdict<FieldValue>> =>
    new Map(
      Object.entries(fieldTable[document]).map(([field, rows]) => [
        field,
        verdictOf(rows.find(({ range }) => matches(version, range))),
      ]),
    );
  return { kubelet: of("kubelet"), proxy: of("proxy") };
}

function verdictOf<Value>(row: { readonly value?: Value } | undefined): Verdict<Value> {
  if (!row) return { kind: "absent" };
  return row.value === undefined ? { kind: "present" } : { kind: "present", value: row.value };
}

function isSupported(version: string): boolean {
  return table.supportedRanges.some(({ range }) => matches(version, range));
}

/** One that was tried if the nearest minor version has one. */
function nearest(version: string): string {
  const distance = (other: string): number => Math.abs(weight(other) - weight(version));
  const closest = (versions: readonly string[]): string | undefined =>
    [...versions].sort((one, other) => distance(one) - distance(other))[0];
  const minor = closest(supportedMinors().map((name) => `${name}.0`)) ?? "";
  return closest(triedVersions.filter((one) => semver.minor(one) === semver.minor(minor))) ?? minor;
}

/** Orders versions on a line: a minor release is farther than any patch. */
function weight(version: string): number {
  return semver.major(version) * 1_000_000 + semver.minor(version) * 1_000 + semver.patch(version);
}

/** Parsing a range costs more than using it. */
const ranges = new Map<string, semver.Range>();

function matches(version: string, range: string): boolean {
  const parsed = ranges.get(range) ?? new semver.Range(range, { includePrerelease: true });
  ranges.set(range, parsed);
  return parsed.test(version);
}
