import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TriedRun } from "../../../src/kubernetes/triedRuns.js";
import { hasCoredns, hasFlannel, programsFolder, version } from "../../e2e/support/operator.js";
import { root, runOk } from "../../e2e/support/run.js";
import { settings } from "./settings.js";
import { triedTable, withRun } from "./triedTable.js";
import type { VirtualMachine } from "./virtualMachine.js";

/** Notes a run in which all went well, of machines like this one. */
export async function recordRun(machine: VirtualMachine): Promise<void> {
  const docker = await machine.docker(
    "info",
    "--format",
    "{{.ServerVersion}}, {{.Driver}}\nv{{.CgroupVersion}}, {{.CgroupDriver}}",
  );
  const [server = "", cgroups = ""] = docker.split("\n");
  const run: TriedRun = {
    date: new Date().toISOString().slice(0, 10),
    version,
    on: settings.machines === 1 ? "one virtual machine" : "virtual machines",
    system: `Debian ${settings.suite}`,
    arch: settings.arch,
    kernel: (await machine.sh("uname -r")).trim(),
    docker: server,
    cgroups,
    network: hasFlannel() ? `flannel ${settings.backend}` : "bridge",
    proxyMode: settings.proxyMode,
    dns: hasCoredns() ? await corednsVersion() : "none",
  };
  const file = join(root, "src/kubernetes/triedRuns.json");
  const runs = withRun(JSON.parse(readFileSync(file, "utf8")) as TriedRun[], run);
  writeFileSync(file, `${JSON.stringify(runs, undefined, 2)}\n`);
  writeFileSync(join(root, "docs/tried.md"), triedTable(runs));
}

/** Its first line is `CoreDNS-1.10.1`. */
async function corednsVersion(): Promise<string> {
  const said = await runOk(join(programsFolder, "coredns"), ["--version"]);
  return said.split("\n")[0]?.replace("-", " ") ?? "";
}
