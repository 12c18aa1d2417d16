import { type ChangedAddon, changeAddon, type ListedAddon, listAddons } from "../deploy/changeAddon.js";
import type { AddonEnableOptions, AddonListOptions, AddonSwitchOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy addon list`: the add-ons that there are for this cluster, and which are on. */
export async function addonList(options: AddonListOptions, context: RunContext): Promise<CommandResult> {
  const addons = await listAddons(options, context);
  const rows = addons.map(({ name, enabled, version, description, reason }) => [
    name,
    enabled ? "on" : "off",
    version ?? "-",
    reason === undefined ? description : `not for this version: ${reason}`,
  ]);
  const all = [["NAME", "STATE", "RELEASE", "WHAT"], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lines = all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd());
  return { data: { addons: addons satisfies readonly ListedAddon[] }, text: lines.join("\n") };
}

/** `tsdeploy addon enable NAME`. */
export async function addonEnable(options: AddonEnableOptions, context: RunContext): Promise<CommandResult> {
  return told(await changeAddon(options, true, context), true);
}

/** `tsdeploy addon disable NAME`. */
export async function addonDisable(options: AddonSwitchOptions, context: RunContext): Promise<CommandResult> {
  return told(await changeAddon(options, false, context), false);
}

function told({ name, changed }: ChangedAddon, enabled: boolean): CommandResult {
  const state = enabled ? "on" : "off";
  const text = `Add-on ${name} is ${state}${changed ? "" : " already"}.`;
  return { data: { addon: name, enabled, changed }, text };
}
