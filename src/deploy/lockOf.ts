import { hostname, userInfo } from "node:os";
import type { HostLock } from "../host/hostLock.js";
import type { RunContext } from "../report/runContext.js";

/** The lock that a run of this command needs: none for a dry run, which changes nothing. */
export function lockOf(
  command: string,
  { dryRun, wait }: { readonly dryRun: boolean; readonly wait: boolean },
  { report, signal }: RunContext,
): HostLock | undefined {
  return dryRun ? undefined : { command, holder: `${userName()}@${hostname()}`, wait, report, signal };
}

/** A user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "somebody");
  }
}
