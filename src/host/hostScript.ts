import { readFile } from "node:fs/promises";
import { packageRoot } from "../model/packageRoot.js";

/** The scripts that run in the helper container: `scripts/host/<name>.sh`. */
export type HostScript = "facts" | "look" | "read-files" | "write-files" | "remove-files" | "teardown";

/** The text of a script that comes with this package. */
export async function hostScript(name: HostScript): Promise<string> {
  return readFile(new URL(`scripts/host/${name}.sh`, packageRoot), "utf8");
}
