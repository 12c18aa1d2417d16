import { parseHostBefore } from "../host/hostBefore.js";
import { TsdeployError } from "../model/errors.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Plan } from "../model/plan.js";
import { filesOf } from "./diff.js";

/**
 * A file that was on the host before our first run is never written over. A PKI that somebody brought along is used as
 * it is.
 *
 * @throws TsdeployError `conflict`, `FOREIGN_FILES`
 */
export function refuseForeignFiles(plan: Plan, { files, engine }: Pick<ObservedHost, "files" | "engine">): void {
  const before = parseHostBefore(files.get(paths.hostBefore)?.content);
  const isOurHost = before !== undefined || engine.containers.some(isOurs);
  const wasThere = (path: string): boolean => (isOurHost ? before?.files.includes(path) === true : files.has(path));
  const overwritten = filesOf(plan).filter(
    ({ path, content }) => wasThere(path) && files.get(path)?.content !== content,
  );
  if (overwritten.length === 0) return;
  throw new TsdeployError("conflict", {
    code: "FOREIGN_FILES",
    message: `${overwritten.map(({ path }) => path).join(", ")} would be overwritten, and nothing shows that tsdeploy wrote it`,
    hint: "Move it away. Of a PKI of your own, bring what it is made of (ca.crt, ca.key, …); the rest is made anew.",
  });
}
