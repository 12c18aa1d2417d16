import { parseDockerEndpoint } from "../docker/dockerEndpoint.js";
import { checkSkew } from "../kubernetes/versionSkew.js";
import type { ClusterHost, ClusterHosts, MasterHost, WorkerHost } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import type { ConfigFile } from "./configFile.js";
import { foundKeys, type HostEntry, hostView, isOfHost } from "./hostView.js";
import { nearest } from "./nearest.js";
import { contains } from "./networkReaders.js";
import { optionTable } from "./optionTable.js";
import { isMap, listItems } from "./reader.js";
import { booleanOf } from "./scalarReaders.js";

type Role = ClusterHost["role"];

/** Reads the options of one host, of the file as it sees it; undefined if something is wrong, with all that is. */
export type ReadHost = (
  role: Role,
  file: ConfigFile,
) => Promise<{ readonly options: MasterHost["options"] | WorkerHost["options"] | undefined; readonly problems: readonly Problem[] }>;

/** Options that a host may have; of its node, and which Docker it is. */
const optionKeys: readonly string[] = [
  "dockerHost",
  "dockerContext",
  ...optionTable.filter(isOfHost).map(({ key }) => key),
];
const hostKeys: readonly string[] = ["role", "tlsFolder", ...optionKeys];

const hostExample = "{role: worker, dockerHost: ssh://root@10.0.0.5}, or role: master.";

/** Keys that are one host's own, and cannot be said of all. */
const ownKeys = ["nodeName", "ip"];

/**
 * Understands `hosts` of a cluster's file, and looks for mistakes between the hosts. Asks no host.
 *
 * @returns undefined if something is wrong
 */
export async function loadHosts(
  file: ConfigFile,
  readHost: ReadHost,
  resolvePath: (path: string) => string,
): Promise<{ readonly hosts: ClusterHosts | undefined; readonly problems: readonly Problem[] }> {
  const problems: Problem[] = misplacedKeys(file);
  const entries = entriesOf(file, problems);
  const ofMasters = fileOfMasters(file, entries);
  const found: (ClusterHost & { readonly index: number })[] = [];
  for (const entry of entries) {
    const { index, values } = entry;
    const role = roleOf(file, entry, problems);
    problems.push(...unknownKeys(file, entry), ...connectionProblems(file, entry));
    const { tlsFolder } = values;
    const own = Object.entries(values).filter(([key]) => optionKeys.includes(key));
    // Without a role the rest is looked at as a worker's, which every host could be.
    const read = await readHost(role ?? "worker", hostView(role === "master" ? ofMasters : file, { index, values: Object.fromEntries(own) }));
    problems.push(...read.problems);
    if (!role || !read.options) continue;
    const tls = typeof tlsFolder === "string" ? { tlsFolder: resolvePath(tlsFolder) } : {};
    const place = file.locate(["hosts", index]);
    const host = { role, name: nameOf(entry), place, options: read.options, index, ...tls };
    found.push(host as ClusterHost & { index: number });
  }
  if (!entries.some(({ values }) => values["role"] === "master")) {
    // What is said of the cluster is a master's to read.
    problems.push(...(await readHost("master", hostView(file, { index: 0, values: {} }))).problems);
  }
  problems.push(...twins(file, entries), ...masterProblems(file, entries));
  problems.push(...betweenHosts(file, found));
  const named = withUniqueNames(found, entries);
  const [first, ...further] = named.filter((host) => host.role === "master");
  const masters = first && ([first, ...further.map(withoutKubeconfig)] as const);
  const hosts = masters && { masters, workers: named.filter((host) => host.role === "worker") };
  return { hosts: problems.length > 0 ? undefined : hosts, problems: unique(problems) };
}

function misplacedKeys(file: ConfigFile): Problem[] {
  return [...ownKeys, ...foundKeys]
    .filter((key) => file.values.has(key))
    .map((key) => ({
      code: "OPTION_NOT_IN_FILE",
      message: `${file.locate([key], true)}: ${key} cannot be said of all hosts`,
      hint: ownKeys.includes(key) ? "Write it below the host that is meant." : "Leave it out: `up` finds it out by itself.",
    }));
}

function entriesOf(file: ConfigFile, problems: Problem[]): HostEntry[] {
  const raw = file.values.get("hosts");
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [];
  if (list.length === 0) {
    const [place, what] = raw === undefined ? [file.path, "has no hosts"] : [file.locate(["hosts"]), "is not a list of hosts"];
    const hint = `Write hosts: and below it, for each machine: ${hostExample}`;
    problems.push({ code: "HOSTS_MISSING", message: `${place}: ${what}`, hint });
  }
  return list.flatMap((item, index): HostEntry[] => {
    const entry = item as HostEntry["values"] | string;
    if (typeof entry === "object" && isMap(entry)) {
      // A key without a value is one that was not given.
      return [{ index, values: Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== "")) }];
    }
    const message = `${file.locate(["hosts", index])}: is not a host (a map of its options)`;
    problems.push({ code: "HOST_INVALID", message, hint: `Write ${hostExample}` });
    return [];
  });
}

function roleOf(file: ConfigFile, { index, values: { role } }: HostEntry, problems: Problem[]): Role | undefined {
  if (role === "master" || role === "worker") return role;
  const guess = typeof role === "string" ? nearest(role, ["master", "worker"]) : undefined;
  problems.push({
    code: "ROLE_INVALID",
    message:
      role === undefined
        ? `${file.locate(["hosts", index])}: this host has no role`
        : `${file.locate(["hosts", index, "role"])}: ${JSON.stringify(role)} is no role`,
    hint: guess === undefined ? "Write role: master or role: worker." : `Did you mean ${guess}?`,
  });
  return undefined;
}

function unknownKeys(file: ConfigFile, { index, values }: HostEntry): Problem[] {
  return Object.keys(values)
    .filter((key) => !hostKeys.includes(key))
    .map((key) => {
      const place = file.locate(["hosts", index, key], true);
      if (foundKeys.includes(key) || !optionTable.some((row) => row.key === key && row.inFile)) {
        const guess = nearest(key, hostKeys);
        const hint = guess === undefined ? `It may have ${hostKeys.join(", ")}.` : `Did you mean ${guess}?`;
        return { code: "OPTION_UNKNOWN", message: `${place}: a host has no ${JSON.stringify(key)}`, hint };
      }
      const hint = "Write it beside hosts.";
      return { code: "OPTION_NOT_OF_HOST", message: `${place}: ${key} is one for the whole cluster`, hint };
    });
}

function connectionProblems(file: ConfigFile, { index, values }: HostEntry): Problem[] {
  const { dockerHost, dockerContext, tlsFolder } = values;
  const problem = (key: string | undefined, code: string, message: string, hint: string): Problem => ({
    code,
    message: `${file.locate(["hosts", index, ...(key === undefined ? [] : [key])], key !== undefined)}: ${message}`,
    hint,
  });
  const problems: Problem[] = [];
  if (dockerHost === undefined && dockerContext === undefined) {
    const hint = "Write dockerHost: ssh://root@10.0.0.5, tcp://…, unix://…, or dockerContext: and the context's name.";
    problems.push(problem(undefined, "DOCKER_MISSING", "this host does not say where its Docker is", hint));
  }
  if (dockerHost !== undefined && dockerContext !== undefined) {
    problems.push(problem("dockerContext", "OPTION_CONFLICT", "dockerContext cannot be given beside dockerHost", "Give one of them."));
  }
  if (tlsFolder !== undefined && !(typeof dockerHost === "string" && /^\s*tcp:/.test(dockerHost))) {
    problems.push(problem("tlsFolder", "OPTION_CONFLICT", "tlsFolder is for a dockerHost of tcp://", "Leave it out."));
  }
  return problems;
}

interface Identity {
  readonly key: string;
  readonly what: string;
  /** What two spellings of the same come to. */
  readonly of?: (text: string) => string;
}

/** What no two hosts may have in common. */
const identities: readonly Identity[] = [
  { key: "dockerHost", what: "Docker", of: displayOf },
  { key: "dockerContext", what: "Docker context" },
  { key: "nodeName", what: "name" },
  { key: "ip", what: "address" },
];

function twins(file: ConfigFile, entries: readonly HostEntry[]): Problem[] {
  return identities.flatMap(({ key, what, of = (text) => text }) => {
    const first = new Map<string, number>();
    return entries.flatMap(({ index, values }): Problem[] =>
      listItems(values[key] ?? "").flatMap(({ item }): Problem[] => {
        if (typeof item !== "string") return [];
        const before = first.get(of(item)) ?? index;
        first.set(of(item), before);
        if (before === index) return [];
        const place = file.locate(["hosts", index, key]);
        const other = file.locate(["hosts", before, key]);
        const hint = "Give each machine once.";
        return [{ code: "HOST_TWICE", message: `${place}: the host at ${other} has the same ${what}, ${item}`, hint }];
      }),
    );
  });
}

function mastersOf(entries: readonly HostEntry[]): HostEntry[] {
  return entries.filter(({ values }) => values["role"] === "master");
}

/** As masters see it: who names several of them means a cluster that can have several. */
function fileOfMasters(file: ConfigFile, entries: readonly HostEntry[]): ConfigFile {
  const [, second] = mastersOf(entries);
  if (!second || file.values.has("severalMasters")) return file;
  return {
    ...file,
    values: new Map([...file.values, ["severalMasters", "true"]]),
    // What stands against it is said of what means it.
    locate: (at, aboutKey) =>
      at[0] === "severalMasters" ? file.locate(["hosts", second.index, "role"]) : file.locate(at, aboutKey),
  };
}

/** The operator's current context stays at the first one. */
function withoutKubeconfig(host: MasterHost): MasterHost {
  return { ...host, options: defined({ ...host.options, kubeconfig: undefined }) };
}

function masterProblems(file: ConfigFile, entries: readonly HostEntry[]): Problem[] {
  const [first, second] = mastersOf(entries);
  if (!first) {
    if (entries.length === 0) return [];
    const message = `${file.locate(["hosts"], true)}: none of the hosts is a master`;
    return [{ code: "NO_MASTER", message, hint: "Write role: master below one of them." }];
  }
  const said = file.values.get("severalMasters");
  if (!second || typeof said !== "string" || booleanOf(said) !== false) return [];
  const message =
    `${file.locate(["severalMasters"])}: a cluster of one master cannot have another one, at ` +
    file.locate(["hosts", second.index, "role"]);
  return [{ code: "OPTION_CONFLICT", message, hint: "Leave severalMasters out, or write role: worker there." }];
}

function betweenHosts(file: ConfigFile, found: readonly (ClusterHost & { readonly index: number })[]): Problem[] {
  const master = found.find((host) => host.role === "master");
  if (!master) return [];
  const { k8sVersion, podCidr, serviceCidr } = master.options;
  return found.flatMap(({ role, options, index }): Problem[] => {
    const { k8sVersion: own, ip = [] } = options;
    if (role === "master") {
      if (own === k8sVersion) return [];
      const [one, other] = own === undefined ? [master.index, index] : [index, master.index];
      const place = file.locate(["hosts", one, "k8sVersion"]);
      const message = `${place}: this master would have another version than that at ${file.locate(["hosts", other])}`;
      return [{ code: "VERSION_SKEW", message, hint: "Write k8sVersion beside hosts: all masters have one version." }];
    }
    const problems: Problem[] = [];
    const taken = ip.find((address) => [...podCidr, ...serviceCidr].some((cidr) => contains(cidr, address)));
    if (taken !== undefined) {
      const message = `${file.locate(["hosts", index, "ip"])}: ${taken} is one of the cluster's pod or Service addresses`;
      problems.push({ code: "RANGE_OVERLAP", message, hint: "Choose another podCidr or serviceCidr." });
    }
    if (k8sVersion !== undefined && own !== undefined) {
      try {
        checkSkew({ master: k8sVersion, worker: own });
      } catch (error) {
        if (!(error instanceof TsdeployError)) throw error;
        const place = file.locate(["hosts", index, "k8sVersion"]);
        const hint = "Leave out this host's k8sVersion to take the master's.";
        problems.push(...error.problems.map(({ code, message }) => ({ code, message: `${place}: ${message}`, hint })));
      }
    }
    return problems;
  });
}

/** What a person calls the host. */
function nameOf({ values: { nodeName, dockerHost, dockerContext } }: HostEntry): string {
  if (typeof nodeName === "string") return nodeName;
  if (typeof dockerHost !== "string") return typeof dockerContext === "string" ? dockerContext : "?";
  try {
    const endpoint = parseDockerEndpoint(dockerHost);
    return endpoint.kind === "unix" ? endpoint.display : endpoint.host;
  } catch {
    return dockerHost;
  }
}

/** Two Dockers of one machine, by two ports, have their endpoints' names. */
function withUniqueNames<Host extends ClusterHost>(hosts: readonly Host[], entries: readonly HostEntry[]): Host[] {
  const names = entries.map(nameOf);
  return hosts.map((host) => {
    const isTwice = names.filter((name) => name === host.name).length > 1;
    return isTwice ? { ...host, name: displayOf(host.options.dockerHost ?? host.name) } : host;
  });
}

function displayOf(dockerHost: string): string {
  try {
    return parseDockerEndpoint(dockerHost).display;
  } catch {
    return dockerHost;
  }
}

/** What is wrong beside `hosts` is found once a host. */
function unique(problems: readonly Problem[]): Problem[] {
  const seen = new Map(problems.map((problem) => [`${problem.code} ${problem.message}`, problem]));
  return [...seen.values()].map(({ code, message, hint }) => ({ code, message, hint }));
}
