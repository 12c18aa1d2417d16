import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath } from "node:url";
import { packageRoot } from "../model/packageRoot.js";

/**
 * A stack trace that names `src/…` where it named the bundle. Node.js would do so by itself, but reads all source maps
 * at each start for it.
 *
 * @returns with the places that have no source map as they were
 */
export function sourceStack(stack: string): string {
  return stack.replace(/(file:\/\/[^\s()]+\.js):(\d+):(\d+)/g, (place, url: string, line: string, column: string) => {
    try {
      const map = new SourceMap(JSON.parse(readFileSync(fileURLToPath(`${url}.map`), "utf8")) as SourceMapPayload);
      const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in entry)) return place;
      const source = new URL(entry.originalSource, url).href.replace(packageRoot.href, "");
      return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    } catch {
      return place;
    }
  });
}
