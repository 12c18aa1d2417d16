/** Pod networks that `--network` knows: `src/network` has a file for each. */
export const networkNames = ["flannel", "bridge", "none"] as const;

export type NetworkName = (typeof networkNames)[number];

/** How flannel brings packets from node to node. */
export const networkBackends = ["vxlan", "host-gw", "wireguard", "udp"] as const;

export type NetworkBackend = (typeof networkBackends)[number];
