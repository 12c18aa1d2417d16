import { readFile } from "node:fs/promises";
import { packageRoot } from "../model/packageRoot.js";

/** The text of a script that comes with this package: `scripts/image/<name>`. */
export async function imageScript(name: "hyperkube" | "pause" | "probe.sh"): Promise<string> {
  return readFile(new URL(`scripts/image/${name}`, packageRoot), "utf8");
}
