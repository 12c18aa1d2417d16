import type { VersionFeatures } from "../kubernetes/versions.js";
import { TsdeployError } from "../model/errors.js";
import type { HostFacts } from "../model/hostFacts.js";
import type { NodeOptions } from "../model/options.js";

/** What a node is called and where it is reached. */
export interface NodeIdentity {
  readonly nodeName: string;
  readonly nodeIp: string;
}

/**
 * From the options, else from the host: its name in lower case, the address of its default route. Where the API server
 * dials nodes by their names, the address is the name, too.
 *
 * @throws TsdeployError `environment`, `NO_ADDRESS`, on a host without a default route if `--ip` is not given
 */
export function nodeIdentity(
  options: Pick<NodeOptions, "nodeName" | "ip">,
  host: HostFacts,
  features: Pick<VersionFeatures, "usesNodeAddresses">,
): NodeIdentity {
  const nodeIp = options.ip ?? host.defaultAddress;
  if (nodeIp === undefined) {
    throw new TsdeployError("environment", {
      code: "NO_ADDRESS",
      message: "the host has no default route that would show its address",
      hint: "Give the node's address with --ip.",
    });
  }
  const hostName = features.usesNodeAddresses ? host.hostname.toLowerCase() : nodeIp;
  return { nodeName: options.nodeName ?? hostName, nodeIp };
}
