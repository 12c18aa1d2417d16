#!/usr/bin/env node
/*
 * `npm run bench`: how fast tsdeploy is, as ratios within one run. One table; medians of several runs, taken in turn,
 * so that whatever else the machine does meets both sides of a ratio.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import semver from "semver";

const usage = `usage: npm run bench -- [--runs N (5)] [--machines N,N,...] [--workers 1,2,4,8] [--k8s-version V (v1.20.2)]
                        [--binaries DIR] [--base IMAGE]

Uses two test machines, 1 and 2 unless --machines names others, and for --workers one more than its highest number: so
many workers join at once. That is measured by default unless --machines or --binaries is given. What an earlier run
left on a machine is removed first; another cluster there is refused.

Without --binaries the image is tsdeploy/hyperkube:V of this machine's Docker, which is built for v1.20.2. With it
\`tsdeploy image build\` makes one of the programs in DIR, and of --base for what DIR lacks (this machine's own small
Debian).`;

const root = fileURLToPath(new URL("../../", import.meta.url));
const cli = join(root, "dist/cli.js");
const script = (name) => join(root, "scripts/dev", name);
const machinesFolder = process.env.TSDEPLOY_MACHINES_DIR ?? "/run/tsdeploy-machines";
/** By its name what a killed run left is known as the bench's. */
const clusterName = "bench";
/** Quick commands are measured several times in each run: they are a small part of it and vary most. */
const quickRuns = 5;

/** What a person may meet: it is shown without a stack. */
class BenchError extends Error {
  constructor(message, { lines = [], next = "Run it again: it removes first what this run left." } = {}) {
    super([message, ...lines.map((line) => `  ${line}`), `  → ${next}`].join("\n"));
  }
}

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"]) {
  process.on(name, () => {
    if (interrupted.signal.aborted) process.exit(130);
    process.stderr.write(`bench: ${name}: cleaning up; once more to leave it at once\n`);
    interrupted.abort();
  });
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof BenchError ? error.message : error.stack}\n`);
  process.exitCode = interrupted.signal.aborted ? 130 : 1;
}

async function main() {
  const options = readOptions();
  if (options === undefined) {
    console.log(usage);
    return;
  }
  const home = await mkdtemp(join(tmpdir(), "tsdeploy-bench-"));
  try {
    const bench = await prepare(options, home);
    const series = new Map();
    const note = (name, ms) => series.set(name, [...(series.get(name) ?? []), ms]);
    try {
      await Promise.all(bench.machines.map((n) => bench.cleanUp(n)));
      await measure(bench, options, note);
    } finally {
      const left = await Promise.allSettled(bench.machines.map((n) => bench.cleanUp(n, { always: true })));
      for (const { reason } of left) if (reason) process.stderr.write(`bench: ${reason.message}\n`);
    }
    printTable(series, bench, options);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function readOptions() {
  const number = { type: "string" };
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        runs: { ...number, default: "5" },
        machines: number,
        workers: number,
        "k8s-version": { type: "string", default: "v1.20.2" },
        binaries: { type: "string" },
        base: { type: "string", default: "tsdeploy/base:test" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new BenchError(error.message, { next: "npm run bench -- --help" });
  }
  if (values.help) return undefined;
  const numbers = (key) => {
    const list = (values[key] ?? "").split(",").filter(Boolean).map(Number);
    if (list.every((n) => Number.isInteger(n) && n > 0)) return list;
    throw new BenchError(`--${key} takes numbers from 1 on, not ${values[key]}`, { next: "npm run bench -- --help" });
  };
  const [runs = 1] = numbers("runs");
  if (values.machines === undefined && values.binaries === undefined) values.workers ??= "1,2,4,8";
  const crowds = numbers("workers");
  const needed = 1 + Math.max(1, ...crowds);
  const first = Array.from({ length: needed }, (_, i) => i + 1);
  const machines = values.machines === undefined ? first : numbers("machines");
  if (machines.length < needed) {
    const next = `Name ${needed} of them: --machines ${first.join()}`;
    throw new BenchError(`${needed} machines are needed, not ${machines.length}`, { next });
  }
  return { ...values, version: values["k8s-version"], runs, machines, crowds };
}

/** Machines with the image, and how to run commands on them. */
async function prepare(options, home) {
  const { features, version } = await knownVersion(options.version, home);
  const image = options.binaries ? `tsdeploy/hyperkube-bench:${version}` : `tsdeploy/hyperkube:${version}`;
  const environment = (endpoint) => ({
    ...process.env,
    HOME: home,
    XDG_STATE_HOME: home,
    KUBECONFIG: join(home, "config"),
    DOCKER_HOST: endpoint,
    TSDEPLOY_IMAGE: image,
    // The bare limit has none either, and the image need not have CoreDNS.
    TSDEPLOY_DNS: process.env.TSDEPLOY_DNS ?? "false",
    TSDEPLOY_NETWORK: process.env.TSDEPLOY_NETWORK ?? "bridge",
    // Else the master of `bare` would be looked for in the new home.
    TSDEPLOY_CACHE: process.env.TSDEPLOY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME, ".cache"), "tsdeploy"),
  });

  if (!existsSync(cli)) throw new BenchError("there is no dist/cli.js", { next: "npm run build" });
  await execute([script("docker")], { shows: true });
  if (options.binaries) {
    if (options.base === "tsdeploy/base:test") await execute([script("image"), "base"], { shows: true });
    const what = ["--k8s-version", version, "--binaries", options.binaries, "--base", options.base, "--tag", image];
    const env = environment("unix:///var/run/docker.sock");
    await execute([process.execPath, cli, "image", "build", ...what], { env, shows: true });
  } else if (version === "v1.20.2") {
    await execute([script("image")], { shows: true });
  }
  const machines = options.machines.map(String);
  const ipc = features.sandboxIpc === "daemon" ? "shareable" : "private";
  await execute([script("machines"), "up", "--only", machines.join(), "--ipc", ipc], { shows: true });
  await execute([script("machines"), "load", image, ...machines], {
    shows: true,
    next: `Name the programs to build the image ${image} from: --binaries DIR`,
  });

  const env = (n) => environment(`unix://${machinesFolder}/${n}/docker.sock`);
  const docker = async (n, ...argv) => {
    const { stdout } = await execute(["docker", ...argv], { env: env(n), on: n });
    return stdout.split("\n").filter(Boolean);
  };
  const tsdeploy = async (n, ...args) => {
    const run = await execute([process.execPath, cli, ...args, "--output", "json"], { env: env(n), on: n });
    return { ...JSON.parse(run.stdout), wallMs: run.wallMs };
  };
  return {
    machines,
    version,
    features,
    /** The bare limit is v1.20's and newer ones'; what went before has upstream's own start to be measured against. */
    hasBare: semver.gte(version, "1.20.0"),
    docker,
    tsdeploy,
    master: (...args) =>
      tsdeploy(machines[0], "master", "--k8s-version", version, "--cluster-name", clusterName, "--image", image, ...args),
    bare: async (n, ...args) => {
      const { stdout } = await execute([script("bare"), ...args], { env: env(n), on: n });
      return stdout.trim() === "" ? {} : JSON.parse(stdout);
    },
    wallMs: async (...argv) => (await execute([process.execPath, ...argv], { env: env(machines[0]) })).wallMs,
    /** Removes both sides from a machine, whatever is there of them; `always`: even when interrupted. */
    cleanUp: async (n, { always = false } = {}) => {
      const run = (argv) => execute(argv, { env: env(n), on: n, always });
      const owners = await run(["docker", "ps", "-a", "--format", '{{.Label "io.tsdeploy.cluster"}}']);
      const other = owners.stdout.split("\n").find((name) => name !== "" && name !== clusterName);
      if (other !== undefined) {
        const next = "Run `tsdeploy teardown` there if nobody needs it, or name other machines by --machines.";
        throw new BenchError(`machine ${n} is a node of the cluster ${other}`, { next });
      }
      if ((await run(["docker", "ps", "-aq", "--filter", "name=^bare_"])).stdout !== "") await run([script("bare"), "down"]);
      await run([process.execPath, cli, "teardown", "--purge", "--yes", "--force"]);
    },
  };
}

/** What tsdeploy's own table says of a version; the bundle does not export it. */
async function knownVersion(text, home) {
  const outfile = join(home, "versions.mjs");
  const entryPoints = [join(root, "src/kubernetes/versions.ts")];
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", logLevel: "silent" });
  const { featuresOf, resolveVersion } = await import(outfile);
  try {
    const version = resolveVersion(text);
    return { version, features: featuresOf(version) };
  } catch (error) {
    throw new BenchError(error.message, { next: "node dist/cli.js versions" });
  }
}

/**
 * Runs a command to its end, and ends it early when the bench is interrupted.
 *
 * @returns what it wrote to stdout, and the time from spawn to exit
 */
async function execute(argv, { env = process.env, on, shows = false, always = false, next } = {}) {
  if (!always && interrupted.signal.aborted) throw new BenchError("interrupted");
  const began = performance.now();
  const child = spawn(argv[0], argv.slice(1), { env, stdio: ["ignore", shows ? 2 : "pipe", shows ? 2 : "pipe"] });
  const stop = () => child.kill();
  if (!always) interrupted.signal.addEventListener("abort", stop);
  const exited = new Promise((resolve) => {
    child.on("error", resolve);
    child.on("exit", (code, signal) => resolve(code ?? signal));
  });
  const [status, stdout, stderr] = await Promise.all([
    exited.then((value) => ({ value, wallMs: performance.now() - began })),
    child.stdout ? text(child.stdout) : "",
    child.stderr ? text(child.stderr) : "",
  ]);
  interrupted.signal.removeEventListener("abort", stop);
  if (!always && interrupted.signal.aborted) throw new BenchError("interrupted");
  if (status.value !== 0) {
    const what = argv.filter((word) => word !== process.execPath).map((word) => word.replace(root, "")).join(" ");
    const lines = shows ? [] : [...stderr.trimEnd().split("\n"), ...stdout.trimEnd().split("\n")].filter(Boolean).slice(-15);
    const where = on === undefined ? "" : ` on machine ${on}`;
    const how = status.value instanceof Error ? `cannot run: ${status.value.message}` : `ended with ${status.value}`;
    throw new BenchError(`${what}${where} ${how}`, { lines, ...(next && { next }) });
  }
  return { stdout, wallMs: status.wallMs };
}

async function measure(bench, { runs, crowds }, note) {
  for (const ms of await renderTimes()) note("rendering a whole plan", ms);
  for (let i = 0; i < runs; i++) {
    await measureQuickCommands(bench, note);
    if (bench.hasBare) await measureBare(bench, note);
    await measureNodes(bench, note);
    await measureDocker(bench, note);
    process.stderr.write(`bench: run ${i + 1} of ${runs}\n`);
  }
  for (const crowd of crowds) await measureCrowd(bench, crowd, note);
}

async function measureQuickCommands({ wallMs, master }, note) {
  for (let i = 0; i < quickRuns; i++) {
    note("node -e 0", await wallMs("-e", "0"));
    note("tsdeploy --help", await wallMs(cli, "--help"));
    note("tsdeploy master --dry-run", (await master("--dry-run")).wallMs);
  }
}

async function measureBare({ bare, machines: [first, second] }, note) {
  const limit = await bare(first, "up");
  note("bare: API answers", limit.apiAnswersMs);
  note("bare: node Ready", limit.nodeReadyMs);
  await settled();
  note("bare: worker Ready", (await bare(second, "join")).nodeReadyMs);
  await bare(second, "down");
  await bare(first, "down");
}

async function measureNodes({ master, tsdeploy, cleanUp, machines: [first, second] }, note) {
  const { address, apiAnswersMs, nodeReadyMs, wallMs } = await master();
  note("tsdeploy master: API answers", apiAnswersMs);
  note("tsdeploy master: node Ready", nodeReadyMs);
  note("tsdeploy master: whole command", wallMs);
  await settled();
  note("tsdeploy worker: node Ready", (await tsdeploy(second, "worker", "--master", address)).nodeReadyMs);
  note("tsdeploy teardown, worker", (await tsdeploy(second, "teardown")).wallMs);
  await cleanUp(second);
  note("tsdeploy teardown, master", (await tsdeploy(first, "teardown")).wallMs);
  await cleanUp(first);
}

/** The same nodes again, of which Docker alone removes the containers. */
async function measureDocker({ master, tsdeploy, docker, cleanUp, machines: [first, second] }, note) {
  const { address } = await master();
  await settled();
  await tsdeploy(second, "worker", "--master", address);
  note("docker stop and rm, worker", await dockerRemovalMs((...argv) => docker(second, ...argv)));
  await cleanUp(second);
  note("docker stop and rm, master", await dockerRemovalMs((...argv) => docker(first, ...argv)));
  await cleanUp(first);
}

/** Stops in the order of a teardown, with its grace periods, and removes all. */
async function dockerRemovalMs(docker) {
  const ids = (...filters) => docker("ps", "-aq", ...filters.flatMap((filter) => ["--filter", filter]));
  const [kubelet, pods, etcd, others] = await Promise.all([
    ids("label=io.tsdeploy.component=kubelet"),
    ids("label=io.kubernetes.docker.type=container", "status=running"),
    ids("label=io.tsdeploy.component=etcd"),
    ids("label=io.tsdeploy.component"),
  ]);
  const began = performance.now();
  await docker("stop", "-t", "10", ...kubelet);
  if (pods.length > 0) await docker("stop", "-t", "2", ...pods);
  if (etcd.length > 0) await docker("stop", "-t", "10", ...etcd);
  const all = await ids("label=io.kubernetes.pod.uid");
  await docker("rm", "-fv", ...new Set([...all, ...others]));
  return performance.now() - began;
}

async function measureCrowd({ master, tsdeploy, cleanUp, machines: [first, ...rest] }, crowd, note) {
  const { address } = await master();
  await settled();
  const workers = rest.slice(0, crowd);
  const began = performance.now();
  await Promise.all(workers.map((n) => tsdeploy(n, "worker", "--master", address)));
  note(`${crowd} workers at once: all Ready`, performance.now() - began);
  await Promise.all(workers.map((n) => cleanUp(n)));
  await cleanUp(first);
  process.stderr.write(`bench: ${crowd} workers at once\n`);
}

/**
 * v1.20's CIDR allocator waits 10 s before its first look at nodes. Workers are timed on a master that is past it, both
 * sides alike.
 */
function settled() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 12_000);
    interrupted.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** One plan of each supported minor version, in one process, in ms. */
async function renderTimes() {
  const folder = await mkdtemp(join(tmpdir(), "tsdeploy-render-"));
  try {
    const report = join(folder, "render.json");
    const vitest = join(root, "node_modules/.bin/vitest");
    const bench = ["bench", "--run", "--project", "unit", "--root", root, "test/plan/planMaster.bench.ts"];
    await execute([vitest, ...bench, `--outputJson=${report}`]);
    const { files } = JSON.parse(await readFile(report, "utf8"));
    return files.flatMap(({ groups }) => groups.flatMap(({ benchmarks }) => benchmarks.map(({ mean }) => mean)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** What each row is measured against, and how much it may be: `times` that row, or `ms` more than it, or `ms` alone. */
function targets({ hasBare }) {
  return {
    "rendering a whole plan": { ms: 20 },
    "tsdeploy --help": { against: "node -e 0", times: 1.4 },
    "tsdeploy master --dry-run": { against: "node -e 0", times: 8 },
    "tsdeploy master: API answers": hasBare ? { against: "bare: API answers", times: 1.1 } : undefined,
    "tsdeploy master: node Ready": hasBare
      ? { against: "bare: node Ready", times: 1.1 }
      : // What upstream's own manifests need for v1.3.0 on 2 cores.
        { ms: 13_700 },
    "tsdeploy worker: node Ready": hasBare ? { against: "bare: worker Ready", times: 1.2 } : undefined,
    "tsdeploy teardown, worker": { against: "docker stop and rm, worker", ms: 1000 },
    "tsdeploy teardown, master": { against: "docker stop and rm, master", ms: 1000 },
  };
}

function printTable(series, bench, { runs }) {
  const median = (name) => {
    const sorted = [...series.get(name)].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  };
  const digits = (ms) => ms.toFixed(Math.abs(ms) < 100 ? 1 : 0);
  const all = targets(bench);
  const rows = [["what", "median ms", "least", "most", "measured", "target", ""]];
  for (const [name, values] of series) {
    const at = median(name);
    const row = [name, digits(at), digits(Math.min(...values)), digits(Math.max(...values))];
    const { against, times, ms } = all[name] ?? {};
    if (times !== undefined) {
      const ratio = at / median(against);
      row.push(`${ratio.toFixed(2)} x ${against}`, `<= ${times} x`, ratio <= times ? "met" : "MISSED");
    } else if (against !== undefined) {
      const more = at - median(against);
      row.push(`${digits(more)} ms more than ${against}`, `<= ${ms} ms`, more <= ms ? "met" : "MISSED");
    } else if (ms !== undefined) {
      row.push("", `<= ${ms} ms`, at <= ms ? "met" : "MISSED");
    }
    rows.push(row);
  }
  console.log(`Kubernetes ${bench.version}, ${runs} ${runs === 1 ? "run" : "runs"}`);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  for (const row of rows) console.log(row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
}
