import { addonPath } from "../addons/addons.js";
import { parseHostBefore } from "../host/hostBefore.js";
import { parseWrittenFiles } from "../host/writtenFiles.js";
import { addonNames } from "../model/addonNames.js";
import { TsdeployError } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { sha256 } from "../model/specDigest.js";
import { filesOf } from "./diff.js";

/**
 * A file that was on the host before our first run is never written over, nor an add-on whose content is not one that
 * we wrote. A PKI that somebody brought along is used as it is. Each kind of file has its own ways out.
 *
 * @throws TsdeployError `conflict`, `FOREIGN_FILES`
 */
export function refuseForeignFiles(plan: Plan, { files, engine }: Pick<ObservedHost, "files" | "engine">): void {
  const before = parseHostBefore(files.get(paths.hostBefore)?.content);
  const isOurHost = before !== undefined || engine.containers.some(isOurs);
  const wasThere = (path: string): boolean => (isOurHost ? before?.files.includes(path) === true : files.has(path));
  const written = parseWrittenFiles(files.get(paths.writtenFiles)?.content);
  // People have add-ons of their own in that folder, and may make ours theirs.
  const isTheirs = (path: string): boolean =>
    path.startsWith(`${paths.addons}/`) &&
    files.has(path) &&
    written[path]?.includes(sha256(files.get(path)?.content ?? "")) !== true;
  const overwritten = filesOf(plan).filter(
    ({ path, content }) => files.get(path)?.content !== content && (wasThere(path) || isTheirs(path)),
  );
  if (overwritten.length === 0) return;
  const hints = new Map<string, string[]>();
  for (const { path } of overwritten) hints.set(waysOut(path), [...(hints.get(waysOut(path)) ?? []), path]);
  throw new TsdeployError(
    "conflict",
    [...hints].map(([hint, those]) => ({
      code: "FOREIGN_FILES",
      message: `${those.join(", ")} would be overwritten, and nothing shows that tsdeploy wrote what is in ${those.length > 1 ? "them" : "it"}`,
      hint,
    })),
  );
}

/** What a person can do who has a file of his own, or has edited one of ours. */
function waysOut(path: string): string {
  const addon = addonNames.find((name) => addonPath(name) === path);
  if (addon !== undefined) {
    return (
      `Remove it, and tsdeploy's own comes back. To keep yours, turn tsdeploy's off: \`tsdeploy addon disable ${addon}\` ` +
      `leaves the file where it is${addon === "coredns" ? " (on a new master: --no-dns)" : ""}; or move it then, under ` +
      "another name, to the folder of --addons."
    );
  }
  if (path.startsWith(`${paths.addons}/`)) {
    return "Remove it. To keep what you have changed, bring it into the folder of --addons, from where it is written.";
  }
  if (path.startsWith(`${paths.manifests}/`)) {
    return "Remove it, or move it away: changes of your own to that pod are --extra-arg's and --patches'.";
  }
  if (path.startsWith(`${paths.pki}/`)) {
    return "Move it away. Of a PKI of your own, bring what it is made of (ca.crt, ca.key, …); the rest is made anew.";
  }
  return "Remove it, or move it away.";
}
