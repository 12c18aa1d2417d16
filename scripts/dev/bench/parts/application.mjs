import { withCaller } from "../sides.mjs";
import { caller, onNode, pod, webService } from "../workloads.mjs";

const whole = (side) => `${side}: from nothing to a Service reached by name`;

/** From two machines with nothing but images to an application that works across them. */
export const application = {
  name: "application",
  about: "from the start of `master` to a pod on the worker that reaches a Service on the master by name",
  machines: 2,
  runs: 5,
  needs: ["bare", "flanneld", "coredns"],
  targets: () => ({
    [whole("tsdeploy")]: { against: whole("bare"), most: 1.15 },
    "tsdeploy: of that, master": { against: "bare: of that, master" },
    "tsdeploy: of that, worker": { against: "bare: of that, worker" },
    "tsdeploy: of that, pods": { against: "bare: of that, pods" },
  }),
  /** One command after the other, as a person would: the second node has to be told by the first how to join. */
  async run(testbed, note) {
    const [, second] = testbed.machines;
    await withCaller(testbed, second, async ({ side, open, reached }) => {
      const began = performance.now();
      const master = await side.master();
      const masterEnded = performance.now();
      const worker = await side.worker(second);
      const workerEnded = performance.now();
      const api = await open();
      await api.create(
        webService("web"),
        pod("web", { labels: { app: "web" }, ...onNode(master.node) }),
        caller("caller", "web", { image: testbed.image, ...onNode(worker.node) }),
      );
      await reached();
      const ended = performance.now();
      note(`${side.name}: of that, master`, masterEnded - began);
      note(`${side.name}: of that, worker`, workerEnded - masterEnded);
      note(`${side.name}: of that, pods`, ended - workerEnded);
      note(whole(side.name), ended - began);
    });
  },
};
