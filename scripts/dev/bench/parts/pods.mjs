import { pause } from "../execute.mjs";
import { allocatorMs, sidesOf, usualBackend, withCluster } from "../sides.mjs";
import { webServers, webService } from "../workloads.mjs";

/** Within the 110 that a kubelet takes, on three nodes. */
const podCount = 200;
const endpointCount = 100;
const podsTimeoutMs = 900_000;

const running = (side) => `${side}: ${podCount} pods Running`;
const reached = (side) => `${side}: a Service of ${endpointCount} endpoints reached from each machine`;

/** Many pods, and a Service before many. */
export const pods = {
  name: "pods",
  about: `${podCount} pods on three machines to Running, a Service of ${endpointCount} endpoints to reached`,
  machines: 3,
  runs: 1,
  needs: ["bare", "flanneld"],
  targets: () => ({
    [running("tsdeploy")]: { against: running("bare") },
    [reached("tsdeploy")]: { against: reached("bare") },
  }),
  async run(testbed, note) {
    for (const side of sidesOf(testbed, usualBackend(testbed))) await measure(testbed, side, note);
  },
};

async function measure(testbed, side, note) {
  const [first, ...workers] = testbed.machines.slice(0, 3);
  await withCluster(testbed, [...workers, first], async (open) => {
    await side.prepare(workers);
    await side.master();
    for (const n of workers) await side.worker(n);
    const api = await open(side);
    await pause(allocatorMs);

    const made = performance.now();
    await api.create(webServers("web", endpointCount), webServers("other", podCount - endpointCount));
    await api.podsRunning("part=all", podCount, podsTimeoutMs);
    note(running(side.name), performance.now() - made);

    // Statuses of the last pods, and what the controllers make of them, are no part of the Service's time.
    await pause(10_000);
    const asked = performance.now();
    await api.create(webService("web", { clusterIP }));
    await Promise.all([first, ...workers].map((n) => testbed.onMachine(n, "timeout", "120", "sh", "-c", untilReached)));
    note(reached(side.name), performance.now() - asked);
  });
}

/** Of the Service: nobody has to look it up. */
const clusterIP = "10.96.100.100";
const untilReached = `until curl -sfo /dev/null --connect-timeout 0.2 -m 2 http://${clusterIP}/; do sleep 0.02; done`;
