#!/usr/bin/env node
/*
 * `npm run bench`: how fast tsdeploy is, as ratios within one run. One table; medians of several runs, taken in turn,
 * so that whatever else the machine does meets both sides of a ratio.
 */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    workers: { type: "string", default: "1,2,4,8" },
    help: { type: "boolean", default: false },
  },
});
if (options.help) {
  console.log("usage: npm run bench -- [--runs N (5)] [--workers 1,2,4,8]");
  process.exit(0);
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const cli = join(root, "dist/cli.js");
const script = (name) => join(root, "scripts/dev", name);
const run = promisify(execFile);
const runs = Number(options.runs);
const crowds = options.workers.split(",").filter(Boolean).map(Number);
const home = await mkdtemp(join(tmpdir(), "tsdeploy-bench-"));

const machinesFolder = process.env.TSDEPLOY_MACHINES_DIR ?? "/run/tsdeploy-machines";
const endpoint = (n) => ({ DOCKER_HOST: `unix://${machinesFolder}/${n}/docker.sock` });
const environment = (n) => ({
  ...process.env,
  HOME: home,
  XDG_STATE_HOME: home,
  KUBECONFIG: join(home, "config"),
  ...endpoint(n),
});

/** Runs the CLI on machine n; its JSON document and the wall time, from spawn to exit, in ms. */
async function tsdeploy(n, ...args) {
  const began = performance.now();
  const argv = [cli, ...args, "--output", "json"];
  const { stdout } = await run(process.execPath, argv, { env: environment(n), maxBuffer: 1 << 26 });
  return { ...JSON.parse(stdout), wallMs: performance.now() - began };
}

async function bare(n, ...args) {
  const { stdout } = await run(script("bare"), args, { env: environment(n) });
  return stdout.trim() === "" ? {} : JSON.parse(stdout);
}

async function wall(...argv) {
  const began = performance.now();
  await run(process.execPath, argv, { env: environment(1) });
  return performance.now() - began;
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const series = new Map();
const note = (name, ms) => series.set(name, [...(series.get(name) ?? []), ms]);
/**
 * v1.20's CIDR allocator waits 10 s before its first look at nodes. Workers are timed on a master that is past it, both
 * sides alike.
 */
const settled = () => new Promise((resolve) => setTimeout(resolve, 12_000));
const teardown = (n) => tsdeploy(n, "teardown", "--purge", "--yes", "--force");

async function inherit(...argv) {
  await new Promise((resolve, reject) => {
    spawn(argv[0], argv.slice(1), { stdio: ["ignore", 2, 2] }).on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${argv.join(" ")} ended with ${code}`));
    });
  });
}

await inherit(script("docker"));
await inherit(script("image"));
await inherit(script("machines"), "up", String(Math.max(2, 1 + Math.max(0, ...crowds))));
await inherit(script("machines"), "load", "tsdeploy/hyperkube:v1.20.2");

try {
  for (let i = 0; i < runs; i++) {
    note("node -e 0", await wall("-e", "0"));
    note("tsdeploy --help", await wall(cli, "--help"));

    const limit = await bare(1, "up");
    note("bare: API answers", limit.apiAnswersMs);
    note("bare: node Ready", limit.nodeReadyMs);
    await settled();
    note("bare: worker Ready", (await bare(2, "join")).nodeReadyMs);
    await bare(2, "down");
    await bare(1, "down");

    note("tsdeploy master --dry-run", (await tsdeploy(1, "master", "--dry-run")).wallMs);
    const master = await tsdeploy(1, "master");
    note("tsdeploy master: API answers", master.apiAnswersMs);
    note("tsdeploy master: node Ready", master.nodeReadyMs);
    note("tsdeploy master: whole command", master.wallMs);

    await settled();
    note("tsdeploy worker: node Ready", (await tsdeploy(2, "worker", "--master", master.address)).nodeReadyMs);
    note("tsdeploy teardown, worker", (await tsdeploy(2, "teardown")).wallMs);
    await teardown(2);
    note("tsdeploy teardown, master", (await tsdeploy(1, "teardown")).wallMs);
    await teardown(1);
    process.stderr.write(`bench: run ${i + 1} of ${runs}\n`);
  }

  for (const crowd of crowds) {
    const { address } = await tsdeploy(1, "master");
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

const at = (name) => median(series.get(name));
const against = {
  "tsdeploy --help": ["node -e 0", 2.5],
  "tsdeploy master: API answers": ["bare: API answers", 1.25],
  "tsdeploy master: node Ready": ["bare: node Ready", 1.5],
  "tsdeploy worker: node Ready": ["bare: worker Ready", 1.5],
};
const limits = {
  "tsdeploy master --dry-run": 500,
  "tsdeploy teardown, worker": 5000,
  "tsdeploy teardown, master": 5000,
};
const rows = [["what", "median ms", "least", "most", "ratio", "target"]];
for (const [name, values] of series) {
  const [base, most] = against[name] ?? [];
  rows.push([
    name,
    Math.round(median(values)),
    Math.round(Math.min(...values)),
    Math.round(Math.max(...values)),
    base ? `${(at(name) / at(base)).toFixed(2)} x ${base}` : "",
    base ? `<= ${most}` : limits[name] ? `<= ${limits[name]} ms` : "",
  ].map(String));
}
const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
