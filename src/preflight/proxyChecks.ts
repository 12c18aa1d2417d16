import ipaddr from "ipaddr.js";
import { bypassesProxy } from "../config/proxySettings.js";
import type { EngineFacts } from "../model/hostFacts.js";
import type { Check } from "./check.js";

/** Suffixes of names that no public name server knows. */
const privateSuffixes = [".local", ".localdomain", ".internal", ".lan", ".intranet", ".corp", ".home.arpa", ".svc"];

/** Docker pulls by proxies of its own, which tsdeploy neither sets nor uses. */
export const proxyChecks: readonly Check<EngineFacts>[] = [
  {
    name: "docker-proxy",
    check({ info }, { pullsFrom = [], clusterDomain = "cluster.local" }) {
      const proxy = info.httpsProxy || info.httpProxy;
      if (proxy === "") return undefined;
      const proxied = pullsFrom.map(registryHost).filter(
        ({ name, port }) => isPrivate(name, port, clusterDomain) && !bypassesProxy(info.noProxy, name, port ?? 443),
      );
      if (proxied.length === 0) return undefined;
      return {
        kind: "warning",
        code: "DOCKER_PROXY",
        message:
          `Docker on ${info.hostname} pulls from ${proxied.map(({ shown }) => shown).join(", ")} through its proxy, ` +
          "which may have no way there",
        hint:
          `Add ${[...new Set(proxied.map(({ name }) => name))].join(",")} to NO_PROXY in dockerd's environment, ` +
          'or to "no-proxy" of "proxies" in /etc/docker/daemon.json, and restart Docker.',
      };
    },
  },
];

interface RegistryHost {
  readonly shown: string;
  readonly name: string;
  readonly port: number | undefined;
}

function registryHost(registry: string): RegistryHost {
  const [, bracketed, bare = registry, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(registry) ?? [];
  return { shown: registry, name: bracketed ?? bare, port: port === undefined ? undefined : Number(port) };
}

/** Whether a proxy is likely not to reach it. */
function isPrivate(name: string, port: number | undefined, clusterDomain: string): boolean {
  if (ipaddr.isValid(name)) return ipaddr.process(name).range() !== "unicast";
  const suffixes = [...privateSuffixes, `.${clusterDomain}`];
  const isPrivateName = !name.includes(".") || suffixes.some((suffix) => name.endsWith(suffix));
  // Proxies seldom let other ports through.
  return isPrivateName || (port !== undefined && port !== 443 && port !== 80);
}
