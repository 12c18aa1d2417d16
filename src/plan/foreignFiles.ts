import { parseHostBefore } from "../host/hostBefore.js";
import { parseWrittenFiles } from "../host/writtenFiles.js";
import { TsdeployError } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { sha256 } from "../model/specDigest.js";
import { filesOf } from "./diff.js";

/**
 * A file that was on the host before our first run is never written over, nor an add-on whose content is not one that
 * we wrote. A PKI that somebody brought along is used as it is.
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
  throw new TsdeployError("conflict", {
    code: "FOREIGN_FILES",
    message: `${overwritten.map(({ path }) => path).join(", ")} would be overwritten, and nothing shows that tsdeploy wrote it`,
    hint: "Move it away. Of a PKI of your own, bring what it is made of (ca.crt, ca.key, …); the rest is made anew.",
  });
}
