import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execute, root } from "../execute.mjs";
import { cli } from "../testbed.mjs";

/** They are measured several times in each run: they are a small part of it and vary most. */
const timesInRun = 5;

/** Commands that start nothing. */
export const commands = {
  name: "commands",
  about: "--help, --dry-run, and rendering a plan, against an empty program",
  machines: 1,
  runs: 5,
  needs: [],
  targets: () => ({
    "rendering a whole plan": { ms: 20 },
    "tsdeploy --help": { against: "node -e 0", most: 1.4 },
    "tsdeploy master --dry-run": { against: "node -e 0", most: 8 },
  }),
  async before(_, note) {
    for (const ms of await renderTimes()) note("rendering a whole plan", ms);
  },
  async run({ wallMs, master }, note) {
    for (let i = 0; i < timesInRun; i++) {
      note("node -e 0", await wallMs("-e", "0"));
      note("tsdeploy --help", await wallMs(cli, "--help"));
      note("tsdeploy master --dry-run", (await master("--dry-run")).wallMs);
    }
  },
};

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
