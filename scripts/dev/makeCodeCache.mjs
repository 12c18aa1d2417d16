/**
 * Runs tsdeploy with the given arguments and keeps what V8 has compiled for it, in place of an earlier cache and with
 * all that was in it.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const dist = fileURLToPath(new URL("../../dist/", import.meta.url));
process.argv[1] = `${dist}cli.js`;
const { codeCacheFile, runBundle } = createRequire(dist)("./runBundle.js");
const script = runBundle();

process.on("exit", () => {
  writeFileSync(codeCacheFile(), script.createCachedData());
});
