import { withClusterFile } from "../clusterFile.mjs";

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

    await withClusterFile(testbed, 1, async (file) => {
      const up = async () => (await tsdeploy(first, "up", "--file", file)).wallMs;
      note("tsdeploy up, all machines", await up());
      note("tsdeploy up, nothing to do", await up());
      await tsdeploy(first, "down", "--file", file, "--purge", "--yes");
    });
  },
};
