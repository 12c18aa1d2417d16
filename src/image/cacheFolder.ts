import { mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { diskFault } from "./diskFault.js";

/** `$XDG_CACHE_HOME/tsdeploy`, else `~/.cache/tsdeploy`. A relative path counts as none (XDG base directories). */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const { XDG_CACHE_HOME: base = "", HOME: home = "" } = env;
  return join(isAbsolute(base) ? base : join(home === "" ? homedir() : home, ".cache"), "tsdeploy");
}

const workPrefix = "unpacked-";
const oldMs = 24 * 3_600_000;

/**
 * Makes a folder in the cache for one run, which has to remove it. What killed runs left a day ago is removed.
 *
 * @throws TsdeployError `environment`: `CACHE_UNWRITABLE`, `NO_SPACE`
 */
export async function makeWorkFolder(cache: string): Promise<string> {
  try {
    await mkdir(cache, { recursive: true });
    const left = (await readdir(cache)).filter((name) => name.startsWith(workPrefix)).map((name) => join(cache, name));
    for (const path of left) {
      const ageMs = await stat(path).then(({ mtimeMs }) => Date.now() - mtimeMs, () => 0);
      if (ageMs > oldMs) await rm(path, { recursive: true, force: true });
    }
    return await mkdtemp(join(cache, workPrefix));
  } catch (error) {
    throw diskFault(cache, error);
  }
}
