import { resolve } from "node:path";
import { readConfigFile } from "../config/configFile.js";
import { importCluster } from "../config/imports/importCluster.js";
import { importedFile, importedText, leftText } from "../config/imports/importedText.js";
import type { ConfigImportOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy config import FILE`: another tool's file as one of ours. */
export async function configImport(
  { importedFile: path }: ConfigImportOptions,
  { report }: RunContext,
): Promise<CommandResult> {
  const imported = importCluster(await readConfigFile(path, resolve(path), "config import"));
  for (const left of imported.left) report({ kind: "warning", message: `not carried over: ${leftText(left)}` });
  const { from, notes, left } = imported;
  return {
    data: { from, file: importedFile(imported), notes, notCarriedOver: left },
    text: importedText(imported, path),
  };
}
