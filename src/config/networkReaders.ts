import ipaddr from "ipaddr.js";
import type { OptionRow } from "./optionTable.js";
import { type Complain, listItems, patternReader, quote, type Reader, textReader } from "./reader.js";
import { isSubdomain } from "./names.js";

/** Ranges that are no node's or pod's. */
const reserved: readonly { readonly cidr: string; readonly what: string }[] = [
  { cidr: "0.0.0.0/8", what: "addresses of no host" },
  { cidr: "127.0.0.0/8", what: "loopback addresses" },
  { cidr: "169.254.0.0/16", what: "link-local addresses" },
  { cidr: "224.0.0.0/3", what: "multicast and reserved addresses" },
];

/** kube-apiserver refuses more than 20 bits of addresses (`maxCIDRBits` in its options' validation.go). */
const widestServiceCidr = 12;
/** DNS has the tenth address; kubeadm wants as many. */
const narrowestServiceCidr = 28;
/** Leaves 14 pods on each of 16 nodes. */
const narrowestPodCidr = 24;

/** IPv4 networks with room for what they are for. */
export const readRanges: Reader = textReader((text, complain, row) => {
  const range = readRange(text, complain, row);
  return range === undefined ? undefined : [range];
});

function readRange(text: string, complain: Complain, { key }: OptionRow): string | undefined {
  const [address = "", prefixText = ""] = text.split("/");
  const prefix = Number(prefixText);
  if (text.includes(":") && ipaddr.IPv6.isValidCIDR(text)) {
    complain({ message: `${quote(text)} is an IPv6 network; only IPv4 is supported` });
    return undefined;
  }
  const isNetwork = /^[^/]+\/\d{1,2}$/.test(text) && prefix <= 32 && ipaddr.IPv4.isValidFourPartDecimal(address);
  if (!isNetwork) {
    complain({ message: `${quote(text)} is not an IPv4 network`, hint: "Write it as 10.244.0.0/16." });
    return undefined;
  }
  const network = `${ipaddr.IPv4.networkAddressFromCIDR(text).toString()}/${prefix}`;
  if (network !== text) {
    complain({
      message: `${quote(text)} has bits set beyond its prefix of ${prefix}`,
      hint: `Did you mean ${network}?`,
    });
    return undefined;
  }
  const clash = reserved.find(({ cidr }) => overlap(cidr, text));
  if (clash) complain({ message: `${text} has ${clash.what} (${clash.cidr})` });
  if (key === "serviceCidr" && prefix < widestServiceCidr) {
    complain({ message: `${text} is too large: the API server takes at most a /${widestServiceCidr} for Services` });
  }
  if (key === "serviceCidr" && prefix > narrowestServiceCidr) {
    complain({ message: `${text} is too small: Services need at least a /${narrowestServiceCidr}` });
  }
  if (key === "podCidr" && prefix > narrowestPodCidr) {
    complain({ message: `${text} is too small: nodes get parts of it, so it has to be at least a /${narrowestPodCidr}` });
  }
  return text;
}

/** An IPv4 address that a node can have. */
export const readAddress: Reader = textReader((text, complain) => {
  if (!ipaddr.IPv4.isValidFourPartDecimal(text)) {
    const what = ipaddr.IPv6.isValid(text) ? "an IPv6 address; only IPv4 is supported" : "not an IPv4 address";
    complain({ message: `${quote(text)} is ${what}` });
    return undefined;
  }
  const clash = reserved.find(({ cidr }) => contains(cidr, text));
  if (!clash) return text;
  complain({ message: `${text} cannot be a node's address: ${clash.cidr} are ${clash.what}` });
  return undefined;
});

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
);

/** Names and addresses for a certificate. */
export const readNames: Reader = (raw, complain) =>
  listItems(raw).flatMap(({ item, path }) => {
    const isName =
      typeof item === "string" && (ipaddr.isValid(item) || isSubdomain(item.toLowerCase().replace(/^\*\./, "")));
    if (isName) return [item];
    complain({ path, message: `${quoteAny(item)} is neither an address nor a DNS name` });
    return [];
  });

function quoteAny(item: unknown): string {
  return JSON.stringify(item);
}

function isPort(text: string): boolean {
  return Number(text) > 0 && Number(text) < 65_536;
}

/** Whether two IPv4 networks have addresses in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [ipaddr.IPv4.parseCIDR(one), ipaddr.IPv4.parseCIDR(other)];
  const prefix = Math.min(a[1], b[1]);
  return a[0].match(b[0], prefix);
}

/** Whether an IPv4 network has this address. */
export function contains(cidr: string, address: string): boolean {
  return overlap(cidr, `${address}/32`);
}
