import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { compare } from "semver";
import { parse } from "yaml";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { Program } from "../../src/kubernetes/versionTable.js";
import { paths } from "../../src/model/hostLayout.js";
import type { Plan } from "../../src/model/plan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";

const folder = new URL("../fixtures/kubernetes-flags/", import.meta.url);

/** Releases whose own programs have told their flags, oldest first. */
export const listedVersions: readonly string[] = readdirSync(folder)
  .filter((name) => name.startsWith("v"))
  .sort(compare);

export const programs: readonly Program[] = ["apiserver", "controller-manager", "scheduler", "kubelet", "proxy"];

/** Program -> name in the lists. */
const listNames: Readonly<Record<Program, string>> = {
  apiserver: "kube-apiserver",
  "controller-manager": "kube-controller-manager",
  scheduler: "kube-scheduler",
  kubelet: "kubelet",
  proxy: "kube-proxy",
};

/** Flags that a release before v1.24 calls deprecated, or hides, and that we say all the same. */
const saidOnPurpose: Readonly<Record<string, string>> = {
  "kube-controller-manager --port": "10252 would be open to everyone without TLS",
  "kube-scheduler --port": "10251 would be open to everyone without TLS",
  "kube-scheduler --kubeconfig": "instead of a configuration file whose API changes with every other release",
  "kubelet --enable-cri": "v1.6's dockershim does not understand a Docker of today",
  "kube-proxy --resource-container": "kube-proxy would leave its container's cgroup",
};

const cache = new Map<string, ReadonlySet<string>>();

/** Undefined where the component's sources were not at hand. */
function list(version: string, name: string): ReadonlySet<string> | undefined {
  const key = `${version}/${name}`;
  const known = cache.get(key);
  if (known) return known;
  try {
    const lines = new Set(readFileSync(new URL(`${key}.txt`, folder), "utf8").split("\n").filter(Boolean));
    cache.set(key, lines);
    return lines;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether a release knows a flag, without dashes, in its help or not; undefined where there is no list. */
export function knowsFlag(version: string, program: Program, flag: string): boolean | undefined {
  const name = listNames[program];
  const known = list(version, name);
  return known && (known.has(`--${flag}`) || list(version, `${name}.hidden`)?.has(`--${flag}`) === true);
}

/** Whether a release's configuration file has a field, or a map for it; undefined where there is no list. */
export function knowsField(version: string, document: "kubelet" | "proxy", path: string): boolean | undefined {
  const known = list(version, documentLists[document]);
  return known && [...known].some((field) => `${field}.`.startsWith(`${path}.`) || `${path}.`.startsWith(`${field}.`));
}

const documentLists = { kubelet: "kubelet-configuration", proxy: "kube-proxy-configuration" } as const;

/**
 * Flags of a command line that a release does not know, or deprecates without our saying them on purpose. From v1.24 on
 * there is no such purpose.
 *
 * @param argv what follows the program
 */
export function checkCommandLine(version: string, program: Program, argv: readonly string[]): string[] {
  const name = listNames[program];
  const deprecated = list(version, `${name}.deprecated`);
  const hidden = list(version, `${name}.hidden`);
  const isModern = featuresOf(version).runtime === "cri-dockerd";
  return argv.flatMap((argument) => {
    const flag = argument.split("=")[0] ?? "";
    if (!/^--[a-z]/.test(flag)) return [`${name} ${version}: ${argument} is no flag`];
    const known = knowsFlag(version, program, flag.slice(2));
    if (known === undefined) return [];
    if (!known) return [`${name} ${version} does not know ${flag}`];
    const isOld = deprecated?.has(flag) === true || hidden?.has(flag) === true;
    return isOld && (isModern || !(`${name} ${flag}` in saidOnPurpose)) ? [`${name} ${version} deprecates ${flag}`] : [];
  });
}

/** Fields that a release's configuration file does not have. */
export function checkDocument(version: string, document: "kubelet" | "proxy", content: unknown): string[] {
  const known = list(version, documentLists[document]);
  if (!known) return [];
  const walk = (value: unknown, path: string): string[] => {
    if (Array.isArray(value)) return known.has(path) ? value.flatMap((one) => walkItem(one, `${path}[]`)) : [path];
    if (known.has(path)) return [];
    if (typeof value !== "object" || value === null) return [path];
    return Object.entries(value).flatMap(([key, inner]) => walk(inner, path === "" ? key : `${path}.${key}`));
  };
  const walkItem = (value: unknown, path: string): string[] =>
    typeof value === "object" && value !== null
      ? Object.keys(value).flatMap((key) => (known.has(`${path}.${key}`) ? [] : [`${path}.${key}`]))
      : [];
  return walk(content, "").map((path) => `the ${document}'s file of ${version} has no field ${path}`);
}

interface PodManifest {
  readonly spec: { readonly containers: readonly { readonly command: readonly string[] }[] };
}

/** A command line of one of Kubernetes' programs; undefined for any other. */
export function programOf(command: readonly string[]): { program: Program; argv: readonly string[] } | undefined {
  const names = Object.entries(listNames) as [Program, string][];
  for (const [index, word] of command.entries()) {
    const isFront = word === "/hyperkube";
    const name = isFront ? command[index + 1] : basename(word);
    const found = names.find(([program, listed]) => name === listed || (isFront && name === program));
    if (found && (isFront || word.startsWith("/"))) {
      return { program: found[0], argv: command.slice(isFront ? index + 2 : index + 1) };
    }
  }
  return undefined;
}

/** All command lines of a plan that run a program of Kubernetes. */
export function programsOf(plan: Plan): { program: Program; argv: readonly string[] }[] {
  const pods = filesOf(plan).filter(({ path }) => path.startsWith(`${paths.manifests}/`));
  const containers = pods.flatMap(({ content }) => (JSON.parse(content) as PodManifest).spec.containers);
  return [...containersOf(plan), ...containers].flatMap(({ command }) => programOf(command) ?? []);
}

/** All that is wrong with the command lines and configuration files of a plan, by the lists of its version if any. */
export function planProblems(plan: Plan): string[] {
  const file = (path: string): unknown => parse(filesOf(plan).find((other) => other.path === path)?.content ?? "{}");
  return [
    ...programsOf(plan).flatMap(({ program, argv }) => checkCommandLine(plan.version, program, argv)),
    ...checkDocument(plan.version, "kubelet", file(paths.kubeletConfig)),
    ...checkDocument(plan.version, "proxy", file(paths.proxyConfig)),
  ];
}
