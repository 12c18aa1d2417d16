import ipaddr from "ipaddr.js";
import { isIpv6 } from "../model/addressRanges.js";
import type { Finding } from "../model/finding.js";
import type { Firewall, ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { hasOurKubelet } from "../model/ownership.js";
import type { NetworkWish } from "./podNetwork.js";

/** What keeps pods on a bridge from working, whoever brings their packets to other nodes. */
export function bridgeFindings(observed: ObservedHost, { podCidr, networkInterface }: NetworkWish): Finding[] {
  const { host, engine } = observed;
  // In a cluster that runs the owner has seen for himself what his host lets through.
  const kind = hasOurKubelet(engine.containers) ? "warning" : "environment";
  return [
    ...otherConfiguration(host.cniConfigurations),
    ...missingInterface(host.links, networkInterface),
    ...missingFilter(host.networkDrivers, kind),
    ...host.firewalls.flatMap((firewall) =>
      podCidr.flatMap((range) => (knowsFamily(firewall, range) ? closedFirewall(firewall, range, kind) : [])),
    ),
  ];
}

/** Kubelets take the first by name. */
function otherConfiguration(names: readonly string[]): Finding[] {
  const ours = paths.cniConfigFile.slice(paths.cniConf.length + 1);
  const [first] = names.filter((name) => name < ours).sort();
  if (first === undefined) return [];
  return [
    {
      kind: "conflict",
      code: "OTHER_POD_NETWORK",
      message: `${paths.cniConf}/${first} would be used in place of tsdeploy's pod network (${ours})`,
      hint: "Move it away, or say --network none if it is the pod network you want.",
    },
  ];
}

function missingInterface(links: readonly string[], name: string | undefined): Finding[] {
  if (name === undefined || links.includes(name)) return [];
  return [
    {
      kind: "environment",
      code: "NO_INTERFACE",
      message: `The host has no network interface ${name}; it has: ${links.join(", ")}`,
      hint: "Choose one of them with --network-interface.",
    },
  ];
}

/** Without it a Service that answers from its client's own node is not translated back. */
function missingFilter(drivers: readonly string[], kind: Finding["kind"]): Finding[] {
  if (drivers.includes("br_netfilter")) return [];
  return [
    {
      kind,
      code: "NO_BR_NETFILTER",
      message: "The kernel does not pass bridged packets through iptables, and has no module br_netfilter that would",
      hint: "Run `modprobe br_netfilter` on the host and see what it says; the module comes with the kernel's package.",
    },
  ];
}

/** Of ufw and iptables the rules of IPv4 alone are looked at, and nft's tables are of one family or of both. */
function knowsFamily({ name }: Firewall, range: string): boolean {
  return !isIpv6(range) || name === "firewalld" || name.startsWith("nft inet ");
}

/** What its own rules take away no rule of ours can give back: the owner has to name the pods' addresses in them. */
function closedFirewall({ name, sources }: Firewall, podCidr: string, kind: Finding["kind"]): Finding[] {
  if (sources.some((source) => isWithin(podCidr, source))) return [];
  return [
    {
      kind,
      code: "FIREWALL",
      message: `The host's firewall (${name}) drops what it is not told to let through, and it does not know the pods' addresses ${podCidr}`,
      hint: `${opening(name, podCidr)} The same for the addresses of the cluster's other nodes.`,
    },
  ];
}

function opening(name: string, podCidr: string): string {
  if (name === "firewalld") {
    return `Run \`firewall-cmd --permanent --zone=trusted --add-source=${podCidr}\` and \`firewall-cmd --reload\`.`;
  }
  if (name === "ufw") return `Run \`ufw allow from ${podCidr}\` and \`ufw route allow from ${podCidr}\`.`;
  if (name.startsWith("iptables")) return `Run \`iptables -I INPUT -s ${podCidr} -j ACCEPT\`, and keep it over a reboot.`;
  const family = isIpv6(podCidr) ? "ip6" : "ip";
  return `Put \`${family} saddr ${podCidr} accept\` and \`${family} daddr ${podCidr} accept\` before its drops, and keep that over a reboot.`;
}

function isWithin(narrow: string, wide: string): boolean {
  const [a, b] = [ipaddr.parseCIDR(narrow), ipaddr.parseCIDR(wide)];
  return a[0].kind() === b[0].kind() && b[1] <= a[1] && a[0].match(b[0], b[1]);
}
