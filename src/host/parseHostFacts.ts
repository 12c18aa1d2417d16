import ipaddr from "ipaddr.js";
import { isIpv6 } from "../model/addressRanges.js";
import { defined } from "../model/defined.js";
import type { Firewall, HostFacts, InterfaceAddress, ListeningPort, Route, Symlink } from "../model/hostFacts.js";
import * as z from "../model/zod.js";

const schema = z.object({
  hostname: z.string().min(1),
  cpus: z.coerce.number().int().positive(),
  memoryBytes: z.coerce.number().int().positive(),
  swapBytes: z.coerce.number().int().nonnegative(),
  openFiles: z.coerce.number().int().positive().optional().catch(undefined),
  cgroupVersion: z.enum(["1", "2"]),
  propagation: z.enum(["shared", "private", "slave"]),
  iptablesBackend: z.enum(["nft", "legacy"]),
  resolvConf: z.string().startsWith("/"),
  conntrackMaxWritable: z.enum(["true", "false"]).transform((value) => value === "true"),
  ipvs: z.enum(["true", "false"]).transform((value) => value === "true"),
  etcdData: z.enum(["true", "false"]).transform((value) => value === "true"),
  imageVersion: z.union([z.literal(""), z.string().regex(/^v\d+\.\d+\.\d+/)]).catch(""),
  imageRoot: z.string().startsWith("/").optional(),
  imageCniDir: z.string().optional(),
  imageEtcdVersion: z.string().regex(/^\d+\.\d+/).optional().catch(undefined),
  imageCriDockerdVersion: z.string().regex(/^\d+\.\d+\.\d+/).optional().catch(undefined),
  imageCorednsVersion: z.string().regex(/^\d+\.\d+/).optional().catch(undefined),
  clock: z.string().transform(parseClock),
});

/** Reads what `scripts/host/facts.sh` prints. Throws a ZodError if it is not that. */
export function parseHostFacts(output: string): Omit<HostFacts, "defaultIpcMode"> {
  const lines = output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const space = line.indexOf(" ");
      return space < 0 ? { key: line, value: "" } : { key: line.slice(0, space), value: line.slice(space + 1).trim() };
    });
  const all = (key: string): string[] => lines.filter((line) => line.key === key).map((line) => line.value);

  const { clock, openFiles, imageRoot, ...parsed } = schema.parse(
    Object.fromEntries(lines.map((line) => [line.key, line.value])),
  );
  const { imageCniDir, imageEtcdVersion, imageCriDockerdVersion, imageCorednsVersion, ...single } = parsed;
  const addresses = all("address").map(parseAddress);
  const routes = all("route").flatMap((line) => parseRoute(line, ipv4));
  const defaultAddress = defaultRouteAddress(all("route"), addresses);
  const ipv6Addresses = all("address6").map(parseAddress);
  const ipv6DefaultAddress = defaultRouteAddress(all("route6"), ipv6Addresses);

  return {
    ...single,
    addresses,
    ...defined({ defaultAddress }),
    routes,
    ipv6: {
      addresses: ipv6Addresses,
      ...defined({ defaultAddress: ipv6DefaultAddress }),
      routes: all("route6").flatMap((line) => parseRoute(line, ipv6)),
    },
    links: all("link"),
    mtus: Object.fromEntries(all("mtu").map(parsePair).map(([name, mtu]) => [name, Number(mtu)])),
    podCgroups: all("podCgroups").map((driver) => z.enum(["cgroupfs", "systemd"]).parse(driver)),
    privateFolders: all("privateFolder"),
    identityFiles: all("identity"),
    networkDrivers: all("networkDriver"),
    firewalls: all("firewall").map(parseFirewall),
    clockMs: clock,
    listeningPorts: all("listening").flatMap(parseListening),
    udpPorts: [...new Set(all("udpPort").map(Number))],
    iptables: all("iptables"),
    kubeProxy: all("kubeProxy"),
    resolverLines: all("resolver").map((line) => line.split(/\s+/).join(" ")),
    diskFreeBytes: Object.fromEntries(all("free").map(parseFree)),
    readOnlyPaths: all("readOnly"),
    cniConfigurations: all("cni"),
    imagePrograms: Object.fromEntries(all("program").map(parsePair)),
    ...defined({ openFiles, imageRoot, imageCniDir, imageEtcdVersion, imageCriDockerdVersion, imageCorednsVersion }),
    sysctls: Object.fromEntries(all("sysctl").map(parsePair)),
    existingPaths: all("path"),
    symlinks: all("symlink").map(parseSymlink),
    entries: all("entry"),
    mountsBelowKubelet: all("mountBelow"),
  };
}

/** Seconds since 1970, with a fraction after a point or, in some locales, a comma -> milliseconds. */
export function parseClock(value: string): number {
  return Math.round(Number(value.trim().replace(",", ".")) * 1000);
}

/** `eth0 10.0.0.5/24`; of a link between two hosts, without a length. */
export function parseAddress(value: string): InterfaceAddress {
  const [name = "", cidr = ""] = value.split(" ");
  const [address = "", prefixLength = isIpv6(cidr) ? "128" : "32"] = cidr.split("/");
  return { interface: name, address, prefixLength: Number(prefixLength) };
}

const ipv4 = { whole: "0.0.0.0/0", bits: 32 };
const ipv6 = { whole: "::/0", bits: 128 };

/** A line of `ip route`: `10.0.0.0/8 via 10.1.0.1 dev eth0`, `unreachable 10.0.0.0/8`, … */
function parseRoute(value: string, family: typeof ipv4): Route[] {
  const [first = ""] = value.split(" ");
  const device = wordAfter(value, "dev");
  if (device === undefined) {
    return [];
  }
  const destination = first === "default" ? family.whole : first.includes("/") ? first : `${first}/${family.bits}`;
  const gateway = wordAfter(value, "via");
  return [{ destination, interface: device, ...defined({ gateway }) }];
}

/** The kernel prefers the lowest metric, and says its routes in that order. */
function defaultRouteAddress(routes: readonly string[], addresses: readonly InterfaceAddress[]): string | undefined {
  const route = routes.find((line) => line.startsWith("default "));
  if (route === undefined) {
    return undefined;
  }
  const device = wordAfter(route, "dev");
  return wordAfter(route, "src") ?? addresses.find((address) => address.interface === device)?.address;
}

function wordAfter(line: string, word: string): string | undefined {
  const words = line.split(" ");
  const at = words.indexOf(word);
  return at < 0 ? undefined : words[at + 1];
}

/** `0.0.0.0:6443 1234 kube-apiserver <container id>`; `[::]:22`, `127.0.0.53%lo:53`, `*:80`; `-` for the unknown. */
function parseListening(value: string): ListeningPort[] {
  const [socket = "", pid = "-", process = "-", container = "-"] = value.split(" ");
  const match = /^(.*):(\d+)$/.exec(socket);
  if (match === null) {
    return [];
  }
  const [, host = "", port = ""] = match;
  const address = host.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  return [
    {
      port: Number(port),
      address: address === "*" ? "::" : address,
      ...(process === "-" ? {} : { process }),
      ...(pid === "-" ? {} : { pid: Number(pid) }),
      ...(container === "-" ? {} : { container }),
    },
  ];
}

/** `<blocks> <block size> <path>` */
function parseFree(value: string): [string, number] {
  const [blocks = "0", blockSize = "0", ...path] = value.split(" ");
  return [path.join(" "), Number(blocks) * Number(blockSize)];
}

/** `nft_inet_filter 10.0.0.0/8,10.1.2.3`: the name's blanks are written `_`. */
function parseFirewall(value: string): Firewall {
  const [name, sources] = parsePair(value);
  const withLength = (source: string): string =>
    source.includes("/") ? source : `${source}/${isIpv6(source) ? 128 : 32}`;
  // What looks like one of IPv6 may be something else, such as an Ethernet address.
  const known = sources.split(",").map(withLength).filter(ipaddr.isValidCIDR);
  return { name: name.replaceAll("_", " "), sources: known };
}

/** `/var/lib/kubelet /srv/kubelet`; the target may have blanks, the path has none. */
function parseSymlink(value: string): Symlink {
  const [path, target] = parsePair(value);
  return { path, target };
}

/** A name, and all that follows. */
function parsePair(value: string): [string, string] {
  const [name = "", ...rest] = value.split(" ");
  return [name, rest.join(" ")];
}
