import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";

/** What the bundle is: a function of what it has from the module that loads it. */
type Bundle = (require: NodeJS.Require, module: { exports: unknown }, bundleUrl: string) => void;

/**
 * Runs `main.ts` as `npm run build` has bundled it. That build has also made V8's code caches of it, which save nearly
 * half of the time of a start. V8 itself refuses a cache if another version made it, and compiles the text instead.
 *
 * @returns the script, of which a cache can be made when it has run
 */
export function runBundle(): Script {
  const file = join(__dirname, "bundle", "main.js");
  const filename = pathToFileURL(file).href;
  // The bundle is ASCII.
  const script = new Script(readFileSync(file, "latin1"), { filename, cachedData: readCodeCache() });
  (script.runInThisContext() as Bundle)(require, { exports: {} }, filename);
  return script;
}

/**
 * Where the code cache is that suits the arguments. A cache is read whole, and help needs only a little of all that is
 * compiled, so it has one of its own.
 */
export function codeCacheFile(): string {
  const isHelp = process.argv.length === 2 || process.argv.some((word) => word === "--help" || word === "-h");
  return join(__dirname, "bundle", `${isHelp ? "help" : "main"}.${process.arch}.cache`);
}

/** @returns undefined where there is none for this kind of machine */
function readCodeCache(): Buffer | undefined {
  try {
    return readFileSync(codeCacheFile());
  } catch {
    return undefined;
  }
}
