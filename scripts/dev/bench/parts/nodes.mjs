import { pause } from "../execute.mjs";
import { allocatorMs } from "../sides.mjs";

/** A master and a worker without pod network and DNS, from nothing to Ready and back to nothing. */
export const nodes = {
  name: "nodes",
  about: "API, node Ready, worker Ready, teardown, against bare `docker run`s",
  machines: 2,
  runs: 5,
  needs: [],
  targets: ({ hasBare }) => ({
    "tsdeploy master: API answers": hasBare && { against: "bare: API answers", most: 1.1 },
    "tsdeploy master: node Ready": hasBare
      ? { against: "bare: node Ready", most: 1.1 }
      : // What upstream's own manifests need for v1.3.0 on 2 cores.
        { ms: 13_700 },
    "tsdeploy worker: node Ready": hasBare && { against: "bare: worker Ready", most: 1.2 },
    "tsdeploy teardown, worker": { against: "docker stop and rm, worker", ms: 1000 },
    "tsdeploy teardown, master": { against: "docker stop and rm, master", ms: 1000 },
  }),
  async run(testbed, note) {
    if (testbed.hasBare) await measureBare(testbed, note);
    await measureNodes(testbed, note);
    await measureDocker(testbed, note);
  },
};

/** What was removed before has to be over, or its end counts to what begins next. The bare side prepares so long. */
const restMs = 3000;

async function measureBare({ bare, machines: [first, second] }, note) {
  const limit = await bare(first, "up");
  note("bare: API answers", limit.apiAnswersMs);
  note("bare: node Ready", limit.nodeReadyMs);
  await pause(allocatorMs);
  note("bare: worker Ready", (await bare(second, "join")).nodeReadyMs);
  await bare(second, "down");
  await bare(first, "down");
}

async function measureNodes({ master, tsdeploy, cleanUp, machines: [first, second] }, note) {
  await pause(restMs);
  const { address, apiAnswersMs, nodeReadyMs, wallMs } = await master();
  note("tsdeploy master: API answers", apiAnswersMs);
  note("tsdeploy master: node Ready", nodeReadyMs);
  note("tsdeploy master: whole command", wallMs);
  await pause(allocatorMs);
  note("tsdeploy worker: node Ready", (await tsdeploy(second, "worker", "--master", address)).nodeReadyMs);
  note("tsdeploy teardown, worker", (await tsdeploy(second, "teardown")).wallMs);
  await cleanUp(second);
  note("tsdeploy teardown, master", (await tsdeploy(first, "teardown")).wallMs);
  await cleanUp(first);
}

/** The same nodes again, of which Docker alone removes the containers. */
async function measureDocker({ master, tsdeploy, docker, cleanUp, machines: [first, second] }, note) {
  const { address } = await master();
  await pause(allocatorMs);
  await tsdeploy(second, "worker", "--master", address);
  note("docker stop and rm, worker", await dockerRemovalMs((...argv) => docker(second, ...argv)));
  await cleanUp(second);
  note("docker stop and rm, master", await dockerRemovalMs((...argv) => docker(first, ...argv)));
  await cleanUp(first);
}

/** Stops in the order of a teardown, with its grace periods, and removes all. */
async function dockerRemovalMs(docker) {
  const ids = (...filters) => docker("ps", "-aq", ...filters.flatMap((filter) => ["--filter", filter]));
  const [kubelet, pods, etcd, others] = await Promise.all([
    ids("label=io.tsdeploy.component=kubelet"),
    ids("label=io.kubernetes.docker.type=container", "status=running"),
    ids("label=io.tsdeploy.component=etcd"),
    ids("label=io.tsdeploy.component"),
  ]);
  const began = performance.now();
  await docker("stop", "-t", "10", ...kubelet);
  if (pods.length > 0) await docker("stop", "-t", "2", ...pods);
  if (etcd.length > 0) await docker("stop", "-t", "10", ...etcd);
  const all = await ids("label=io.kubernetes.pod.uid");
  await docker("rm", "-fv", ...new Set([...all, ...others]));
  return performance.now() - began;
}
