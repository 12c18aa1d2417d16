import type { EngineFacts, ObservedHost } from "../model/hostFacts.js";

/** What stands in a plan for a fact that only a helper of the image can see. */
export const unknown = "unknown until the image is here";

/**
 * A host as far as Docker's API alone shows it, for a dry run without the image. For the rest it is what most hosts
 * are: nothing of ours on it, nothing in the way.
 */
export function unknownHost(engine: EngineFacts): ObservedHost {
  const { info, version } = engine;
  return {
    engine,
    image: {
      id: unknown,
      tags: [],
      repoDigests: [],
      architecture: version.architecture,
      os: version.os,
      labels: {},
      command: [],
      sizeBytes: 0,
      createdAt: "",
      layers: [],
    },
    files: new Map(),
    host: {
      hostname: info.hostname,
      addresses: [],
      defaultAddress: unknown,
      routes: [],
      ipv6: { addresses: [], defaultAddress: unknown, routes: [] },
      links: [],
      mtus: {},
      networkDrivers: ["br_netfilter", "vxlan", "wireguard", "tun"],
      firewalls: [],
      cpus: info.cpus,
      memoryBytes: info.memoryBytes,
      swapBytes: 0,
      clockMs: 0,
      cgroupVersion: info.cgroupVersion,
      podCgroups: [],
      propagation: "shared",
      privateFolders: [],
      identityFiles: ["/etc/machine-id", "/etc/os-release"],
      listeningPorts: [],
      udpPorts: [],
      iptablesBackend: "nft",
      iptables: [],
      kubeProxy: [],
      resolvConf: unknown,
      diskFreeBytes: {},
      readOnlyPaths: [],
      conntrackMaxWritable: true,
      ipvs: true,
      cniConfigurations: [],
      imageVersion: unknown,
      imagePrograms: { hyperkube: "/hyperkube" },
      imageCniDir: unknown,
      defaultIpcMode: "shareable",
      etcdData: false,
      sysctls: {},
      existingPaths: [],
      symlinks: [],
      entries: [],
      mountsBelowKubelet: [],
    },
  };
}
