import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const alone = "tsdeploy master, then one worker";

/** A cluster from one file, on all machines that there are. */
export const many = {
  name: "many",
  about: "`up` of a master and four workers or more from one file, and once more, against one master and one worker",
  machines: 5,
  runs: 3,
  needs: [],
  targets: () => ({
    "tsdeploy up, all machines": { against: alone, most: 1.3 },
    "tsdeploy up, nothing to do": { ms: 1000 },
  }),
  async run(testbed, note) {
    const { machines, master, tsdeploy, cleanUp } = testbed;
    const [first, second] = machines;
    const made = await master();
    note(alone, made.wallMs + (await tsdeploy(second, "worker", "--master", made.address)).wallMs);
    await cleanUp(second);
    await cleanUp(first);

    const folder = await mkdtemp(join(tmpdir(), "tsdeploy-many-"));
    try {
      const file = join(folder, "cluster.yaml");
      await writeFile(file, clusterFile(testbed));
      const up = async () => (await tsdeploy(first, "up", "--file", file)).wallMs;
      note("tsdeploy up, all machines", await up());
      note("tsdeploy up, nothing to do", await up());
      await tsdeploy(first, "down", "--file", file, "--purge", "--yes");
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

/** JSON is YAML. */
function clusterFile({ clusterName, version, image, machines, env }) {
  const hosts = machines.map((n, place) => ({
    dockerHost: env(n).DOCKER_HOST,
    role: place === 0 ? "master" : "worker",
  }));
  // A file says all: `up` does not look at the variables that the other commands have their network from here.
  return JSON.stringify({ clusterName, k8sVersion: version, image, network: "bridge", dns: false, hosts });
}
