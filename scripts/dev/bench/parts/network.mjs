import { withCluster } from "../sides.mjs";
import { apiClient } from "../apiClient.mjs";
import { BenchError } from "../execute.mjs";
import { onNode, pod } from "../workloads.mjs";

/** Of a measurement: long enough for TCP's window, so short that both sides of a ratio meet the same load. */
const seconds = 2;

/** In the pods' own network the port is free; on the hosts it is unlike anybody's. */
const port = 7117;

const bridge = "bridge with routes";

/** How packets between hosts and between pods fare, on each pod network. */
export const network = {
  name: "network",
  about: "TCP between pods of two machines against TCP between the machines: throughput and latency, each backend",
  machines: 2,
  runs: 5,
  needs: [],
  targets: () =>
    Object.fromEntries(
      [bridge, "host-gw", "vxlan", "wireguard", "udp"].flatMap((name) => {
        const against = (what) => ({ against: `${name}: ${what}, hosts` });
        return [
          // The others have to wrap each packet, and the machines' wire is none that would be slower than that.
          [`${name}: throughput, pods`, { ...against("throughput"), ...(name === "host-gw" && { least: 0.95 }) }],
          [`${name}: latency p50, pods`, against("latency p50")],
          [`${name}: latency p99, pods`, against("latency p99")],
        ];
      }),
    ),
  /** Each backend's cluster is made once, and all runs are on it. */
  async before(testbed, note, { runs, notRun }) {
    const flannel = testbed.lack("flanneld");
    await measure(testbed, bridge, ["--network", "bridge"], note, runs);
    for (const backend of ["host-gw", "vxlan", "wireguard", "udp"]) {
      const lack = flannel ?? (testbed.backends.includes(backend) ? undefined : "this kernel does not have it");
      if (lack === undefined) {
        await measure(testbed, backend, ["--network", "flannel", "--network-backend", backend], note, runs);
      } else {
        notRun(`network, ${backend}`, lack);
      }
    }
  },
};

async function measure(testbed, name, flags, note, runs) {
  const [first, second] = testbed.machines;
  const numbers = [first, second];
  await withCluster(testbed, [second, first], async (open) => {
    const master = await testbed.master("--no-dns", ...flags);
    const worker = await testbed.tsdeploy(second, "worker", "--master", master.address);
    const api = await open({ api: () => apiClient(testbed.kubeconfigs.tsdeploy) });
    const names = [master.node, worker.node];
    if (name === bridge) await route(testbed, api, names);
    await api.create(...names.flatMap((node, i) => [place(`pod-${i}`, node, false), place(`host-${i}`, node, true)]));
    const places = await api.podsRunning("place", 4, 120_000);
    const client = async (kind, ...argv) => {
      const { podIP } = places.get(`${kind}-0`).status;
      const container = await containerOf(testbed, second, `${kind}-1`);
      const [mode, duration] = argv;
      const [said] = await testbed.docker(second, "exec", container, "netspeed", mode, podIP, String(port), duration);
      return JSON.parse(said);
    };
    // Neighbours are asked for, and connections tracked, before the first measurement.
    for (const kind of ["host", "pod"]) await client(kind, "pingpong", "0.2");
    for (let i = 0; i < runs; i++) {
      for (const kind of ["host", "pod"]) {
        const { megabitsPerSecond } = await client(kind, "stream", String(seconds));
        note(`${name}: throughput, ${kind}s`, megabitsPerSecond, "Mbit/s");
      }
      for (const kind of ["host", "pod"]) {
        const { p50Microseconds, p99Microseconds } = await client(kind, "pingpong", String(seconds));
        note(`${name}: latency p50, ${kind}s`, p50Microseconds, "µs");
        note(`${name}: latency p99, ${kind}s`, p99Microseconds, "µs");
      }
    }
  }).finally(() => (name === bridge ? testbed.machinesScript(["unroutes", ...numbers], { always: true }) : undefined));
}

/** A place to measure from and to. */
function place(name, node, hostNetwork) {
  const command = ["netspeed", "serve", String(port)];
  return pod(name, { labels: { place: "" }, command, hostNetwork, ...onNode(node) });
}

/** As the owner of a network would. */
async function route(testbed, api, names) {
  const { items } = await api.get("/api/v1/nodes");
  const routes = names.map((name, i) => {
    const { podCIDR } = items.find(({ metadata }) => metadata.name === name).spec;
    return `${podCIDR}=${testbed.machines[i]}`;
  });
  await testbed.machinesScript(["routes", ...routes]);
}

async function containerOf({ docker }, machine, name) {
  const [id] = await docker(machine, "ps", "-q", "--filter", `label=io.kubernetes.container.name=${name}`);
  if (id === undefined) throw new BenchError(`machine ${machine} has no container ${name}`);
  return id;
}
