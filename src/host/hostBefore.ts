import type { ExistingFile, HostFacts, Route } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import * as z from "../model/zod.js";

const schema = z.object({
  sysctls: z.record(z.string(), z.string()),
  paths: z.array(z.string()),
  cniConfigurations: z.array(z.string()),
  iptables: z.array(z.string()),
  kubeProxy: z.array(z.string()).default([]),
  links: z.array(z.string()),
  /** Through a gateway, as `routeText` writes them. */
  routes: z.array(z.string()).default([]),
  /** All below /etc/kubernetes, and the pod network's configuration. */
  files: z.array(z.string()).default([]),
  entries: z.array(z.string()).default([]),
});

/** What a host was like before tsdeploy's first run there: `teardown` goes back to it. As in `HostFacts`. */
export type HostBefore = Readonly<z.infer<typeof schema>>;

/** The record as a file, to be written before anything is changed; undefined if an earlier run has left one. */
export function hostBeforeFile(host: HostFacts, files: ReadonlyMap<string, ExistingFile>): HostFile | undefined {
  if (files.has(paths.hostBefore)) {
    return undefined;
  }
  const before: HostBefore = {
    sysctls: { ...host.sysctls },
    paths: [...host.existingPaths],
    cniConfigurations: [...host.cniConfigurations],
    iptables: [...host.iptables],
    kubeProxy: [...host.kubeProxy],
    links: [...host.links],
    routes: [...host.routes, ...host.ipv6.routes].flatMap(routeText),
    files: [...files.keys()],
    entries: [...host.entries],
  };
  return { path: paths.hostBefore, mode: 0o644, content: `${JSON.stringify(before, null, 2)}\n`, secret: false };
}

/** `route 10.244.1.0/24 via 10.0.0.7 dev eth0`; none for a network that the host itself is in. */
function routeText({ destination, gateway, interface: device }: Route): string[] {
  return gateway === undefined ? [] : [`route ${destination} via ${gateway} dev ${device}`];
}

/** @returns undefined where there is none, or one that cannot be read: then nothing can be put back */
export function parseHostBefore(content: string | undefined): HostBefore | undefined {
  if (content === undefined) {
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}
