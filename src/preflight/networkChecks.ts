import { overlap } from "../config/networkReaders.js";
import { parseWrittenFiles } from "../host/writtenFiles.js";
import { featuresOf, type VersionFeatures } from "../kubernetes/versions.js";
import { isDualStack } from "../model/addressRanges.js";
import type { Finding } from "../model/finding.js";
import type { HostFacts, ListeningPort, ObservedHost } from "../model/hostFacts.js";
import { cniConfigFiles, paths } from "../model/hostLayout.js";
import { hasOurKubelet, isKubeletMade, isOurs } from "../model/ownership.js";
import type { NetworkBackend, NetworkName } from "../model/podNetwork.js";
import { ipv6AddressBeside, noIpv6Address } from "../network/ipv6Address.js";
import { flannelBackend, flannelHealthPort } from "../network/flannelNetwork.js";
import { podNetworkOf } from "../network/podNetworks.js";
import type { Check } from "./check.js";

interface NeededPort {
  readonly port: number;
  readonly user: string;
  /** It is opened on loopback only, so that a listener on another address is no obstacle. */
  readonly loopback?: boolean;
}

const nodePorts: readonly NeededPort[] = [
  { port: 10250, user: "kubelet" },
  { port: 10248, user: "kubelet's health check", loopback: true },
  { port: 10249, user: "kube-proxy's metrics", loopback: true },
  { port: 10256, user: "kube-proxy's health check" },
];

const flannelPorts: readonly NeededPort[] = [{ port: flannelHealthPort, user: "flannel's health check", loopback: true }];

const balancerPorts: readonly NeededPort[] = [{ port: 6443, user: "HAProxy on the way to the masters", loopback: true }];

const masterPorts: readonly NeededPort[] = [
  { port: 6443, user: "the API server" },
  { port: 2379, user: "etcd" },
  { port: 2380, user: "etcd's peers" },
];

/** Where the control plane says whether it is well: other ports in other versions. */
function healthPorts({ health }: VersionFeatures): NeededPort[] {
  return [
    // The insecure port where it cannot be off: on loopback.
    ...(health.apiserver.scheme === "HTTP"
      ? [{ port: health.apiserver.port, user: "the API server's insecure port", loopback: true }]
      : []),
    { port: health["controller-manager"].port, user: "the controller manager" },
    { port: health.scheduler.port, user: "the scheduler" },
  ];
}

/** Links that Kubernetes makes, ours and those of the usual pod networks: their addresses are no obstacle. */
const clusterLinks = /^(cni0|cbr0|kube-|nodelocaldns|flannel|cali|tunl|vxlan\.calico|weave|cilium|lxc)/;

/** Ports, addresses, address ranges, pod network. */
export const networkChecks: readonly Check<ObservedHost>[] = [
  {
    name: "ports",
    check({ engine, host }, { role, version, insecureApi, network, balances }) {
      const withOurKubelet = hasOurKubelet(engine.containers);
      const health = version === undefined ? [] : healthPorts(featuresOf(version));
      const open = insecureApi === true ? [{ port: 8080, user: "the API server's insecure port" }] : [];
      const balancer = balances === true ? balancerPorts : [];
      const onNode = [...nodePorts, ...(network === "flannel" ? flannelPorts : []), ...balancer];
      const needed = role === "master" ? [...masterPorts, ...open, ...health, ...onNode] : onNode;
      return needed.flatMap(({ port, user, loopback }: NeededPort): Finding[] => {
        const listeners = host.listeningPorts.filter(
          (listener) => listener.port === port && (loopback !== true || coversLoopback(listener)),
        );
        for (const listener of listeners) {
          const container = engine.containers.find(({ id }) => id === listener.container);
          if (container !== undefined && (isOurs(container) || (withOurKubelet && isKubeletMade(container)))) {
            continue;
          }
          const process = listener.process === undefined ? "something" : `${listener.process} (PID ${listener.pid ?? "?"})`;
          const where = container === undefined ? "" : ` in the container ${container.name}`;
          const hint =
            container === undefined
              ? `Stop it, or see what it is with \`ss -ltnp sport = :${port}\` on the host.`
              : `Stop it with \`docker stop ${container.name}\`, or give it another port.`;
          return [
            {
              kind: "conflict",
              code: "PORT_TAKEN",
              message: `Port ${port}, which ${user} needs, is taken by ${process}${where}`,
              hint,
            },
          ];
        }
        return [];
      });
    },
  },
  {
    name: "address",
    check({ host }, { ip: given }) {
      const ip = given?.[0];
      const addresses = host.addresses.filter((address) => !clusterLinks.test(address.interface));
      const known = addresses.map((address) => `${address.address} (${address.interface})`).join(", ") || "none";
      if (ip === undefined) {
        return host.defaultAddress === undefined
          ? {
              kind: "environment",
              code: "NO_ADDRESS",
              message: `The host has no default route that would show which of its addresses to use: ${known}`,
              hint: "Choose one with --ip.",
            }
          : undefined;
      }
      const own = addresses.find((address) => address.address === ip);
      if (own !== undefined) {
        // The kernel looks for a route before kube-proxy's rules put a pod's address in a Service's place.
        return host.defaultAddress === undefined
          ? {
              kind: "warning",
              code: "NO_DEFAULT_ROUTE",
              message: "The host has no default route: pods will reach Services, the machine itself will not",
              hint: `One that leads nowhere will do: \`ip route add default dev ${own.interface} metric 1000\`.`,
            }
          : undefined;
      }
      return {
        kind: "environment",
        code: "NOT_AN_ADDRESS",
        message: `${ip} is not an address of the host; it has: ${known}`,
        hint: "Choose one of them with --ip.",
      };
    },
  },
  {
    name: "ipv6-address",
    check({ host }, { ip, podCidr }) {
      if (podCidr === undefined || !isDualStack({ podCidr })) return undefined;
      const [nodeIp = host.defaultAddress, ipv6] = ip ?? [];
      // Without an address of IPv4 nothing shows where to look.
      if (nodeIp === undefined) return undefined;
      if (ipv6 === undefined) {
        const found = ipv6AddressBeside(host, nodeIp);
        return found === undefined
          ? { kind: "environment", ...noIpv6Address(host, nodeIp) }
          : ipv6Route(host, found);
      }
      if (host.ipv6.addresses.some(({ address }) => address === ipv6)) return ipv6Route(host, ipv6);
      const known = host.ipv6.addresses.map((address) => `${address.address} (${address.interface})`).join(", ") || "none";
      return {
        kind: "environment",
        code: "NOT_AN_ADDRESS",
        message: `${ipv6} is not an address of the host that lasts; of IPv6 it has: ${known}`,
        hint: "Choose one of them with --ip.",
      };
    },
  },
  {
    name: "address-ranges",
    check({ host }, wanted) {
      const ranges = [
        ...(wanted.podCidr ?? []).map((cidr) => ({ name: "pod", option: "--pod-cidr", cidr })),
        ...(wanted.serviceCidr ?? []).map((cidr) => ({ name: "Service", option: "--service-cidr", cidr })),
      ];
      // A network behind a gateway may be the way to other nodes' pods; one that the host is in cannot.
      const networks = [
        ...[...host.addresses, ...host.ipv6.addresses].map((address) => ({
          interface: address.interface,
          cidr: `${address.address}/${address.prefixLength}`,
        })),
        ...[...host.routes, ...host.ipv6.routes]
          .filter(({ gateway, destination }) => gateway === undefined && !/^(0\.0\.0\.0|::)\/0$/.test(destination))
          .map((route) => ({ interface: route.interface, cidr: route.destination })),
      ].filter((network) => !clusterLinks.test(network.interface));
      return ranges.flatMap(({ name, option, cidr }): Finding[] => {
        const network = networks.find((candidate) => overlap(candidate.cidr, cidr));
        if (network === undefined) {
          return [];
        }
        return [
          {
            kind: "environment",
            code: "RANGE_OVERLAP",
            message: `The ${name} addresses ${cidr} overlap the host's network ${network.cidr} on ${network.interface}`,
            hint: `Choose another range with ${option}.`,
          },
        ];
      });
    },
  },
  {
    name: "pod-network",
    check(observed, { network, networkBackend, podCidr, ip, masterIp, networkInterface }) {
      if (network === undefined || networkBackend === undefined || podCidr === undefined) return undefined;
      const wish = { podCidr, networkBackend, nodeIp: ip?.[0], masterIp, networkInterface };
      return podNetworkOf({ network }).findings(observed, wish);
    },
  },
  {
    name: "network-change",
    check(observed, { role, network, networkBackend }) {
      // A torn-down node has nothing that a change would cut off.
      if (network === undefined || !hasOurKubelet(observed.engine.containers)) return undefined;
      const reason = againstChange(observed, network, networkBackend);
      if (reason === undefined) return undefined;
      const backend = network === "flannel" && networkBackend !== undefined ? ` --network-backend ${networkBackend}` : "";
      const option = `--network ${network}${backend}`;
      return {
        kind: "conflict",
        code: "NETWORK_CHANGE",
        message: reason,
        hint:
          role === "worker"
            ? "Run `tsdeploy teardown` here, then this command again."
            : `Run \`tsdeploy teardown\` on all nodes, then \`master\` with ${option}, which keeps the cluster's data, then \`worker\`.`,
      };
    },
  },
];

/** Why pods of a node that runs cannot go from the network that they are on to this one; undefined if they can. */
function againstChange(
  { files, host }: ObservedHost,
  network: NetworkName,
  backend: NetworkBackend | undefined,
): string | undefined {
  const was = flannelBackend(files);
  if (was !== undefined) {
    if (network === "flannel" && backend === was) return undefined;
    const wanted = network === "flannel" ? `flannel (${backend ?? was})` : network;
    return `The pods of this node reach other nodes by flannel (${was}); with ${wanted} here alone they would not`;
  }
  const hasBridge = cniConfigFiles.some((path) => files.has(path));
  if (hasBridge && network === "none") {
    return "The pods of this node are on tsdeploy's bridge, and without its configuration nobody could take them off it";
  }
  // What a run has written is in its record before it is there: one that was cut off made no other network.
  const written = parseWrittenFiles(files.get(paths.writtenFiles)?.content);
  const hadNone = !hasBridge && !cniConfigFiles.some((path) => path in written);
  const [other] = host.cniConfigurations;
  if (network === "none" || !hadNone || other === undefined) return undefined;
  return `The pods of this node are on the network of ${paths.cniConf}/${other}; with ${network} new ones would be on another`;
}

/** As with IPv4: before kube-proxy's rules are asked, the kernel looks for a route. */
function ipv6Route({ ipv6 }: HostFacts, nodeIpv6: string): Finding | undefined {
  if (ipv6.routes.some(({ destination }) => destination === "::/0")) return undefined;
  const { interface: name = "eth0" } = ipv6.addresses.find(({ address }) => address === nodeIpv6) ?? {};
  return {
    kind: "warning",
    code: "NO_DEFAULT_ROUTE",
    message: "The host has no default route of IPv6: pods will reach Services by IPv6, the machine itself will not",
    hint: `One that leads nowhere will do: \`ip -6 route add default dev ${name} metric 1000\`.`,
  };
}

function coversLoopback({ address }: ListeningPort): boolean {
  return address === "0.0.0.0" || address === "::" || address.startsWith("127.") || address === "::ffff:127.0.0.1";
}
