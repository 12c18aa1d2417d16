import ipaddr from "ipaddr.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { HostFacts } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";

/** What pods get that ask the host's nameservers, CoreDNS among them. */
export interface PodResolver {
  /** The kubelet's `resolvConf`. */
  readonly path: string;
  /** Where no file of the host's will do. */
  readonly file?: HostFile;
  /** For whoever runs the command. */
  readonly warning?: string;
}

type Known = Pick<HostFacts, "resolvConf" | "resolverLines">;

/**
 * A nameserver on the host's loopback is a pod's own loopback to a pod: CoreDNS would ask itself, and ends when it
 * notices (its plugin `loop`); without any it does not start. So such pods get a file without it, and the node's own
 * address where none is left: the host's server may listen there, too, and where nothing does, a refusal comes at once.
 */
export function podResolver(host: Known, config: Pick<ClusterConfig, "clusterDns">, nodeIp: string): PodResolver {
  const { resolvConf, resolverLines } = host;
  if (resolverLines === undefined || !hasToBeMade(host, config)) return { path: resolvConf };
  const servers = resolverLines.filter(isServer);
  const useless = servers.filter((line) => !isOfUse(line, config));
  const kept = resolverLines.filter((line) => !useless.includes(line));
  const ofUse = kept.filter(isServer);
  const lines = ofUse.length > 0 ? kept : [...kept, `nameserver ${nodeIp}`];
  const file = { path: paths.resolvConf, mode: 0o644, content: `${lines.join("\n")}\n`, secret: false };
  const names = (of: readonly string[]): string => of.map(serverOf).join(", ");
  const instead = ofUse.length > 0 ? names(ofUse) : nodeIp;
  const warning =
    servers.length === 0
      ? `The host has no nameserver: pods will know the cluster's names, and no others. Name one in ${resolvConf}, and run this again.`
      : `Pods do not reach the host's nameserver ${names(useless)}: they ask ${instead}` +
        (ofUse.length > 0
          ? "."
          : ". Have the server listen there as well, or name another one for pods in a file of yours: " +
            "extraArgs: kubelet: resolv-conf: FILE.");
  return { path: file.path, file, warning };
}

/** The path alone, which is the same whatever the node's address. */
export function podResolvConf(host: Known, config: Pick<ClusterConfig, "clusterDns">): string {
  return hasToBeMade(host, config) ? paths.resolvConf : host.resolvConf;
}

function hasToBeMade({ resolverLines }: Known, config: Pick<ClusterConfig, "clusterDns">): boolean {
  if (resolverLines === undefined) return false;
  const servers = resolverLines.filter(isServer);
  return servers.length === 0 || servers.some((line) => !isOfUse(line, config));
}

function isServer(line: string): boolean {
  return line.startsWith("nameserver ");
}

function serverOf(line: string): string {
  return line.split(" ")[1] ?? "";
}

/** The cluster's own DNS would ask itself as well. */
function isOfUse(line: string, { clusterDns }: Pick<ClusterConfig, "clusterDns">): boolean {
  const server = serverOf(line).replace(/%.*$/, "");
  if (!ipaddr.isValid(server)) return false;
  return server !== clusterDns && !["loopback", "unspecified"].includes(ipaddr.process(server).range());
}
