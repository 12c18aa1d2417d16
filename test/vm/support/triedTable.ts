import type { TriedRun } from "../../../src/kubernetes/triedRuns.js";

const columns: readonly (readonly [string, keyof TriedRun])[] = [
  ["Kubernetes", "version"],
  ["on", "on"],
  ["system", "system"],
  ["arch", "arch"],
  ["kernel", "kernel"],
  ["Docker", "docker"],
  ["cgroups", "cgroups"],
  ["network", "network"],
  ["kube-proxy", "proxyMode"],
  ["DNS", "dns"],
  ["date", "date"],
];

/** `docs/tried.md` */
export function triedTable(runs: readonly TriedRun[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rows = [columns.map(([title]) => title), columns.map(() => "---"), ...runs.map((run) => columns.map(([, key]) => run[key]))];
  return `# What was tried

Each line is a cluster that was made, used and taken down again, with nothing left, on real Kubernetes and Docker.
\`tsdeploy versions\` calls a version tried if it has a line here. \`npm run test:vm\` adds a line when all has gone well, in
place of an older one for the same; what it does is in [testing](testing.md). "Test machines" are containers with a Docker of
their own, which share a kernel. "One virtual machine" is a master alone: nothing between two nodes was tried there. Where
Debian has no source of a version, it was built from a copy that others publish: minikube's (v1.3), k3s' (v1.17, v1.21) and
OpenShift's (v1.33 and later), which have few changes of their own.

This file is made from \`src/kubernetes/triedRuns.json\`; nobody edits it.

${rows.map(line).join("\n")}
`;
}

/** The runs with a new one, which takes the place of an older one for the same. */
export function withRun(runs: readonly TriedRun[], run: TriedRun): TriedRun[] {
  const key = ({ version, on, system, arch, network, proxyMode }: TriedRun): string =>
    [version, on, system, arch, network, proxyMode].join();
  return [...runs.filter((other) => key(other) !== key(run)), run];
}
