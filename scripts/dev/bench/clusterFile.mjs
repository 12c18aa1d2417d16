import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Writes a file for `up` of all machines, of which the first are masters, for as long as `use` takes. */
export async function withClusterFile(testbed, masters, use) {
  const folder = await mkdtemp(join(tmpdir(), "tsdeploy-many-"));
  try {
    const file = join(folder, "cluster.yaml");
    await writeFile(file, clusterFile(testbed, masters));
    await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** JSON is YAML. */
function clusterFile({ clusterName, version, image, machines, env }, masters) {
  const hosts = machines.map((n, place) => ({
    dockerHost: env(n).DOCKER_HOST,
    role: place < masters ? "master" : "worker",
  }));
  // A file says all: `up` does not look at the variables that the other commands have their network from here.
  return JSON.stringify({ clusterName, k8sVersion: version, image, network: "bridge", dns: false, hosts });
}
