import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { ClusterHost, ClusterHosts } from "../model/clusterHosts.js";
import { defined } from "../model/defined.js";
import { messageOf, type Problem, TsdeployError } from "../model/errors.js";
import type {
  AddonEnableOptions,
  AddonListOptions,
  AddonSwitchOptions,
  ConfigImportOptions,
  ConfigOptions,
  DownOptions,
  ExecOptions,
  ImageBuildOptions,
  ImageCopyOptions,
  ImageListOptions,
  ImageLoadOptions,
  ImageSaveOptions,
  KubeconfigOptions,
  LogsOptions,
  MasterOptions,
  MemberListOptions,
  MemberRemoveOptions,
  StatusOptions,
  TeardownOptions,
  TokenCreateOptions,
  TokenListOptions,
  TokenRevokeOptions,
  UpgradeApplyOptions,
  UpgradePlanOptions,
  UpOptions,
  VersionsOptions,
  WorkerOptions,
} from "../model/options.js";
import { type ConfigFile, readConfigFile } from "./configFile.js";
import { crossChecks } from "./crossChecks.js";
import { kubeconfigPath } from "./kubeconfigFile.js";
import { nearest } from "./nearest.js";
import { type CommandName, type OptionRow, optionsOf, optionTable, propertyOf, variableOf } from "./optionTable.js";
import { type Complain, type Complaint, ownProblems, type RawValue } from "./reader.js";
import { readers } from "./readers.js";

/** What each command's options are. */
export interface CommandOptions {
  readonly master: MasterOptions;
  readonly worker: WorkerOptions;
  readonly teardown: TeardownOptions;
  readonly status: StatusOptions;
  readonly kubeconfig: KubeconfigOptions;
  readonly "token create": TokenCreateOptions;
  readonly "token list": TokenListOptions;
  readonly "token revoke": TokenRevokeOptions;
  readonly "member list": MemberListOptions;
  readonly "member remove": MemberRemoveOptions;
  readonly "addon list": AddonListOptions;
  readonly "addon enable": AddonEnableOptions;
  readonly "addon disable": AddonSwitchOptions;
  readonly logs: LogsOptions;
  readonly exec: ExecOptions;
  readonly up: UpOptions;
  readonly down: DownOptions;
  readonly "upgrade plan": UpgradePlanOptions;
  readonly "upgrade apply": UpgradeApplyOptions;
  readonly "config import": ConfigImportOptions;
  readonly "config print": ConfigOptions;
  readonly "config validate": ConfigOptions;
  readonly "image build": ImageBuildOptions;
  readonly "image list": ImageListOptions;
  readonly "image save": ImageSaveOptions;
  readonly "image load": ImageLoadOptions;
  readonly "image copy": ImageCopyOptions;
  readonly versions: VersionsOptions;
}

/** Where options come from besides the configuration file. */
export interface OptionSources {
  /** By key: text, a list for repeated flags, false for `--no-…`. */
  readonly flags: Readonly<Record<string, string | readonly string[] | boolean | undefined>>;
  readonly env: NodeJS.ProcessEnv;
  /** What is wrong with the command line itself, to be reported with the rest. */
  readonly problems?: readonly Problem[];
  /** Gets what is no mistake, but may not do what was meant. */
  readonly warn?: (message: string) => void;
  /** For `--token-file -`. */
  readonly readStdin: () => Promise<string>;
  /** Default: that of the process. */
  readonly cwd?: string;
}

/** Options of one host of many: of its file, and of the run. */
interface HostSources extends OptionSources {
  readonly hostFile?: ConfigFile;
}

/**
 * Flags, then variables, then the YAML file, then defaults, checked together. Asks nobody but the file system.
 *
 * @throws TsdeployError of kind usage with all that is wrong; each problem says where
 */
export async function loadOptions<Command extends CommandName>(
  command: Command,
  sources: OptionSources,
): Promise<CommandOptions[Command]> {
  const loader = new Loader(command, sources);
  return (await loader.load()) as unknown as CommandOptions[Command];
}

interface Given {
  readonly raw: RawValue;
  readonly source: "flag" | "variable" | "file";
}

class Loader {
  readonly #command: CommandName;
  readonly #rows: readonly OptionRow[];
  readonly #sources: HostSources;
  readonly #cwd: string;
  readonly #home: string;
  readonly #problems: Problem[] = [];
  readonly #given = new Map<string, Given>();
  readonly #values = new Map<string, unknown>();
  #file: ConfigFile | undefined;

  constructor(command: CommandName, sources: HostSources) {
    this.#command = command;
    this.#rows = optionsOf(command);
    this.#sources = sources;
    this.#problems.push(...(sources.problems ?? []));
    this.#cwd = sources.cwd ?? process.cwd();
    this.#home = sources.env["HOME"] ?? homedir();
  }

  async load(): Promise<Record<string, unknown>> {
    await this.#readFile();
    for (const row of this.#rows) this.#read(row);
    this.#crossCheck();
    await this.#readFolder("patches", async (...args) => (await import("./loadPatches.js")).loadPatches(...args));
    await this.#readFolder("addons", async (...args) => (await import("./loadAddons.js")).loadAddons(...args));
    await this.#readToken();
    const hosts = await this.#readHosts();
    const local = await this.#readLocal();
    if (this.#problems.length > 0) throw new TsdeployError("usage", this.#problems);
    return { ...this.#result(), ...(hosts && { hosts }), ...(local && { local }) };
  }

  /** The file of a whole cluster, if the command takes one and it was named. */
  get #clusterFile(): string | undefined {
    const { flags, env } = this.#sources;
    const row = this.#rows.find(({ key }) => key === "clusterFile");
    const path = row && (flags["clusterFile"] ?? env[variableOf(row) ?? ""]);
    return typeof path === "string" && path !== "" ? path : undefined;
  }

  async #readFile(): Promise<void> {
    const { flags, env, hostFile } = this.#sources;
    this.#file = hostFile;
    if (hostFile) return;
    const path = this.#clusterFile ?? flags["config"] ?? env["TSDEPLOY_CONFIG"];
    if (typeof path !== "string" || path === "") return;
    this.#file = await readConfigFile(path, this.#resolve(path, this.#cwd), this.#clusterFile ? "--file" : "--config");
    this.#problems.push(...this.#file.problems);
    for (const key of this.#file.values.keys()) {
      if (key === "hosts") {
        if (this.#clusterFile === undefined) this.#problems.push(...refusedHosts(this.#command, this.#file));
        continue;
      }
      const row = optionTable.find((known) => known.key === key);
      if (row?.inFile !== true) this.#problems.push(unusableKey(key, row, this.#file.locate([key], true)));
    }
  }

  /** The value of the highest source, read. */
  #read(row: OptionRow): void {
    const given = this.#find(row);
    if (given) this.#given.set(row.key, given);
    const raw = given?.raw ?? row.default;
    if (raw === undefined) return;
    // `--no-kubeconfig`
    if (row.type === "optionalPath" && (raw === "false" || raw === "none")) return;
    const value = readers[row.type](raw, this.#complainer(row), row);
    if (value !== undefined) this.#values.set(row.key, value);
  }

  #find(row: OptionRow): Given | undefined {
    const flag = this.#sources.flags[row.key];
    if (flag !== undefined) return { source: "flag", raw: typeof flag === "boolean" ? String(flag) : flag };
    const variable = variableOf(row);
    const text = variable === undefined ? undefined : this.#sources.env[variable];
    if (text !== undefined && text !== "") return { source: "variable", raw: text };
    // Which Docker it is only a host of many may say in a file.
    const isInFile = row.inFile || this.#sources.hostFile !== undefined;
    const raw = isInFile ? this.#file?.values.get(row.key) : undefined;
    return raw === undefined ? undefined : { source: "file", raw };
  }

  /** Puts before each complaint where the value was written. */
  #complainer(row: OptionRow): Complain {
    return ({ code = "OPTION_INVALID", message, hint, path = [], aboutKey }: Complaint) => {
      this.#problems.push({
        code,
        message: `${this.#placeOf(row, path, aboutKey)}: ${message}`,
        hint,
      });
    };
  }

  #placeOf(row: OptionRow, path: readonly (string | number)[], aboutKey: boolean | undefined): string {
    const source = this.#given.get(row.key)?.source;
    if (source === "file" && this.#file) return `${this.#file.locate([row.key, ...path], aboutKey)}: ${row.key}`;
    return (source === "variable" ? variableOf(row) : row.flag) ?? row.argument ?? row.key;
  }

  #crossCheck(): void {
    const complaints = crossChecks({
      command: this.#command,
      get: (key) => this.#values.get(key),
      sourceOf: (key) => this.#given.get(key)?.source,
      isOneOfMany: this.#sources.hostFile !== undefined,
    });
    const isFileBroken = this.#file !== undefined && this.#file.problems.length > 0;
    for (const { key, ...complaint } of complaints) {
      if (isFileBroken && complaint.code === "OPTION_MISSING") continue;
      const row = this.#rows.find((known) => known.key === key);
      if (row) this.#complainer(row)(complaint);
    }
  }

  /** All hosts of a cluster's file, each with options of its own. */
  async #readHosts(): Promise<ClusterHosts | undefined> {
    const file = this.#file;
    if (this.#clusterFile === undefined || !file || file.problems.length > 0) return undefined;
    this.#warnOfVariables(file.path);
    const { loadHosts } = await import("./loadHosts.js");
    const sources = sourcesOfHosts(this.#sources);
    const folder = dirname(this.#resolve(file.path, this.#cwd));
    const { hosts, problems } = await loadHosts(
      file,
      async (role, hostFile) => {
        const loader = new Loader(role, { ...sources, hostFile, cwd: this.#cwd });
        const options = await loader.load().catch((error: unknown) => {
          if (error instanceof TsdeployError) return undefined;
          throw error;
        });
        return { options: options as unknown as CommandOptions[typeof role] | undefined, problems: loader.#problems };
      },
      (path) => this.#resolve(path, folder),
    );
    // What is wrong beside the hosts has been found already.
    const known = new Set(this.#problems.map(({ message }) => message));
    this.#problems.push(...problems.filter(({ message }) => !known.has(message)));
    return hosts;
  }

  /** Of those that are for one host, and are not looked at for the hosts of a file. */
  #warnOfVariables(path: string): void {
    const { env, warn } = this.#sources;
    // These only look at what is there.
    if (!warn || ["status", "exec", "logs"].includes(this.#command)) return;
    // Docker's own variables are for other programs as well.
    const rows = [...optionsOf("master"), ...optionsOf("worker")].filter(
      (row) => saidByFile.includes(row) && row.variable === undefined,
    );
    const names = [...new Set(rows.map(variableOf))].filter((name) => name !== undefined && (env[name] ?? "") !== "");
    if (names.length === 0) return;
    const verb = names.length === 1 ? "means" : "mean";
    warn(`${names.join(", ")} ${verb} nothing here: ${path} says the options of its hosts`);
  }

  /** Without a cluster's file an upgrade is one host's, whose role only its Docker knows: options of either. */
  async #readLocal(): Promise<Readonly<Record<"master" | "worker", ClusterHost>> | undefined> {
    const upgrades: readonly CommandName[] = ["upgrade plan", "upgrade apply"];
    if (!upgrades.includes(this.#command) || this.#clusterFile !== undefined) return undefined;
    const { dockerHost, dockerContext } = this.#result();
    const own = Object.entries(defined({ dockerHost, dockerContext })) as [string, string][];
    const hostFile: ConfigFile = { path: "", values: new Map(own), problems: [], locate: () => "" };
    const [name = "this host"] = own.map(([, value]) => value);
    const read = async (role: "master" | "worker"): Promise<ClusterHost> => {
      const loader = new Loader(role, { ...sourcesOfHosts(this.#sources), hostFile, cwd: this.#cwd });
      return { role, name, options: await loader.load() } as unknown as ClusterHost;
    };
    return { master: await read("master"), worker: await read("worker") };
  }

  /** What lies in the folder that an option names; nothing without one. */
  async #readFolder<Item>(
    key: string,
    load: (folder: string, complain: Complain) => Promise<readonly Item[]>,
  ): Promise<void> {
    const row = this.#rows.find((known) => known.key === key);
    if (!row) return;
    const folder = this.#pathOf(key);
    this.#values.set(key, folder === undefined ? [] : await load(folder, this.#complainer(row)));
  }

  /** A token that was typed wins over a file of a lower source. */
  async #readToken(): Promise<void> {
    const row = this.#rows.find(({ key }) => key === "token");
    if (!row || (this.#command === "master" && !this.#given.has("join"))) {
      this.#values.delete("token");
      return;
    }
    const ranks = ["flag", "variable", "file"];
    const rankOf = (key: string): number => {
      const source = this.#given.get(key)?.source;
      return source === undefined ? ranks.length : ranks.indexOf(source);
    };
    const fromFile = rankOf("tokenFile") < rankOf("token");
    const said = this.#rows.find(({ key }) => key === (fromFile ? "tokenFile" : "token")) ?? row;
    const token = fromFile ? await this.#readTokenFile(this.#complainer(said)) : this.#values.get("token");
    if (typeof token !== "string") return;
    const { parseJoinToken, parseMasterToken } = await import("../pki/joinToken.js");
    ownProblems(() => (this.#command === "master" ? parseMasterToken : parseJoinToken)(token), this.#complainer(said));
    this.#values.set("token", token.trim());
  }

  async #readTokenFile(complain: Complain): Promise<string | undefined> {
    if (this.#values.get("tokenFile") === "-") return this.#sources.readStdin();
    const path = this.#pathOf("tokenFile");
    if (path === undefined) return undefined;
    return readFile(path, "utf8").catch((error: unknown) => {
      const hint = "Name a file that you may read, with the token in it, or - for standard input.";
      complain({ code: "TOKEN_UNREADABLE", message: messageOf(error), hint });
      return undefined;
    });
  }

  /** A path in the file is relative to the file. */
  #pathOf(key: string): string | undefined {
    const value = this.#values.get(key);
    if (typeof value !== "string") return undefined;
    const inFile = this.#given.get(key)?.source === "file" && this.#file;
    return this.#resolve(value, inFile ? dirname(this.#resolve(inFile.path, this.#cwd)) : this.#cwd);
  }

  #resolve(path: string, folder: string): string {
    return path === "~" || path.startsWith("~/") ? join(this.#home, path.slice(1)) : resolve(folder, path);
  }

  #result(): Record<string, unknown> {
    const values = this.#values;
    // A flag beats a variable; of two variables Docker takes DOCKER_HOST.
    const contextFlag = this.#given.get("dockerContext")?.source === "flag";
    if (values.has("dockerHost") && values.has("dockerContext")) values.delete(contextFlag ? "dockerHost" : "dockerContext");
    const kubeconfig = this.#pathOf("kubeconfig");
    if (kubeconfig !== undefined) values.set("kubeconfig", kubeconfig);
    if (this.#command === "master" && !this.#given.has("kubeconfig")) {
      values.set("kubeconfig", kubeconfigPath(undefined, this.#sources.env, this.#home));
    }
    for (const key of ["binaries", "file"]) {
      const path = this.#pathOf(key);
      if (path !== undefined && values.get(key) !== "-") values.set(key, path);
    }
    const result: Record<string, unknown> = { given: new Set(this.#given.keys()) };
    for (const row of this.#rows) {
      const value = values.get(row.key) ?? emptyOf(row);
      if (value !== undefined) result[propertyOf(row)] = value;
    }
    // They have done their work.
    delete result["config"];
    delete result["clusterFile"];
    delete result["tokenFile"];
    return result;
  }
}

/** Which Docker, cluster and node are meant, only the file says. */
const saidByFile = optionTable.filter(
  ({ group, key }) => ["Cluster", "Node"].includes(group) || ["config", "dockerHost", "dockerContext"].includes(key),
);

/** Flags and variables of the run. */
function sourcesOfHosts({ flags, env, readStdin }: OptionSources): OptionSources {
  const variables = new Set(saidByFile.map(variableOf));
  const keys = new Set(saidByFile.map(({ key }) => key));
  return {
    flags: Object.fromEntries(Object.entries(flags).filter(([key]) => !keys.has(key))),
    env: Object.fromEntries(Object.entries(env).filter(([name]) => !variables.has(name))),
    readStdin,
  };
}

/** Commands that change one host would leave out what the file says of it. */
function refusedHosts(command: CommandName, file: ConfigFile): Problem[] {
  if (!["master", "worker", "teardown"].includes(command)) return [];
  const verb = command === "teardown" ? "down" : "up";
  const message = `${file.locate(["hosts"], true)}: \`${command}\` is for one host`;
  return [{ code: "HOSTS_UNEXPECTED", message, hint: `Run \`tsdeploy ${verb} --file ${file.path}\`.` }];
}

/** What an option is that nobody gave and that has no default. */
function emptyOf(row: OptionRow): unknown {
  if (row.type === "boolean") return false;
  if (["names", "choices", "taints", "hosts", "words"].includes(row.type)) return [];
  return ["labels", "extraArgs", "registryMirrors"].includes(row.type) ? {} : undefined;
}

function unusableKey(key: string, row: OptionRow | undefined, place: string): Problem {
  if (row) {
    const hint =
      key === "token" ? "Keep it in a file of its own, named by tokenFile." : `Use ${row.flag ?? key} when you run it.`;
    return { code: "OPTION_NOT_IN_FILE", message: `${place}: ${key} cannot be set in a file`, hint };
  }
  const guess = nearest(key, optionTable.filter(({ inFile }) => inFile).map((known) => known.key));
  const names = "Write podCidr for --pod-cidr, and so on: `tsdeploy master --help` lists the options.";
  return {
    code: "OPTION_UNKNOWN",
    message: `${place}: there is no option ${JSON.stringify(key)}`,
    hint: guess === undefined ? names : `Did you mean ${guess}?`,
  };
}
