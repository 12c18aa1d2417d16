import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** What the bundle is: a function of what it has from the module that loads it. */
type Bundle = (require: NodeJS.Require, module: { exports: unknown }, bundleUrl: string) => void;

/**
 * Runs `main.ts` as `npm run build` has bundled it. That build has also made V8's code cache of it, which saves nearly
 * half of the time of a start. V8 itself refuses the cache if another version made it, and compiles the text instead.
 *
 * @returns the script, of which a cache can be made when it has run
 */
export function runBundle(): Script {
  const folder = join(__dirname, "bundle");
  const file = join(folder, "main.js");
  const filename = pathToFileURL(file).href;
  // The bundle is ASCII.
  const script = new Script(readFileSync(file, "latin1"), { filename, cachedData: readCodeCache(folder) });
  (script.runInThisContext() as Bundle)(require, { exports: {} }, filename);
  return script;
}

/** @returns undefined where there is none for this kind of machine */
function readCodeCache(folder: string): Buffer | undefined {
  try {
    return readFileSync(join(folder, `main.${process.arch}.cache`));
  } catch {
    return undefined;
  }
}
