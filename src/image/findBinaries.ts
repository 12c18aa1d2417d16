import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { messageOf, type Problem, TsdeployError } from "../model/errors.js";
import type { Architecture } from "../model/options.js";
import { corednsProblem } from "./corednsVersion.js";
import { hyperkubePath, hyperkubeScripts } from "./hyperkubeScripts.js";
import {
  cniPlugins,
  imagePaths,
  type KubernetesProgram,
  kubernetesPrograms,
  neededPlugins,
  type OptionalPart,
  optionalParts,
  optionalPrograms,
  type Part,
} from "./imageContents.js";
import type { LayerFile } from "./layer.js";
import { goStrings, moduleVersion, readFileKind } from "./readBinary.js";

/** What a folder of programs has for an image. */
export interface FoundBinaries {
  readonly files: readonly LayerFile[];
  /** What need not come from elsewhere. */
  readonly parts: ReadonlySet<Part>;
  /** CNI plugins are there, but not all that are needed. */
  readonly incompletePlugins: readonly string[];
  readonly hasPause: boolean;
  /** As far as the programs show it without being run. */
  readonly versions: Readonly<Partial<Record<"etcd" | "cri-dockerd" | OptionalPart, string>>>;
  /** What may be wrong. */
  readonly warnings: readonly string[];
}

export const noBinaries: FoundBinaries = {
  files: [],
  parts: new Set(),
  incompletePlugins: [],
  hasPause: false,
  versions: {},
  warnings: [],
};

/**
 * Looks at a folder's programs, by name: Kubernetes' own (or the one `hyperkube` of old), etcd, etcdctl, cri-dockerd,
 * flanneld, coredns, pause, and CNI plugins, also in `cni/`. Nothing is run: architecture and version are read from
 * the programs.
 *
 * @throws TsdeployError with all that is wrong: `usage` with `BINARIES_UNREADABLE`, `BINARIES_MISSING`; `environment`
 * with `BINARY_VERSION`, `BINARY_ARCHITECTURE`, `NOT_A_BINARY`, `ETCD_VERSION`,
 * `COREDNS_VERSION`
 */
export async function findBinaries(
  folder: string,
  features: VersionFeatures,
  architecture: Architecture,
): Promise<FoundBinaries> {
  const look = new Look(folder, features, architecture);
  const names = await filesIn(folder);
  const inCni = names.has("cni") ? await filesIn(join(folder, "cni")) : new Set<string>();
  const at = (name: string): string => join(folder, name);

  if (names.has("hyperkube")) await look.takeHyperkube(at("hyperkube"), names);
  for (const program of kubernetesPrograms) {
    if (names.has(program)) await look.takeKubernetes(program, at(program));
  }
  for (const program of ["etcd", "etcdctl", "cri-dockerd"] as const) {
    if (names.has(program)) await look.take(program, at(program), `${imagePaths.programs}/${program}`);
  }
  for (const part of optionalParts) {
    const program = optionalPrograms[part];
    if (names.has(program)) await look.takeOptional(part, program, at(program));
  }
  if (names.has("etcd")) await look.checkEtcd(at("etcd"));
  if (names.has("cri-dockerd")) await look.readCriDockerd(at("cri-dockerd"));
  if (names.has("pause")) await look.takePause(at("pause"));
  for (const name of [...names].filter((each) => cniPlugins.has(each))) await look.takePlugin(name, at(name));
  for (const name of inCni) await look.takePlugin(name, join(folder, "cni", name));

  const problems = look.problems();
  if (problems.length > 0) throw new TsdeployError("environment", problems);
  const found = look.result();
  if (found.files.length === 0) {
    throw new TsdeployError("usage", {
      code: "BINARIES_MISSING",
      message: `${folder} holds none of the programs of a node`,
      hint: `They go by their names: ${kubernetesPrograms.join(", ")}, etcd, cri-dockerd, flanneld, coredns, bridge, …`,
    });
  }
  return found;
}

/** Regular files and folders, also by links. */
async function filesIn(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set((await readdir(folder)).sort());
  } catch (error) {
    const problem = {
      code: "BINARIES_UNREADABLE",
      message: `cannot read the folder of programs ${folder}: ${messageOf(error)}`,
      hint: "Name a folder by --binaries.",
    };
    throw new TsdeployError("usage", problem, { cause: error });
  }
}

/** Where no linker said the version, Kubernetes' own sources have this in its place. */
const unversioned = /^v0\.0\.0-/;

class Look {
  readonly #wrongs = new Map<string, { code: string; why: string; hint: string; files: string[] }>();
  readonly #problems: Problem[] = [];
  readonly #files = new Map<string, LayerFile>();
  readonly #parts = new Set<Part>();
  readonly #plugins = new Set<string>();
  readonly #versions: Partial<Record<"etcd" | "cri-dockerd" | OptionalPart, string>> = {};
  readonly #unversioned: string[] = [];
  readonly #folder: string;
  readonly #features: VersionFeatures;
  readonly #architecture: Architecture;

  constructor(folder: string, features: VersionFeatures, architecture: Architecture) {
    this.#folder = folder;
    this.#features = features;
    this.#architecture = architecture;
  }

  problems(): Problem[] {
    const told = [...this.#wrongs.values()].map(({ code, why, hint, files }) => {
      return { code, message: `${files.join(", ")} in ${this.#folder}: ${why}`, hint };
    });
    return [...told, ...this.#problems];
  }

  result(): FoundBinaries {
    const missing = neededPlugins(this.#features).filter((name) => !this.#plugins.has(name));
    const hasPlugins = this.#plugins.size > 0;
    if (hasPlugins && missing.length === 0) this.#parts.add("cni-plugins");
    return {
      files: [...this.#files.values()],
      parts: this.#parts,
      incompletePlugins: hasPlugins && missing.length > 0 ? [...this.#plugins] : [],
      hasPause: this.#files.has(imagePaths.pause),
      versions: this.#versions,
      warnings: this.#unversioned.length === 0 ? [] : [`${this.#unversioned.join(", ")}: built without a version`],
    };
  }

  /** @returns whether it fits */
  async take(name: string, file: string, target: string, scriptsToo = false): Promise<boolean> {
    if (!(await stat(file)).isFile()) return false;
    const kind = await readFileKind(file);
    if (kind.kind === "program" && kind.architecture !== this.#architecture) {
      const why = `for ${kind.architecture}, not ${this.#architecture}`;
      this.#wrong(file, "BINARY_ARCHITECTURE", why, `Put programs for ${this.#architecture} there, or say --arch.`);
      return false;
    }
    if (kind.kind !== "program" && !(scriptsToo && kind.kind === "script")) {
      const what = kind.kind === "text or data" ? kind.kind : `a ${kind.kind}`;
      this.#wrong(file, "NOT_A_BINARY", `${what}, not a program`, "Put the program there, or nothing.");
      return false;
    }
    this.#files.set(target, { path: target, source: { file } });
    if (name === "etcd" || name === "cri-dockerd") this.#parts.add(name);
    return true;
  }

  async takeKubernetes(program: KubernetesProgram, file: string): Promise<void> {
    const fits = await this.take(program, file, `${imagePaths.programs}/${program}`);
    if (fits && (await this.#checkVersion(program, file))) this.#parts.add(program);
  }

  /** The one program of old for all; scripts under its name, as in later images, are of no use. */
  async takeHyperkube(file: string, others: ReadonlySet<string>): Promise<void> {
    if ((await readFileKind(file)).kind !== "program") return;
    if (!(await this.take("hyperkube", file, hyperkubePath)) || !(await this.#checkVersion("hyperkube", file))) return;
    const programs = kubernetesPrograms.filter((program) => !others.has(program));
    for (const program of programs) this.#parts.add(program);
    for (const [path, content] of Object.entries(hyperkubeScripts(this.#features, programs))) {
      this.#files.set(path, { path, source: { content } });
    }
  }

  async takePause(file: string): Promise<void> {
    await this.take("pause", file, imagePaths.pause, true);
  }

  async takePlugin(name: string, file: string): Promise<void> {
    if (await this.take(name, file, `${imagePaths.cni}/${name}`, true)) this.#plugins.add(name);
  }

  async checkEtcd(file: string): Promise<void> {
    const version = newest(await goStrings(file, /^[23]\.\d+\.\d+(-[\w.]+)?$/));
    if (version === undefined) return;
    this.#versions.etcd = version;
    const problem = etcdProblem(version, file, this.#features);
    if (problem) this.#problems.push(problem);
  }

  async readCriDockerd(file: string): Promise<void> {
    const ofCni = /^(0\.[1234]\.0|0\.3\.1|0\.0\.0)$/;
    const texts = [...(await goStrings(file, /^v?0\.\d+\.\d+$/))].map((text) => text.replace("v", ""));
    const [version, ...others] = texts.filter((text) => !ofCni.test(text));
    if (version !== undefined && others.length === 0) this.#versions["cri-dockerd"] = version;
  }

  async takeOptional(part: OptionalPart, program: string, file: string): Promise<void> {
    if (!(await this.take(program, file, `${imagePaths.programs}/${program}`))) return;
    this.#parts.add(part);
    const version = part === "flannel" ? await flannelVersion(file) : await moduleVersion(file, corednsModule);
    if (version === undefined) return;
    this.#versions[part] = version;
    const problem = part === "coredns" ? corednsProblem(version, file, this.#features) : undefined;
    if (problem) this.#problems.push(problem);
  }

  async #checkVersion(program: string, file: string): Promise<boolean> {
    const { version } = this.#features;
    const said = [...(await goStrings(file, /^v\d+\.\d+\.\d+/))];
    if (said.some((text) => withoutBuild(text) === version)) return true;
    const others = said.filter((text) => !unversioned.test(text)).map(withoutBuild);
    if (others.length === 0 && said.length > 0) {
      this.#unversioned.push(program);
      return true;
    }
    if (others.length === 0 && (await holds(file, version))) return true;
    const [other] = others;
    const why = other === undefined ? `nowhere says that it is ${version}` : `${others.join(" or ")}, not ${version}`;
    const instead = other === undefined ? "" : `, or build the image of ${other} by --k8s-version ${other}`;
    this.#wrong(file, "BINARY_VERSION", why, `Put the programs of ${version} there${instead}.`);
    return false;
  }

  /** What is wrong with several in the same way is told once. */
  #wrong(file: string, code: string, why: string, hint: string): void {
    const key = `${code} ${why}`;
    const alike = this.#wrongs.get(key) ?? { code, why, hint, files: [] };
    alike.files.push(relative(this.#folder, file));
    this.#wrongs.set(key, alike);
  }
}

/** CoreDNS' version is a constant, which no variable holds: it is known where the build told that of its sources. */
const corednsModule = "github.com/coredns/coredns";

async function flannelVersion(file: string): Promise<string | undefined> {
  const [version, ...others] = await goStrings(file, /^v\d+\.\d+\.\d+(-[\w.]+)?$/);
  return others.length === 0 ? version?.slice(1) : undefined;
}

/** What stands against an etcd for this version of Kubernetes. */
export function etcdProblem(version: string, where: string, features: VersionFeatures): Problem | undefined {
  if (features.etcdApi === "v3" || semver.lt(version, "3.6.0-0")) return undefined;
  return {
    code: "ETCD_VERSION",
    message: `${where} is etcd ${version}, which has no v2 API any more: Kubernetes ${features.version} needs it`,
    hint: `Use an etcd before 3.6, such as ${features.components.etcd}.`,
  };
}

function withoutBuild(version: string): string {
  return version.replace(/\+.*/, "");
}

function newest(versions: ReadonlySet<string>): string | undefined {
  return [...versions].filter((version) => semver.valid(version) !== null).sort(semver.rcompare)[0];
}

/** Whether a file has this text anywhere, and not as a part of a longer version. */
async function holds(file: string, version: string): Promise<boolean> {
  const whole = new RegExp(`${version.replaceAll(".", "\\.")}(?![.\\d]\\d|\\d)`);
  let rest = "";
  for await (const chunk of createReadStream(file, { encoding: "latin1", highWaterMark: 1 << 20 })) {
    const text = rest + String(chunk);
    if (whole.test(text)) return true;
    rest = text.slice(-2 * version.length);
  }
  return false;
}
