import ipaddr from "ipaddr.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";

/** Certificates of a `tcp://` endpoint, PEM. */
export interface EndpointTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False for a context with `SkipTLSVerify`, and for DOCKER_TLS without DOCKER_TLS_VERIFY. */
  readonly verify: boolean;
}

/** Where a Docker daemon listens. `display` is how a person would name it. */
export type DockerEndpoint =
  | { readonly kind: "unix"; readonly display: string; readonly socketPath: string }
  | {
      readonly kind: "tcp";
      readonly display: string;
      readonly host: string;
      /** Undefined means 2376 with TLS, 2375 without. */
      readonly port?: number;
      readonly tls?: EndpointTls;
    }
  | {
      readonly kind: "ssh";
      readonly display: string;
      readonly host: string;
      readonly user?: string;
      /** Undefined leaves it to the person's SSH configuration. */
      readonly port?: number;
      /** The daemon's socket on that host. */
      readonly remoteSocketPath: string;
    };

export const defaultSocketPath = "/var/run/docker.sock";

/**
 * Reads `unix://`, `tcp://` (also without a scheme) and `ssh://` as the docker CLI does.
 *
 * @throws TsdeployError `usage`, `DOCKER_HOST_INVALID`
 */
export function parseDockerEndpoint(text: string): DockerEndpoint {
  const [, scheme = "tcp", rest = ""] = /^(?:([^/]*):\/\/)?(.*)$/s.exec(text.trim()) ?? [];
  switch (scheme) {
    case "unix":
      return parseUnix(text, rest);
    case "tcp":
      return parseTcp(text, rest);
    case "ssh":
      return parseSsh(text, rest);
    default:
      throw invalid(text, `the scheme ${scheme}:// is not supported`);
  }
}

/** Whether others can read what passes: TCP without TLS that leaves this machine. */
export function isReadableOnTheWay(endpoint: DockerEndpoint): boolean {
  if (endpoint.kind !== "tcp" || endpoint.tls !== undefined) return false;
  const { host } = endpoint;
  return ipaddr.isValid(host) ? ipaddr.process(host).range() !== "loopback" : !/^(.+\.)?localhost$/i.test(host);
}

function parseUnix(text: string, rest: string): DockerEndpoint {
  const socketPath = rest === "" ? defaultSocketPath : rest;
  if (!socketPath.startsWith("/")) {
    throw invalid(text, "the socket's path is not absolute");
  }
  return { kind: "unix", display: `unix://${socketPath}`, socketPath };
}

function parseTcp(text: string, rest: string): DockerEndpoint {
  const { hostname, port, username, pathname, search, hash } = parseAuthority(text, rest);
  if (username !== "" || !/^\/?$/.test(pathname) || search !== "" || hash !== "") {
    throw invalid(text, "it has more than a host and a port");
  }
  const shown = port === undefined ? "" : `:${port}`;
  return {
    kind: "tcp",
    display: `tcp://${hostname}${shown}`,
    host: withoutBrackets(hostname),
    ...defined({ port }),
  };
}

function parseSsh(text: string, rest: string): DockerEndpoint {
  const { hostname, port, username, password, pathname, search, hash } = parseAuthority(text, rest);
  if (password !== "") {
    throw invalid(text, "it has a password, which would be visible to others; SSH asks for it, or use a key");
  }
  if (search !== "" || hash !== "" || hostname.startsWith("-")) {
    throw invalid(text, "it is not made of user, host, port and the socket's path");
  }
  const remoteSocketPath = /^\/?$/.test(pathname) ? defaultSocketPath : decodeURIComponent(pathname);
  const user = decodeURIComponent(username);
  const shown = [
    "ssh://",
    user === "" ? "" : `${user}@`,
    hostname,
    port === undefined ? "" : `:${port}`,
    remoteSocketPath === defaultSocketPath ? "" : remoteSocketPath,
  ];
  return {
    kind: "ssh",
    display: shown.join(""),
    host: withoutBrackets(hostname),
    ...(user === "" ? {} : { user }),
    ...defined({ port }),
    remoteSocketPath,
  };
}

interface Authority extends Pick<URL, "hostname" | "username" | "password" | "pathname" | "search" | "hash"> {
  readonly port?: number;
}

function parseAuthority(text: string, rest: string): Authority {
  // An unknown scheme, so that no port is taken for the scheme's default and dropped.
  const url = tryUrl(`endpoint://${rest}`);
  if (!url || url.hostname === "") {
    throw invalid(text, "it has no valid host and port");
  }
  const { hostname, username, password, pathname, search, hash } = url;
  const authority = { hostname, username, password, pathname, search, hash };
  return url.port === "" ? authority : { ...authority, port: Number(url.port) };
}

function tryUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function invalid(text: string, why: string): TsdeployError {
  const shown = text.replace(/\/\/[^@]*@/, "//…@");
  return new TsdeployError("usage", {
    code: "DOCKER_HOST_INVALID",
    message: `${JSON.stringify(shown)} is no Docker endpoint: ${why}`,
    hint: "Use unix:///path/to/docker.sock, tcp://host:port or ssh://[user@]host[:port].",
  });
}
