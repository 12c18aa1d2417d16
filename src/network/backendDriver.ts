import type { NetworkBackend } from "../model/podNetwork.js";

const drivers: { readonly [Backend in NetworkBackend]: string | undefined } = {
  vxlan: "vxlan",
  "host-gw": undefined,
  wireguard: "wireguard",
  udp: "tun",
};

interface OwnPorts {
  /** Of IPv4, and of IPv6 where the cluster has both. */
  readonly ports: readonly number[];
  /** The interface that is there while flannel has them. */
  readonly link: string;
}

/** Interfaces of vxlan share their port. */
const ownPorts: { readonly [Backend in NetworkBackend]: OwnPorts | undefined } = {
  vxlan: undefined,
  "host-gw": undefined,
  wireguard: { ports: [51820, 51821], link: "flannel-wg" },
  udp: { ports: [8285], link: "flannel0" },
};

/** UDP ports that a backend needs for itself; undefined: none. */
export function backendPorts(backend: NetworkBackend): OwnPorts | undefined {
  return ownPorts[backend];
}

/** Module of the kernel by which a backend makes its interface; undefined: it makes none. */
export function backendDriver(backend: NetworkBackend): string | undefined {
  return drivers[backend];
}
