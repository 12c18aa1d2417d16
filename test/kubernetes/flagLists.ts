import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { paths } from "../../src/plan/names.js";
import type { Plan } from "../../src/plan/plan.js";

/** What follows `/hyperkube` -> name in the lists. */
const listNames: Readonly<Record<string, string>> = {
  kubelet: "kubelet",
  "kube-apiserver": "kube-apiserver",
  "kube-controller-manager": "kube-controller-manager",
  "kube-scheduler": "kube-scheduler",
  "kube-proxy": "kube-proxy",
};

/** Flags that the release calls deprecated and that we say all the same. */
const saidOnPurpose: Readonly<Record<string, string>> = {
  "kube-apiserver --insecure-port": "8080 would be open where it still has an effect",
  "kube-controller-manager --port": "10252 would be open to everyone without TLS",
  "kube-scheduler --port": "10251 would be open to everyone without TLS",
  "kube-scheduler --kubeconfig": "instead of a configuration file whose API changes with every other release",
};

function list(version: string, name: string): ReadonlySet<string> {
  const file = new URL(`../fixtures/kubernetes-flags/${version}/${name}.txt`, import.meta.url);
  return new Set(readFileSync(file, "utf8").split("\n").filter(Boolean));
}

interface PodManifest {
  readonly spec: { readonly containers: readonly { readonly command: readonly string[] }[] };
}

/** All command lines of a plan that run a program of hyperkube. */
export function hyperkubeCommands(plan: Plan): string[][] {
  const pods = filesOf(plan).filter(({ path }) => path.startsWith(`${paths.manifests}/`));
  const containers = pods.flatMap(({ content }) => (JSON.parse(content) as PodManifest).spec.containers);
  return [...containersOf(plan), ...containers]
    .map(({ command }) => command)
    .filter((command) => command.includes("/hyperkube"))
    .map((command) => command.slice(command.indexOf("/hyperkube") + 1));
}

/** Flags that this release does not know, or deprecates without our saying so on purpose. */
export function flagProblems(version: string, command: readonly string[]): string[] {
  const [program = "", ...argv] = command;
  const name = listNames[program];
  if (name === undefined) return [`unknown program ${program}`];
  const known = list(version, name);
  const hidden = list(version, `${name}.hidden`);
  const deprecated = list(version, `${name}.deprecated`);
  return argv.flatMap((argument) => {
    const flag = argument.split("=")[0] ?? "";
    if (!known.has(flag) && !hidden.has(flag)) return [`${name} ${version} does not know ${flag}`];
    const isOld = deprecated.has(flag) || hidden.has(flag);
    return isOld && !(`${name} ${flag}` in saidOnPurpose) ? [`${name} ${version} deprecates ${flag}`] : [];
  });
}

/** Fields that this release's configuration file does not have. */
export function fieldProblems(version: string, kind: "kubelet" | "kube-proxy", document: unknown): string[] {
  const known = list(version, `${kind}-configuration`);
  const walk = (value: unknown, path: string): string[] => {
    if (known.has(path)) return [];
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
    return Object.entries(value).flatMap(([key, inner]) => walk(inner, path === "" ? key : `${path}.${key}`));
  };
  return walk(document, "").map((path) => `${kind} ${version} has no field ${path}`);
}

/** All that is wrong with the command lines and configuration files of a plan. */
export function planProblems(plan: Plan): string[] {
  const file = (path: string): unknown => parse(filesOf(plan).find((other) => other.path === path)?.content ?? "");
  return [
    ...hyperkubeCommands(plan).flatMap((command) => flagProblems(plan.version, command)),
    ...fieldProblems(plan.version, "kubelet", file(paths.kubeletConfig)),
    ...fieldProblems(plan.version, "kube-proxy", file(paths.proxyConfig)),
  ];
}
