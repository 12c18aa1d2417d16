import ipaddr from "ipaddr.js";
import { contains } from "./networkReaders.js";

/** Proxies as programs read them from their environment; empty where there is none. */
export interface ProxySettings {
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in either case; the lower one wins, as with curl. */
export function proxySettings(env: NodeJS.ProcessEnv): ProxySettings {
  const variable = (name: string): string => env[name] ?? env[name.toUpperCase()] ?? "";
  return { httpProxy: variable("http_proxy"), httpsProxy: variable("https_proxy"), noProxy: variable("no_proxy") };
}

/**
 * Whether a host is reached without a proxy, by the rules of Go's programs, dockerd among them: a name stands for its
 * subdomains as well, `.name` for these alone, `10.0.0.0/8` for addresses, each of them with a port or without;
 * loopback never has a proxy.
 *
 * @param host name or address, IPv6 without brackets
 */
export function bypassesProxy(noProxy: string, host: string, port: number): boolean {
  const name = host.toLowerCase().replace(/\.$/, "");
  return isLoopback(name) || noProxy.split(/[\s,]+/).some((entry) => covers(entry.toLowerCase(), name, port));
}

/** Whether this is the own machine, of whoever asks. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

function covers(entry: string, host: string, port: number): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) {
    return ipaddr.IPv4.isValidCIDR(entry) && ipaddr.IPv4.isValidFourPartDecimal(host) && contains(entry, host);
  }
  // An IPv6 address without brackets has no port.
  const parts = /^(?:\[(?<bracketed>.*)\]|(?<bare>[^:]*))(?::(?<port>\d+))?$/.exec(entry)?.groups ?? { bare: entry };
  if (parts["port"] !== undefined && Number(parts["port"]) !== port) return false;
  const named = (parts["bracketed"] ?? parts["bare"] ?? "").replace(/^\*\./, ".");
  if (named === "") return false;
  return named.startsWith(".") ? host.endsWith(named) : host === named || host.endsWith(`.${named}`);
}
