#!/usr/bin/env node
/**
 * The second half of `npm run build`: dist/cli.js and the chunks that its commands load when they run, with all npm
 * packages in them. Loading a few files instead of a thousand is what makes the CLI start fast.
 */
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Parts of dockerode that tsdeploy does not use and that cannot be bundled: SSH (`ssh2` has native code; tsdeploy runs
 * the system's ssh) and BuildKit (its .proto files are read from beside the module).
 */
const unused = {
  name: "unused",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs)$/ }, ({ path }) => ({
      path,
      namespace: "unused",
    }));
    onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

await rm(join(root, "dist"), { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["src/cli.ts"],
  outdir: "dist",
  // src/model/packageRoot.ts counts on that folder.
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  // Of a package that has both, ES modules: what nobody imports is then left out.
  mainFields: ["module", "main"],
  target: "node20",
  sourcemap: true,
  sourcesContent: false,
  // CommonJS packages call require() for Node's own modules.
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  legalComments: "none",
  plugins: [unused],
  metafile: true,
  logLevel: "warning",
});
await writeFile(join(root, "dist/LICENSES.txt"), await licences(Object.keys(metafile.inputs)));
await chmod(join(root, "dist/cli.js"), 0o755);

/** The licence texts of the packages that these files are of. */
async function licences(inputs) {
  const folders = new Set(inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  const texts = await Promise.all([...folders].sort().map(licence));
  return `tsdeploy contains these packages.\n\n${texts.join("\n")}`;
}

async function licence(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(root, folder, "package.json"), "utf8"));
  const files = (await readdir(join(root, folder))).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(root, folder, file), "utf8")));
  return [`${"=".repeat(80)}`, `${name} ${version} (${license})`, "", ...texts.map((text) => `${text.trim()}\n`)].join("\n");
}
