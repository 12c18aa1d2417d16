import type { PodNetwork } from "./podNetwork.js";

/** None of ours: a person brings one. */
export const noNetwork: PodNetwork = {
  name: "none",
  forwardsPods: false,
  makesNodesReady: false,
  cniFile: () => undefined,
  files: () => [],
  agent: () => undefined,
  objects: () => [],
  notes: () => ["With --network none nodes are not Ready before you bring a pod network of your own."],
  routes: () => [],
  findings: () => [],
  traces: { links: [], paths: [] },
  routedNetworks: () => [],
};
