import { readdir, readFile } from "node:fs/promises";
import { packageRoot } from "../model/packageRoot.js";
import type { BundledFiles } from "../plan/nodePlan.js";

/** The manifests, addons and in-pod scripts that come with this package. */
export async function readBundled(): Promise<BundledFiles> {
  const [manifests, addons, scripts] = await Promise.all([
    readFolder("manifests-multi/", /\.json$/),
    readFolder("manifests-multi/addons/", /\.(json|ya?ml)$/),
    readFolder("scripts/pod/", /\.sh$/),
  ]);
  return { manifests, addons, scripts };
}

async function readFolder(path: string, names: RegExp): Promise<Record<string, string>> {
  const folder = new URL(path, packageRoot);
  const found = (await readdir(folder)).filter((name) => names.test(name)).sort();
  return Object.fromEntries(
    await Promise.all(found.map(async (name) => [name, await readFile(new URL(name, folder), "utf8")] as const)),
  );
}
