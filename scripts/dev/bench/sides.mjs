import { apiClient } from "./apiClient.mjs";
import { podEnd } from "./workloads.mjs";

/**
 * The two sides of a ratio, each a cluster of the same programs from the same image: tsdeploy's, and the one of bare
 * `docker run`s and ready-made manifests. Both have flannel of that backend, kube-proxy, and CoreDNS where the image
 * has it. `prepare` does what is not measured, `master` and `worker` are what a person would run.
 */
export function sidesOf(testbed, backend) {
  const { machines } = testbed;
  const [first] = machines;
  const dns = testbed.lack("coredns") === undefined ? "--dns" : "--no-dns";
  let address;
  const tsdeploy = {
    name: "tsdeploy",
    prepare: async () => undefined,
    /** @returns the node's name, and when it was Ready */
    async master() {
      const result = await testbed.master("--network", "flannel", "--network-backend", backend, dns);
      ({ address } = result);
      return result;
    },
    worker: (n) => testbed.tsdeploy(n, "worker", "--master", address),
    api: () => apiClient(testbed.kubeconfigs.tsdeploy),
  };
  const bare = {
    name: "bare",
    async prepare(workers) {
      await testbed.bare(first, "prepare", "up", "--network", backend);
      for (const n of workers) await testbed.bare(n, "prepare", "join");
    },
    master: () => testbed.bare(first, "run", "up"),
    worker: (n) => testbed.bare(n, "run", "join"),
    api: () => apiClient(testbed.kubeconfigs.bare),
  };
  return [bare, tsdeploy];
}

/** The backend that a cluster gets where nobody asks for another, as far as this kernel has it. */
export function usualBackend({ backends }) {
  return backends.includes("vxlan") ? "vxlan" : "host-gw";
}

/** Runs what needs a cluster, with connections to its API server by `open`, and removes it from those machines. */
export async function withCluster(testbed, machines, use) {
  const apis = [];
  const open = async (side) => {
    const api = await side.api();
    apis.push(api);
    return api;
  };
  const remove = () => machines.map((n) => testbed.cleanUp(n, { always: true }));
  try {
    await use(open);
  } catch (error) {
    // What went wrong first is what a person has to see.
    await Promise.allSettled(remove());
    throw error;
  } finally {
    for (const api of apis) api.close();
  }
  await Promise.all(remove());
}

/**
 * Each side in turn makes a cluster of the first two machines, in which a pod named caller, on the machine `callerOn`,
 * ends well when it has reached another. `act` gets the side, `open` for its API, and `reached` to wait for that pod.
 */
export async function withCaller(testbed, callerOn, act) {
  const [first, second] = testbed.machines;
  for (const side of sidesOf(testbed, usualBackend(testbed))) {
    await withCluster(testbed, [second, first], async (open) => {
      await side.prepare([second]);
      const end = podEnd(testbed, callerOn, "caller");
      try {
        await act({ side, open: () => open(side), reached: () => end.ended() });
      } finally {
        end.stop();
      }
    });
  }
}

/**
 * v1.20's CIDR allocator waits 10 s before its first look at nodes. Workers are timed on a master that is past it, both
 * sides alike.
 */
export const allocatorMs = 12_000;
