import { type VersionOverview, versionOverview } from "../kubernetes/versionOverview.js";
import type { CommandResult } from "../report/events.js";
import { textTable } from "../report/textTable.js";

/** `tsdeploy versions`: what can be run, as the version table has it. Asks nobody. */
export function versions(): Promise<CommandResult> {
  const overview = versionOverview();
  return Promise.resolve({ data: overview, text: describe(overview) });
}

function describe({ defaultVersion, ranges, minors }: VersionOverview): string {
  const eras = ranges.map(({ range, runtime, nodeCredentials, authorization, etcd }) => [
    range,
    runtime,
    nodeCredentials,
    authorization,
    etcd,
  ]);
  const rows = minors.map(({ minor, tried, published, components: { etcd, cni, criDockerd } }) => [
    minor,
    tried.join(", ") || "not tried",
    published ? "published" : "built",
    etcd,
    cni,
    criDockerd ?? "-",
  ]);
  return [
    `A new cluster gets ${defaultVersion}. Any patch release of these can be run; those not tried, with a warning.`,
    "",
    textTable([["VERSIONS", "RUNTIME", "NODES PROVE THEMSELVES BY", "AUTHORIZATION", "ETCD API"], ...eras]),
    "",
    textTable([["VERSION", "TRIED", "IMAGE", "ETCD", "CNI PLUGINS", "CRI-DOCKERD"], ...rows]),
    "",
    "Image: pulled where one is published, else built from the projects' release files; the other columns are what",
    "an image holds that `tsdeploy image build` makes.",
  ].join("\n");
}
