import ipaddr from "ipaddr.js";
import { parseHostBefore } from "../host/hostBefore.js";
import type { Finding } from "../model/finding.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { hasOurKubelet } from "../model/ownership.js";
import type { NetworkBackend } from "../model/podNetwork.js";
import { backendDriver, backendPorts } from "./backendDriver.js";
import { bridgeFindings } from "./bridgeFindings.js";
import { nodeInterface } from "./interfaceMtu.js";
import type { NetworkWish } from "./podNetwork.js";

/** What keeps flannel from working on a host, or with the backend that the cluster has. */
export function flannelFindings(observed: ObservedHost, wish: NetworkWish): Finding[] {
  return [
    ...bridgeFindings(observed, wish),
    ...otherFlannel(observed),
    ...takenPorts(observed, wish),
    ...missingDriver(observed, wish.networkBackend),
    ...wrongArchitecture(observed, wish.networkBackend),
    ...masterElsewhere(observed, wish),
  ];
}

/** Two would take each other's interfaces. */
function otherFlannel({ engine, host, files }: ObservedHost): Finding[] {
  const link = host.links.find((name) => /^flannel/.test(name));
  // With a record of before and the interface not in it, it has come by a run of ours.
  const before = parseHostBefore(files.get(paths.hostBefore)?.content);
  const isOurs = hasOurKubelet(engine.containers) || before?.links.includes(link ?? "") === false;
  if (link === undefined || isOurs) return [];
  return [
    {
      kind: "conflict",
      code: "OTHER_FLANNEL",
      message: `Another flannel has made the interface ${link} on this host`,
      hint: `Stop that flannel and run \`ip link delete ${link}\`, or say --network none if it is the pod network you want.`,
    },
  ];
}

function takenPorts({ host }: ObservedHost, { networkBackend: backend, podCidr }: NetworkWish): Finding[] {
  const own = backendPorts(backend);
  if (own === undefined || host.links.includes(own.link)) return [];
  return own.ports
    .slice(0, podCidr.length)
    .filter((port) => host.udpPorts.includes(port))
    .map((port) => ({
      kind: "conflict",
      code: "PORT_TAKEN",
      message: `UDP port ${port}, which flannel's backend ${backend} needs, is taken`,
      hint:
        `See by what with \`ss -lunp sport = :${port}\` on the host, which names no process for a WireGuard of the ` +
        "kernel (`wg show`); stop it, or have the master use another --network-backend.",
    }));
}

function missingDriver({ engine, host }: ObservedHost, backend: NetworkBackend): Finding[] {
  const driver = backendDriver(backend);
  if (driver === undefined || host.networkDrivers.includes(driver)) return [];
  const others = ["vxlan", "wireguard", ...(engine.version.architecture === "amd64" ? ["tun"] : [])];
  const instead = others.filter((name) => host.networkDrivers.includes(name)).map((name) => (name === "tun" ? "udp" : name));
  return [
    {
      kind: "environment",
      code: "NO_BACKEND",
      message: `The host's kernel has no ${driver}, which flannel's backend ${backend} needs`,
      hint:
        `Run \`modprobe ${driver}\` on the host and see what it says, or have the master use --network-backend host-gw ` +
        `(nodes within one Ethernet)${instead.map((name) => ` or ${name}`).join("")}.`,
    },
  ];
}

function wrongArchitecture({ engine }: ObservedHost, backend: NetworkBackend): Finding[] {
  const { architecture } = engine.version;
  if (backend !== "udp" || architecture === "amd64") return [];
  return [
    {
      kind: "environment",
      code: "NO_BACKEND",
      message: `flannel has its backend udp for amd64 alone, and this host is ${architecture}`,
      hint: "Have the master use another --network-backend.",
    },
  ];
}

/** A gateway has to be in a network that the node itself is in. */
function masterElsewhere({ host }: ObservedHost, wish: NetworkWish): Finding[] {
  const { networkBackend, masterIp, nodeIp, networkInterface } = wish;
  const name = nodeInterface(host, { nodeIp, networkInterface });
  if (networkBackend !== "host-gw" || masterIp === undefined || name === undefined) return [];
  const networks = host.addresses.filter((address) => address.interface === name);
  const master = ipaddr.IPv4.parse(masterIp);
  const isNear = ({ address, prefixLength }: { readonly address: string; readonly prefixLength: number }): boolean =>
    master.match(ipaddr.IPv4.parse(address), prefixLength);
  if (networks.length === 0 || networks.some(isNear)) return [];
  const known = networks.map(({ address, prefixLength }) => `${address}/${prefixLength}`).join(", ");
  return [
    {
      kind: "environment",
      code: "NOT_ONE_ETHERNET",
      message: `The master ${masterIp} is not in the network of this node's ${name} (${known}), and host-gw reaches no further`,
      hint: "Choose the interface to the master's network with --network-interface, or have the master use vxlan.",
    },
  ];
}
