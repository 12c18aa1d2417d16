import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { afterAll, expect, it } from "vitest";
import { sourceStack } from "../../src/report/sourceStack.js";

const folder = mkdtempSync(join(tmpdir(), "tsdeploy-stack-"));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

it("names the place in the source that a bundle was made of", () => {
  const source = join(folder, "broken.ts");
  const bundle = join(folder, "bundle.js");
  writeFileSync(source, "interface Nothing {}\n\nconst nothing: Nothing = {};\nconsole.log(new Error('no').stack, nothing);\n");
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  buildSync({ entryPoints: [source], outfile: bundle, format: "esm", sourcemap: true });
  const stack = execFileSync(process.execPath, [bundle], { encoding: "utf8" });
  expect(stack).toContain(`${pathToFileURL(bundle).href}:2:`);
  expect(sourceStack(stack)).toContain(`${pathToFileURL(source).href}:4:13`);
});

it("leaves a place that has no source map", () => {
  const stack = "Error: no\n    at file:///nowhere/cli.js:1:2";
  expect(sourceStack(stack)).toBe(stack);
});
