#!/usr/bin/env node
/*
 * `npm run bench`: how fast tsdeploy is, as ratios within one run. One table; medians of several runs, taken in turn,
 * so that whatever else the machine does meets both sides of a ratio.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import semver from "semver";
import { featuresOf, resolveVersion } from "../../dist/kubernetes/versions.js";

const usage = `usage: npm run bench -- [--runs N (5)] [--workers 1,2,4,8] [--k8s-version V (v1.20.2)] [--binaries DIR] [--base IMAGE]

Without --binaries the image is tsdeploy/hyperkube:V of this machine's Docker, which is built for v1.20.2. With it
\`tsdeploy image build\` makes one of the programs in DIR, and of --base for what DIR lacks (this machine's own small
Debian); many workers at once are then measured only if --workers is given. Uses the test machines 1, 2 and, for
--workers, up to one more than the highest number; what runs Kubernetes on them must be gone.`;

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    workers: { type: "string" },
    "k8s-version": { type: "string", default: "v1.20.2" },
    binaries: { type: "string" },
    base: { type: "string", default: "tsdeploy/base:test" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log(usage);
  process.exit(0);
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const cli = join(root, "dist/cli.js");
const script = (name) => join(root, "scripts/dev", name);
const run = promisify(execFile);
const version = resolveVersion(options["k8s-version"]);
const features = featuresOf(version);
const image = options.binaries ? `tsdeploy/hyperkube-bench:${version}` : `tsdeploy/hyperkube:${version}`;
const runs = Number(options.runs);
const crowds = (options.workers ?? (options.binaries ? "" : "1,2,4,8")).split(",").filter(Boolean).map(Number);
/** The bare limit is v1.20's and newer ones'; what went before has upstream's own start to be measured against. */
const hasBare = semver.gte(version, "1.20.0");
const home = await mkdtemp(join(tmpdir(), "tsdeploy-bench-"));

const machinesFolder = process.env.TSDEPLOY_MACHINES_DIR ?? "/run/tsdeploy-machines";
const hostDocker = "unix:///var/run/docker.sock";
const environment = (endpoint) => ({
  ...process.env,
  HOME: home,
  XDG_STATE_HOME: home,
  KUBECONFIG: join(home, "config"),
  DOCKER_HOST: endpoint,
  TSDEPLOY_IMAGE: image,
});
const onMachine = (n) => environment(`unix://${machinesFolder}/${n}/docker.sock`);

/** Runs the CLI on machine n; its JSON document and the wall time, from spawn to exit, in ms. */
async function tsdeploy(n, ...args) {
  const began = performance.now();
  const argv = [cli, ...args, "--output", "json"];
  const { stdout } = await run(process.execPath, argv, { env: onMachine(n), maxBuffer: 1 << 26 });
  return { ...JSON.parse(stdout), wallMs: performance.now() - began };
}

const master = (...args) => tsdeploy(1, "master", "--k8s-version", version, ...args);

async function bare(n, ...args) {
  const { stdout } = await run(script("bare"), args, { env: onMachine(n) });
  return stdout.trim() === "" ? {} : JSON.parse(stdout);
}

async function wall(...argv) {
  const began = performance.now();
  await run(process.execPath, argv, { env: onMachine(1) });
  return performance.now() - began;
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const series = new Map();
const note = (name, ...ms) => series.set(name, [...(series.get(name) ?? []), ...ms]);
/**
 * v1.20's CIDR allocator waits 10 s before its first look at nodes. Workers are timed on a master that is past it, both
 * sides alike.
 */
const settled = () => new Promise((resolve) => setTimeout(resolve, 12_000));
const teardown = (n) => tsdeploy(n, "teardown", "--purge", "--yes", "--force");

async function inherit(argv, env = process.env) {
  await new Promise((resolve, reject) => {
    spawn(argv[0], argv.slice(1), { stdio: ["ignore", 2, 2], env }).on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${argv.join(" ")} ended with ${code}`));
    });
  });
}

await inherit([script("docker")]);
if (options.binaries) {
  if (options.base === "tsdeploy/base:test") await inherit([script("image"), "base"]);
  const what = ["--k8s-version", version, "--binaries", options.binaries, "--base", options.base, "--tag", image];
  await inherit([process.execPath, cli, "image", "build", ...what], environment(hostDocker));
} else if (version === "v1.20.2") {
  await inherit([script("image")]);
}
const numbers = Array.from({ length: Math.max(2, 1 + Math.max(0, ...crowds)) }, (_, i) => String(i + 1));
const ipc = features.sandboxIpc === "daemon" ? "shareable" : "private";
await inherit([script("machines"), "up", "--only", numbers.join(), "--ipc", ipc]);
await inherit([script("machines"), "load", image, ...numbers]);

try {
  note("rendering a whole plan", ...(await renderTimes()));
  for (let i = 0; i < runs; i++) {
    note("node -e 0", await wall("-e", "0"));
    note("tsdeploy --help", await wall(cli, "--help"));

    if (hasBare) {
      const limit = await bare(1, "up");
      note("bare: API answers", limit.apiAnswersMs);
      note("bare: node Ready", limit.nodeReadyMs);
      await settled();
      note("bare: worker Ready", (await bare(2, "join")).nodeReadyMs);
      await bare(2, "down");
      await bare(1, "down");
    }

    note("tsdeploy master --dry-run", (await master("--dry-run", "--image", image)).wallMs);
    const { address, apiAnswersMs, nodeReadyMs, wallMs } = await master("--image", image);
    note("tsdeploy master: API answers", apiAnswersMs);
    note("tsdeploy master: node Ready", nodeReadyMs);
    note("tsdeploy master: whole command", wallMs);

    await settled();
    note("tsdeploy worker: node Ready", (await tsdeploy(2, "worker", "--master", address)).nodeReadyMs);
    note("tsdeploy teardown, worker", (await tsdeploy(2, "teardown")).wallMs);
    await teardown(2);
    note("tsdeploy teardown, master", (await tsdeploy(1, "teardown")).wallMs);
    await teardown(1);
    process.stderr.write(`bench: run ${i + 1} of ${runs}\n`);
  }

  for (const crowd of crowds) {
    const { address } = await master("--image", image);
    await settled();
    const machines = Array.from({ length: crowd }, (_, i) => i + 2);
    const began = performance.now();
    await Promise.all(machines.map((n) => tsdeploy(n, "worker", "--master", address)));
    note(`${crowd} workers at once: all Ready`, performance.now() - began);
    await Promise.all(machines.map(teardown));
    await teardown(1);
    process.stderr.write(`bench: ${crowd} workers at once\n`);
  }
} finally {
  await rm(home, { recursive: true, force: true });
}

/** One plan of each supported minor version, in one process, in ms. */
async function renderTimes() {
  const report = join(home, "render.json");
  const argv = ["bench", "--run", "--project", "unit", "test/plan/planMaster.bench.ts", `--outputJson=${report}`];
  await run(join(root, "node_modules/.bin/vitest"), argv, { cwd: root });
  const { files } = JSON.parse(await readFile(report, "utf8"));
  return files.flatMap(({ groups }) => groups.flatMap(({ benchmarks }) => benchmarks.map(({ mean }) => mean)));
}

const at = (name) => median(series.get(name));
const against = {
  "tsdeploy --help": ["node -e 0", 2.5],
  "tsdeploy master: API answers": ["bare: API answers", 1.25],
  "tsdeploy master: node Ready": ["bare: node Ready", features.runtime === "cri-dockerd" ? 1.2 : 1.5],
  "tsdeploy worker: node Ready": ["bare: worker Ready", 1.5],
};
const limits = {
  "rendering a whole plan": 20,
  "tsdeploy master --dry-run": 500,
  // What upstream's own manifests need for v1.3.0 on 2 cores.
  ...(hasBare ? {} : { "tsdeploy master: node Ready": 13_700 }),
  "tsdeploy teardown, worker": 5000,
  "tsdeploy teardown, master": 5000,
};
const rows = [["what", "median ms", "least", "most", "ratio", "target", ""]];
for (const [name, values] of series) {
  const [base, most] = hasBare || name === "tsdeploy --help" ? (against[name] ?? []) : [];
  const limit = limits[name];
  const ratio = base ? at(name) / at(base) : undefined;
  const digits = (ms) => ms.toFixed(ms < 100 ? 1 : 0);
  const met = base ? ratio <= most : limit ? at(name) <= limit : undefined;
  rows.push([
    name,
    digits(median(values)),
    digits(Math.min(...values)),
    digits(Math.max(...values)),
    base ? `${ratio.toFixed(2)} x ${base}` : limit ? (at(name) / limit).toFixed(2) : "",
    base ? `<= ${most}` : limit ? `<= ${limit} ms` : "",
    met === undefined ? "" : met ? "met" : "MISSED",
  ]);
}
console.log(`Kubernetes ${version}, ${runs} runs`);
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
