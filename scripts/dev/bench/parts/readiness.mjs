import { pause } from "../execute.mjs";
import { allocatorMs, usualBackend } from "../sides.mjs";

/** What the default pod network costs until nodes are Ready: the same nodes without and with it. */
export const readiness = {
  name: "readiness",
  about: "what flannel adds to node Ready, against --network bridge",
  machines: 2,
  runs: 5,
  needs: ["flanneld"],
  targets: () => ({
    "flannel: node Ready": { against: "bridge: node Ready", ms: 300 },
    "flannel: worker Ready": { against: "bridge: worker Ready", ms: 300 },
    "flannel: whole command": { against: "bridge: whole command" },
  }),
  async run(testbed, note) {
    const { master, tsdeploy, cleanUp, machines: [first, second] } = testbed;
    const networks = {
      bridge: ["--network", "bridge"],
      flannel: ["--network", "flannel", "--network-backend", usualBackend(testbed)],
    };
    for (const [name, flags] of Object.entries(networks)) {
      const { address, nodeReadyMs, wallMs } = await master("--no-dns", ...flags);
      note(`${name}: node Ready`, nodeReadyMs);
      note(`${name}: whole command`, wallMs);
      await pause(allocatorMs);
      note(`${name}: worker Ready`, (await tsdeploy(second, "worker", "--master", address)).nodeReadyMs);
      await cleanUp(second);
      await cleanUp(first);
    }
  },
};
