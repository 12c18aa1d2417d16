#!/usr/bin/env node
/**
 * The second half of `npm run build`: one file of everything, with all npm packages in it, V8's code cache of it, and
 * dist/cli.js, which runs it. That a thousand files need not be found, read and compiled is what makes the CLI start
 * fast.
 */
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const dist = join(root, "dist");

/**
 * What packages load and tsdeploy does not use. Of dockerode what cannot be bundled: SSH (`ssh2` has native code;
 * tsdeploy runs the system's ssh) and BuildKit (its .proto files are read from beside the module). Of commander
 * subcommands that are programs of their own: to load what starts them takes longer than to print the help.
 */
const unused = {
  name: "unused",
  setup({ onResolve, onLoad }) {
    const isUnused = { namespace: "unused" };
    onResolve({ filter: /^(ssh2|@grpc\/(grpc-js|proto-loader)|protobufjs)$/ }, ({ path }) => ({ path, ...isUnused }));
    onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
      importer.includes("/node_modules/commander/") ? { path, ...isUnused } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** A quarter of all the code, and only downloads need it: a file of its own, which they load. */
const apart = "undici";
const loadedApart = {
  name: "loaded apart",
  setup({ onResolve }) {
    // As src/runBundle.ts, whose require() the bundle has, finds it.
    onResolve({ filter: new RegExp(`^${apart}$`) }, () => ({ path: `./bundle/${apart}.js`, external: true }));
  },
};

const common = {
  absWorkingDir: root,
  format: "cjs",
  platform: "node",
  target: "node20",
  // import() of a part of the bundle runs that part; of a module of Node.js it is require().
  supported: { "dynamic-import": false },
  legalComments: "none",
  logLevel: "warning",
};

await rm(dist, { recursive: true, force: true });
const bundles = await Promise.all([
  build({
    ...common,
    entryPoints: ["src/main.ts"],
    bundle: true,
    // src/model/packageRoot.ts counts on that folder.
    outfile: "dist/bundle/main.js",
    // Of a package that has both, ES modules: what nobody imports is then left out.
    mainFields: ["module", "main"],
    // Names stay: they are in the stack of a bug.
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: true,
    sourcesContent: false,
    // What src/runBundle.ts calls.
    banner: { js: "(function (require, module, bundleUrl) {" },
    footer: { js: "})" },
    define: { "import.meta.url": "bundleUrl" },
    plugins: [unused, loadedApart],
    metafile: true,
  }),
  build({
    ...common,
    stdin: { contents: `export * from "${apart}";`, resolveDir: root },
    bundle: true,
    outfile: `dist/bundle/${apart}.js`,
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
  }),
  build({ ...common, entryPoints: ["src/cli.ts", "src/runBundle.ts"], outdir: "dist" }),
]);
await writeFile(join(dist, "package.json"), '{ "type": "commonjs" }\n');
await writeFile(join(dist, "LICENSES.txt"), await licences(bundles.flatMap(({ metafile }) => Object.keys(metafile?.inputs ?? {}))));
await chmod(join(dist, "cli.js"), 0o755);
await makeCodeCache();

/**
 * A code cache holds the functions that have run when it is made, so commands are run for it; each adds what it alone
 * calls. The Docker that they see knows no images and no containers.
 */
async function makeCodeCache() {
  const folder = await mkdtemp(join(tmpdir(), "tsdeploy-build-"));
  const socket = join(folder, "docker.sock");
  const server = createServer(answerAsDocker);
  try {
    await new Promise((resolve, reject) => server.on("error", reject).listen(socket, resolve));
    const env = { PATH: process.env.PATH, HOME: folder, DOCKER_HOST: `unix://${socket}` };
    const cluster = join(folder, "cluster.yaml");
    await writeFile(cluster, `hosts:\n- { dockerHost: "unix://${socket}", role: master }\n`);
    const commands = [
      ...["--help", "versions", "teardown --dry-run", "master --dry-run"],
      `config print --file ${cluster}`,
    ];
    for (const command of commands) {
      const argv = [join(root, "scripts/dev/makeCodeCache.mjs"), ...command.split(" ")];
      await promisify(execFile)(process.execPath, argv, { env });
    }
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}

function answerAsDocker({ url }, response) {
  const path = url.replace(/^\/v[\d.]+/, "").replace(/\?.*/, "");
  const version = { ApiVersion: "1.41", MinAPIVersion: "1.12", Version: "20.10.24", Os: "linux", Arch: "amd64" };
  const info = {
    ...{ ID: "build", Name: "build", OSType: "linux", Architecture: "x86_64", ServerVersion: version.Version },
    ...{ Driver: "overlay2", CgroupDriver: "systemd", CgroupVersion: "2", DockerRootDir: "/var/lib/docker" },
    ...{ LoggingDriver: "json-file", SecurityOptions: [], NCPU: 2, MemTotal: 2 ** 33 },
  };
  const answers = { "/version": version, "/info": info, "/containers/json": [], "/images/json": [] };
  const answer = answers[path];
  response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
  response.end(JSON.stringify(answer ?? { message: "nothing of that name is here" }));
}

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
