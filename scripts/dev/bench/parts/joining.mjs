import { pause } from "../execute.mjs";
import { allocatorMs, withCaller } from "../sides.mjs";
import { caller, notOnNode, onNode, pod, webService } from "../workloads.mjs";

const reachedBy = (side) => `${side}: from worker to its pod reached by name`;

/** A worker that joins a cluster in which pods wait for it. */
export const joining = {
  name: "joining",
  about: "from the start of `worker` to its pod being reached by name, from a pod on the master",
  machines: 2,
  runs: 5,
  needs: ["bare", "flanneld", "coredns"],
  targets: () => ({ [reachedBy("tsdeploy")]: { against: reachedBy("bare") } }),
  async run(testbed, note) {
    const [first, second] = testbed.machines;
    await withCaller(testbed, first, async ({ side, open, reached }) => {
      const { node } = await side.master();
      const api = await open();
      await api.create(
        webService("far"),
        pod("far", { labels: { app: "far" }, ...notOnNode(node) }),
        caller("caller", "far", { image: testbed.image, ...onNode(node) }),
      );
      await pause(allocatorMs);
      const began = performance.now();
      await side.worker(second);
      await reached();
      note(reachedBy(side.name), performance.now() - began);
    });
  },
};
