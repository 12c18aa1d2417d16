import type { NetworkBackend } from "../model/podNetwork.js";

const drivers: { readonly [Backend in NetworkBackend]: string | undefined } = {
  vxlan: "vxlan",
  "host-gw": undefined,
  wireguard: "wireguard",
  udp: "tun",
};

/** Module of the kernel by which a backend makes its interface; undefined: it makes none. */
export function backendDriver(backend: NetworkBackend): string | undefined {
  return drivers[backend];
}
