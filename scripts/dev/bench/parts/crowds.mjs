import { pause } from "../execute.mjs";
import { allocatorMs } from "../sides.mjs";

/** How many workers join at once, unless `--workers` says otherwise. */
export const usualCrowds = [1, 2, 4, 8];

/** Many workers that join at the same time. */
export const crowds = {
  name: "crowds",
  about: `so many workers as --workers says (${usualCrowds.join()}) join at once`,
  /** As many as --workers says at most, and a master. */
  machines: 2,
  runs: 1,
  needs: [],
  targets: () => ({}),
  async run({ master, tsdeploy, cleanUp, machines: [first, ...rest] }, note, { workers: sizes }) {
    for (const size of sizes) {
      const { address } = await master();
      await pause(allocatorMs);
      const workers = rest.slice(0, size);
      const began = performance.now();
      await Promise.all(workers.map((n) => tsdeploy(n, "worker", "--master", address)));
      note(`${size} workers at once: all Ready`, performance.now() - began);
      await Promise.all(workers.map((n) => cleanUp(n)));
      await cleanUp(first);
    }
  },
};
