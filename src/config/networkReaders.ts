import ipaddr from "ipaddr.js";
import { isIpv6, type OnePerFamily } from "../model/addressRanges.js";
import type { OptionRow } from "./optionTable.js";
import { type Complain, listItems, patternReader, quote, type RawValue, type Reader, textReader, within } from "./reader.js";
import { isSubdomain } from "./names.js";

interface Family {
  readonly name: string;
  readonly bits: number;
  /** Ranges as one would write them. */
  readonly examples: { readonly podCidr: string; readonly serviceCidr: string };
  /** Ranges that are no node's or pod's. */
  readonly reserved: readonly { readonly cidr: string; readonly what: string }[];
  isAddress(text: string): boolean;
  /** Address and prefix of a network, with bits beyond the prefix or without. */
  networkOf(cidr: string): string;
}

const ipv4: Family = {
  name: "IPv4",
  bits: 32,
  examples: { podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/12" },
  reserved: [
    { cidr: "0.0.0.0/8", what: "addresses of no host" },
    { cidr: "127.0.0.0/8", what: "loopback addresses" },
    { cidr: "169.254.0.0/16", what: "link-local addresses" },
    { cidr: "224.0.0.0/3", what: "multicast and reserved addresses" },
  ],
  isAddress: (text) => ipaddr.IPv4.isValidFourPartDecimal(text),
  networkOf: (cidr) => ipaddr.IPv4.networkAddressFromCIDR(cidr).toString(),
};

const ipv6: Family = {
  name: "IPv6",
  bits: 128,
  examples: { podCidr: "fd00:10:244::/56", serviceCidr: "fd00:10:96::/112" },
  reserved: [
    { cidr: "::/8", what: "loopback addresses, and those that stand for IPv4's" },
    { cidr: "fe80::/10", what: "link-local addresses" },
    { cidr: "ff00::/8", what: "multicast addresses" },
  ],
  // A zone belongs to one host alone.
  isAddress: (text) => ipaddr.IPv6.isValid(text) && !text.includes("%"),
  networkOf: (cidr) => ipaddr.IPv6.networkAddressFromCIDR(cidr).toString(),
};

/** kube-apiserver refuses more than 20 bits of addresses (`maxCIDRBits` in its options' validation.go). */
const widestServiceBits = 20;
/** DNS has the tenth address; kubeadm wants as many. */
const narrowestServiceBits = 4;
/** Leaves 14 pods on each of 16 nodes. */
const narrowestPodBits = 8;

/** Networks with room for what they are for: one of IPv4, or one of each family. */
export const readRanges: Reader = (raw, complain, row) => {
  const [one, other] = [exampleOf(ipv4, row), exampleOf(ipv6, row)];
  const hint = `Write it as ${one}, or ${one},${other}.`;
  const ranges = listItems(raw).map(({ item, path }) => {
    const text = within(complain, path);
    if (typeof item === "string") return readRange(item, text, row);
    text({ message: "takes networks, not a list or a map of lists", hint });
    return undefined;
  });
  return onePerFamily(ranges, complain, hint);
};

function exampleOf({ examples }: Family, { key }: OptionRow): string {
  return key === "serviceCidr" ? examples.serviceCidr : examples.podCidr;
}

function readRange(text: string, complain: Complain, row: OptionRow): string | undefined {
  const { key } = row;
  const family = isIpv6(text) ? ipv6 : ipv4;
  const { name, bits, reserved } = family;
  const [address = "", prefixText = ""] = text.split("/");
  const prefix = Number(prefixText);
  if (!/^[^/]+\/\d{1,3}$/.test(text) || prefix > bits || !family.isAddress(address)) {
    complain({ message: `${quote(text)} is not an ${name} network`, hint: `Write it as ${exampleOf(family, row)}.` });
    return undefined;
  }
  const network = `${family.networkOf(text)}/${prefix}`;
  if (`${ipaddr.parse(address).toString()}/${prefix}` !== network) {
    complain({
      message: `${quote(text)} has bits set beyond its prefix of ${prefix}`,
      hint: `Did you mean ${network}?`,
    });
    return undefined;
  }
  const clash = reserved.find(({ cidr }) => overlap(cidr, network));
  if (clash) {
    const hint = `Choose a private range, such as ${exampleOf(family, row)}.`;
    complain({ message: `${text} has ${clash.what} (${clash.cidr})`, hint });
  }
  const roomBits = bits - prefix;
  const withPrefix = (other: number): string => `${family.networkOf(`${address}/${other}`)}/${other}`;
  if (key === "serviceCidr" && roomBits > widestServiceBits) {
    const most = bits - widestServiceBits;
    complain({
      message: `${text} is too large: the API server takes at most a /${most} for Services`,
      hint: `Give a part of it, such as ${withPrefix(most)}.`,
    });
  }
  if (key === "serviceCidr" && roomBits < narrowestServiceBits) {
    const least = bits - narrowestServiceBits;
    complain({
      message: `${text} is too small: Services need at least a /${least}`,
      hint: `Choose a larger one, such as ${withPrefix(least)}.`,
    });
  }
  if (key === "podCidr" && roomBits < narrowestPodBits) {
    const least = bits - narrowestPodBits;
    complain({
      message: `${text} is too small: nodes get parts of it, so it has to be at least a /${least}`,
      hint: `Choose a larger one, such as ${withPrefix(least)}.`,
    });
  }
  return network;
}

/** Prefix lengths, one a family: `26`, or `26,64`. Which ones a range has room for is looked at when both are known. */
export const readMaskSizes: Reader = (raw, complain) => {
  const items = listItems(raw);
  const sizes = items.flatMap(({ item, path }, place) => {
    const bits = place === 0 ? ipv4.bits : ipv6.bits;
    if (typeof item === "string" && /^\d{1,3}$/.test(item) && Number(item) > 0 && Number(item) <= bits) return [Number(item)];
    complain({ path, message: `${JSON.stringify(item)} is not a prefix length`, hint: "Write it as 26, or 26,64." });
    return [];
  });
  if (items.length === 1 || items.length === 2) return sizes;
  complain({ message: "takes a prefix length, or one for each address family", hint: "Write it as 26, or 26,64." });
  return undefined;
};

const usualAddresses = "Write it as 10.0.0.5, or 10.0.0.5,fd00::5.";

/** Addresses that a node can have: one of IPv4, or one of each family. */
export const readAddresses: Reader = (raw, complain) => {
  const addresses = listItems(raw).map(({ item, path }) => readAddress(item, within(complain, path)));
  return onePerFamily(addresses, complain, usualAddresses);
};

function readAddress(item: RawValue, complain: Complain): string | undefined {
  const text = typeof item === "string" ? item : JSON.stringify(item);
  const family = isIpv6(text) ? ipv6 : ipv4;
  if (!family.isAddress(text)) {
    complain({ message: `${quote(text)} is not an IP address`, hint: usualAddresses });
    return undefined;
  }
  const address = ipaddr.parse(text).toString();
  const clash = family.reserved.find(({ cidr }) => contains(cidr, address));
  if (!clash) return address;
  complain({
    message: `${text} cannot be a node's address: ${clash.cidr} are ${clash.what}`,
    hint: "Give one by which other nodes reach this one: `ip address` on the host lists its addresses.",
  });
  return undefined;
}

/** Undefined if one was not read, or if they are not one of IPv4 and perhaps one of IPv6 after it. */
function onePerFamily(
  values: readonly (string | undefined)[],
  complain: Complain,
  hint: string,
): OnePerFamily | undefined {
  const read = values.filter((value) => value !== undefined);
  if (read.length < values.length) return undefined;
  const [first, second, ...others] = read;
  if (first === undefined) {
    complain({ message: "is empty", hint });
    return undefined;
  }
  if (others.length > 0 || (second !== undefined && isIpv6(first) === isIpv6(second))) {
    complain({ message: `${quote(read.join(","))} is more than one of each address family`, hint });
    return undefined;
  }
  if (isIpv6(first)) {
    complain(
      second === undefined
        ? {
            message: `${quote(first)} is of IPv6 alone, and nodes find the API server by its IPv4 address`,
            hint: `Give one of IPv4 as well, before it. ${hint}`,
          }
        : {
            message: `${quote(read.join(","))} begins with IPv6; the first family is the API server's, which is IPv4`,
            hint: `Write it as ${second},${first}.`,
          },
    );
    return undefined;
  }
  return second === undefined ? [first] : [first, second];
}

/** `address`, `name`, either with a port. */
export const readApiserver: Reader = textReader((text, complain) => {
  const [, host = "", port] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? [];
  // What looks like an address has to be one: names do not end in a number (RFC 1123, 2.1).
  const isHost = /(^|\.)\d+$/.test(host) ? ipaddr.IPv4.isValidFourPartDecimal(host) : isSubdomain(host);
  if (isHost && (port === undefined || isPort(port))) return text;
  complain({
    message: `${quote(text)} is not the address of a master`,
    hint: "Write it as 10.0.0.5, master.example.com or 10.0.0.5:6443: no https://, no path.",
  });
  return undefined;
});

/** A name that Linux lets a network interface have. */
export const readInterface: Reader = patternReader(
  /^(?!\.{1,2}$)[^\s/:]{1,15}$/,
  "the name of a network interface, such as eth0",
  "Give one that `ip link` lists on the host.",
);

/** Names and addresses for a certificate. */
export const readNames: Reader = (raw, complain) =>
  listItems(raw).flatMap(({ item, path }) => {
    const isName =
      typeof item === "string" && (ipaddr.isValid(item) || isSubdomain(item.toLowerCase().replace(/^\*\./, "")));
    if (isName) return [item];
    complain({
      path,
      message: `${quoteAny(item)} is neither an address nor a DNS name`,
      hint: "Write it as 10.0.0.5 or api.example.com: no https://, no port.",
    });
    return [];
  });

function quoteAny(item: unknown): string {
  return JSON.stringify(item);
}

function isPort(text: string): boolean {
  return Number(text) > 0 && Number(text) < 65_536;
}

/** Whether two networks have addresses in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [ipaddr.parseCIDR(one), ipaddr.parseCIDR(other)];
  return a[0].kind() === b[0].kind() && a[0].match(b[0], Math.min(a[1], b[1]));
}

/** Whether a network has this address. */
export function contains(cidr: string, address: string): boolean {
  return overlap(cidr, `${address}/${isIpv6(address) ? ipv6.bits : ipv4.bits}`);
}
