import { type Problem, TsdeployError } from "../../model/errors.js";
import type { ConfigFile } from "../configFile.js";
import { isMap, type RawValue } from "../reader.js";
import { ForeignFile } from "./foreignFile.js";
import type { ImportedCluster } from "./importedCluster.js";
import { importK0sctl } from "./importK0sctl.js";
import { importRke } from "./importRke.js";

/**
 * Reads the file of a cluster of RKE or k0sctl.
 *
 * @throws TsdeployError `usage` with all that keeps it from being read; `IMPORT_UNKNOWN` if it is neither's
 */
export function importCluster(file: ConfigFile): ImportedCluster {
  if (file.problems.length > 0) throw new TsdeployError("usage", file.problems);
  const foreign = new ForeignFile(file);
  const imported = importerOf(file)(foreign);
  const hosts = imported.from === "RKE" ? foreign.items(["nodes"]) : foreign.items(["spec", "hosts"]);
  const example = imported.from === "RKE" ? "{address: 10.0.0.5, role: [worker]}" : "{role: worker, ssh: {address: 10.0.0.5}}";
  const problems = hosts
    .filter((path) => !isMap(foreign.at(path) ?? ""))
    .map((path): Problem => {
      const message = `${foreign.place(path, false)}: is not a host (a map of its keys)`;
      return { code: "IMPORT_INVALID", message, hint: `Write it as ${example}.` };
    });
  if (problems.length > 0) throw new TsdeployError("usage", problems);
  return imported;
}

function importerOf(file: ConfigFile): (file: ForeignFile) => ImportedCluster {
  const { values } = file;
  const apiVersion = values.get("apiVersion");
  if (Array.isArray(values.get("nodes"))) return importRke;
  if (typeof apiVersion === "string" && apiVersion.startsWith("k0sctl.k0sproject.io/") && hasHosts(values.get("spec"))) {
    return importK0sctl;
  }
  const isOurs = Array.isArray(values.get("hosts"));
  const expected =
    "What can be read is RKE's cluster.yml, with a list `nodes`, and k0sctl's file, with apiVersion " +
    "k0sctl.k0sproject.io/v1beta1 and a list `hosts` below spec.";
  throw new TsdeployError("usage", {
    code: "IMPORT_UNKNOWN",
    message: `${file.path}: is neither RKE's nor k0sctl's`,
    hint: isOurs ? `It looks like tsdeploy's own: run \`tsdeploy config validate -f ${file.path}\`.` : expected,
  });
}

function hasHosts(spec: RawValue | undefined): boolean {
  return spec !== undefined && isMap(spec) && Array.isArray(spec["hosts"]);
}
