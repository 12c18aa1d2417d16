import { TsdeployError } from "../model/errors.js";
import type { TeardownOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";

/** @throws TsdeployError of kind usage, `PURGE_UNCONFIRMED`, if data would be deleted and nobody can be asked */
export function refuseUnconfirmedPurge(
  { purge, yes, dryRun }: Pick<TeardownOptions, "purge" | "yes" | "dryRun">,
  { isTTY }: RunContext,
): void {
  if (!purge || yes || dryRun || isTTY) return;
  throw new TsdeployError("usage", {
    code: "PURGE_UNCONFIRMED",
    message: "--purge deletes the cluster's data, and there is no terminal to ask on",
    hint: "Say --yes as well if that is meant.",
  });
}

/** Asks, if data would be deleted and the person has not said yes already. @returns whether to go on */
export async function confirmPurge(
  { purge, yes }: Pick<TeardownOptions, "purge" | "yes">,
  context: RunContext,
): Promise<boolean> {
  return !purge || yes || context.confirm("Delete all of this, the cluster's data included?");
}
