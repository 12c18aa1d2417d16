import { bridgeName, paths, podNetworkName } from "../plan/names.js";
import type { HostFile } from "../plan/plan.js";

/**
 * CNI configuration of the pod network `bridge`. It is the same on every node: the runtime fills in the node's pod CIDR
 * (capability `ipRanges`). Masquerading is a matter of our own chain, which leaves traffic between pods alone.
 */
export function bridgeNetworkFile(): HostFile {
  const configuration = {
    cniVersion: "0.4.0",
    name: podNetworkName,
    plugins: [
      {
        type: "bridge",
        bridge: bridgeName,
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        capabilities: { ipRanges: true },
        ipam: { type: "host-local", routes: [{ dst: "0.0.0.0/0" }] },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  const content = `${JSON.stringify(configuration, undefined, 2)}\n`;
  return { path: paths.cniConfigFile, mode: 0o644, content, secret: false };
}

/** The image's own plugins come first, then those that CNI add-ons install. */
export function cniBinDirs(imageCniDir: string | undefined): string[] {
  return imageCniDir === undefined || imageCniDir === paths.cniBin ? [paths.cniBin] : [imageCniDir, paths.cniBin];
}
