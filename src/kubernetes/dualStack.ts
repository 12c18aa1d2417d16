import type { AddressRanges, OnePerFamily } from "../model/addressRanges.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import type { NetworkBackend, NetworkName } from "../model/podNetwork.js";
import type { VersionFeatures } from "./versions.js";

/** What the number of address families has to do with; what is not known is left out, and not looked at. */
export interface FamilyOptions {
  readonly podCidr?: AddressRanges | undefined;
  readonly serviceCidr?: AddressRanges | undefined;
  readonly ip?: OnePerFamily | undefined;
  readonly network?: NetworkName | undefined;
  readonly networkBackend?: NetworkBackend | undefined;
  readonly networkMtu?: number | undefined;
}

export interface FamilyProblem extends Problem {
  /** Option that it is said about. */
  readonly key: keyof FamilyOptions;
}

/** Bytes of the smallest packet that every link of IPv6 has to carry (RFC 8200, 5). */
const leastMtu = 1280;

/** All that stands against these options' address families. */
export function familyProblems(options: FamilyOptions, features?: VersionFeatures): FamilyProblem[] {
  const { podCidr, serviceCidr, ip, network = "flannel", networkBackend, networkMtu } = options;
  const families = (podCidr ?? serviceCidr)?.length;
  if (families === undefined) return [];
  const problems: FamilyProblem[] = [];
  const add = (key: keyof FamilyOptions, message: string, hint: string): void => {
    problems.push({ key, code: "ADDRESS_FAMILIES", message, hint });
  };
  if (serviceCidr !== undefined && serviceCidr.length !== families) {
    const less = families > serviceCidr.length;
    add(
      less ? "serviceCidr" : "podCidr",
      `has one range where ${less ? "--pod-cidr" : "--service-cidr"} has two: pods and Services have the same address families`,
      `Write ${less ? "--service-cidr 10.96.0.0/16,fd00:10:96::/112" : "--pod-cidr 10.244.0.0/16,fd00:10:244::/56"}.`,
    );
  }
  if (families === 1) {
    if (ip !== undefined && ip.length > 1) {
      add("ip", "has two addresses, and the cluster has one address family", `Write --ip ${ip[0]}.`);
    }
    return problems;
  }
  if (features?.dualStack === false) {
    add(
      podCidr === undefined ? "serviceCidr" : "podCidr",
      `two address families are not for ${features.version}: Kubernetes has them from v1.20 on`,
      "Give a range of IPv4 alone, or another --k8s-version.",
    );
  }
  if (network === "flannel" && networkBackend === "udp") {
    add("networkBackend", "flannel's udp carries IPv4 alone", "Take vxlan, host-gw or wireguard.");
  }
  if (networkMtu !== undefined && networkMtu < leastMtu) {
    add("networkMtu", `${networkMtu} is too small for IPv6`, `Write at least ${leastMtu}.`);
  }
  return problems;
}

/** @throws TsdeployError of kind usage with all of `familyProblems` */
export function checkFamilies(options: FamilyOptions, features: VersionFeatures): void {
  const flags = {
    podCidr: "--pod-cidr",
    serviceCidr: "--service-cidr",
    ip: "--ip",
    network: "--network",
    networkBackend: "--network-backend",
    networkMtu: "--network-mtu",
  };
  const problems = familyProblems(options, features);
  if (problems.length === 0) return;
  throw new TsdeployError(
    "usage",
    problems.map(({ key, message, ...rest }) => ({ ...rest, message: `${flags[key]}: ${message}` })),
  );
}
