import { beforeEach, expect, it, vi } from "vitest";
import { downCluster } from "../../src/deploy/downCluster.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { DownOptions } from "../../src/model/options.js";
import type { RunContext } from "../../src/report/runContext.js";

/** What was torn down, in order, and which Dockers are not reached or refuse to be. */
const world = vi.hoisted(() => ({
  done: [] as string[],
  now: 0,
  away: new Set<string>(),
  refusing: new Set<string>(),
}));

vi.mock("../../src/deploy/tearDown.js", () => ({
  tearDown: async ({ dockerHost: host = "", dryRun }: { dockerHost?: string; dryRun: boolean }) => {
    if (world.away.has(host)) throw new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "nobody", hint: "Look." });
    if (dryRun) return { kind: "planned", plan: {} };
    world.now++;
    await new Promise((resolve) => setImmediate(resolve));
    world.done.push(`${host} beside ${world.now - 1}`);
    world.now--;
    if (world.refusing.has(host)) throw new TsdeployError("conflict", { code: "ETCD_QUORUM", message: "no", hint: "Look." });
    return { kind: "removed" };
  },
}));

beforeEach(() => {
  world.done.length = 0;
  world.away.clear();
  world.refusing.clear();
});

async function down(options: Partial<DownOptions> = {}): Promise<Record<string, string>> {
  const hosts = (...names: readonly string[]) => names.map((name) => ({ name, options: { dockerHost: name } }));
  const all = { hosts: { masters: hosts("a", "b", "c"), workers: hosts("w", "x") }, dryRun: false, force: false };
  const context = { report: () => undefined, signal: new AbortController().signal, env: {} } as unknown as RunContext;
  const confirm = () => Promise.resolve(true);
  const done = await downCluster({ ...all, ...options } as unknown as DownOptions, context, confirm);
  return Object.fromEntries(done.map(({ name, outcome }) => [name, outcome]));
}

it("takes workers down at once, then the masters one after the other, the first one last", async () => {
  expect(Object.values(await down())).toEqual(Array.from({ length: 5 }, () => "removed"));
  expect(world.done.slice(0, 2).map((what) => what[0]).sort()).toEqual(["w", "x"]);
  expect(world.done.slice(2)).toEqual(["c beside 0", "b beside 0", "a beside 0"]);
});

it.each([
  ["a worker that is not reached", () => world.away.add("w"), { a: "skipped", b: "skipped", c: "skipped", x: "removed" }],
  ["a master that is not reached", () => world.away.add("b"), { a: "skipped", b: "failed", c: "removed" }],
  ["a master that the others need", () => world.refusing.add("c"), { a: "skipped", b: "skipped", c: "failed" }],
])("%s keeps the masters behind it, unless that was said", async (_, happens, outcomes) => {
  happens();
  expect(await down()).toMatchObject(outcomes);
  expect(await down({ force: true })).toMatchObject({ a: "removed", x: "removed" });
});
