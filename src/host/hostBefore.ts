import * as z from "zod";
import type { ExistingFile, HostFacts } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";

const schema = z.object({
  sysctls: z.record(z.string(), z.string()),
  paths: z.array(z.string()),
  cniConfigurations: z.array(z.string()),
  iptables: z.array(z.string()),
  kubeProxy: z.array(z.string()).default([]),
  links: z.array(z.string()),
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
    files: [...files.keys()],
    entries: [...host.entries],
  };
  return { path: paths.hostBefore, mode: 0o644, content: `${JSON.stringify(before, null, 2)}\n`, secret: false };
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
