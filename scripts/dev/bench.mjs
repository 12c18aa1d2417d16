#!/usr/bin/env node
/*
 * `npm run bench`: how fast tsdeploy is, as ratios within one run. One table; medians of several runs, taken in turn,
 * so that whatever else the machine does meets both sides of a ratio. What is measured is in bench/parts.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { BenchError, interrupted, listenForSignals } from "./bench/execute.mjs";
import { application } from "./bench/parts/application.mjs";
import { commands } from "./bench/parts/commands.mjs";
import { crowds, usualCrowds } from "./bench/parts/crowds.mjs";
import { failover } from "./bench/parts/failover.mjs";
import { joining } from "./bench/parts/joining.mjs";
import { many } from "./bench/parts/many.mjs";
import { network } from "./bench/parts/network.mjs";
import { nodes } from "./bench/parts/nodes.mjs";
import { pods } from "./bench/parts/pods.mjs";
import { readiness } from "./bench/parts/readiness.mjs";
import { Series, table } from "./bench/series.mjs";
import { prepareTestbed } from "./bench/testbed.mjs";

/**
 * A part has a name, what it is about, how many machines and runs it takes, what it needs (programs of the image, or
 * the bare side), targets for its rows, and `before`, once, and `run`, each time; both note what they measure.
 */
const parts = [commands, nodes, many, readiness, application, joining, network, pods, failover, crowds];

/** Their figures need nothing but tsdeploy's and Kubernetes' own pods. */
const withoutPods = [commands, nodes, many, readiness, failover, crowds];

const usage = `usage: npm run bench -- [PART...] [--runs N] [--machines N,N,...] [--workers N,N,...]
                        [--k8s-version V (v1.20.2)] [--binaries DIR] [--base IMAGE]

Parts, all unless said, and how many runs each takes unless --runs says:
${parts.map(({ name, about, runs }) => `  ${name.padEnd(12)} ${runs}  ${about}`).join("\n")}

Uses test machines from 1 on, as many as the parts need, unless --machines names others. What an earlier run left on a
machine is removed first; another cluster there is refused.

Without --binaries the image is tsdeploy/hyperkube:V of this machine's Docker, which is built for v1.20.2, with flannel
and CoreDNS if TSDEPLOY_TEST_BINARIES names their folder. With it \`tsdeploy image build\` makes one of the programs in
DIR, and of --base for what DIR lacks (this machine's own small Debian). Parts that need what is not there, or more
machines than --machines names, are named as not run.`;

listenForSignals();
try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof BenchError ? error.message : error.stack}\n`);
  process.exitCode = interrupted.aborted ? 130 : 1;
}

async function main() {
  const options = readOptions();
  if (options === undefined) {
    console.log(usage);
    return;
  }
  const home = await mkdtemp(join(tmpdir(), "tsdeploy-bench-"));
  try {
    const testbed = await prepareTestbed(options, home);
    const series = new Series();
    const notRun = [];
    try {
      await Promise.all(testbed.machines.map((n) => testbed.cleanUp(n)));
      for (const part of options.parts) await measure(part, testbed, options, { series, notRun });
    } finally {
      const left = await Promise.allSettled(testbed.machines.map((n) => testbed.cleanUp(n, { always: true })));
      for (const { reason } of left) if (reason) process.stderr.write(`bench: ${reason.message}\n`);
      // What was measured before a failure or Ctrl-C is worth having.
      print(series, notRun, testbed, options);
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function readOptions() {
  const next = "npm run bench -- --help";
  const text = { type: "string" };
  let values, positionals;
  try {
    ({ values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        runs: text,
        machines: text,
        workers: text,
        "k8s-version": { ...text, default: "v1.20.2" },
        binaries: text,
        base: { ...text, default: "tsdeploy/base:test" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new BenchError(error.message, { next });
  }
  if (values.help) return undefined;
  const numbers = (key) => {
    const list = (values[key] ?? "").split(",").filter(Boolean).map(Number);
    if (list.every((n) => Number.isInteger(n) && n > 0)) return list;
    throw new BenchError(`--${key} takes numbers from 1 on, not ${values[key]}`, { next });
  };
  const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0) throw new BenchError(`there is no part ${unknown.join(", ")}`, { next });
  const chosen = parts.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const workers = values.workers === undefined ? usualCrowds : numbers("workers");
  const needed = Math.max(...chosen.map((part) => machinesOf(part, workers)));
  const machines = values.machines === undefined ? Array.from({ length: needed }, (_, i) => i + 1) : numbers("machines");
  if (positionals.length > 0 && machines.length < needed) {
    throw new BenchError(`${needed} machines are needed, not ${machines.length}`, {
      next: "Name more of them, fewer parts, or fewer --workers.",
    });
  }
  return {
    ...values,
    version: values["k8s-version"],
    parts: chosen,
    hasPods: chosen.some((part) => !withoutPods.includes(part)),
    runs: numbers("runs")[0],
    machines,
    workers,
  };
}

/** How many machines a part needs. */
function machinesOf(part, workers) {
  return part === crowds ? 1 + Math.max(...workers) : part.machines;
}

async function measure(part, testbed, options, { series, notRun }) {
  const needed = machinesOf(part, options.workers);
  const few = needed > options.machines.length ? `${needed} machines are needed` : undefined;
  const lack = [few, ...part.needs.map((need) => testbed.lack(need))].find((reason) => reason !== undefined);
  if (lack !== undefined) {
    notRun.push(`${part.name}: ${lack}`);
    return;
  }
  const note = (name, value, unit) => series.add(name, value, unit);
  const { runs = part.runs } = options;
  const more = { workers: options.workers, runs, notRun: (what, why) => notRun.push(`${what}: ${why}`) };
  await part.before?.(testbed, note, more);
  for (let i = 0; part.run && i < runs; i++) {
    await part.run(testbed, note, more);
    process.stderr.write(`bench: ${part.name}, run ${i + 1} of ${runs}\n`);
  }
}

function print(series, notRun, testbed, options) {
  const targets = Object.assign({}, ...options.parts.map((part) => part.targets(testbed)));
  console.log(`Kubernetes ${testbed.version}`);
  if (!series.isEmpty) {
    const head = ["what", "median", "least", "most", "unit", "measured", "target", ""];
    console.log(table([head, ...series.rows(targets)]).join("\n"));
  }
  for (const line of notRun) console.log(`not run: ${line}`);
}
