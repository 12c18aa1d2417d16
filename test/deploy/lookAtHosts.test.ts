import { expect, it, vi } from "vitest";
import { lookAtHosts } from "../../src/deploy/lookAtHosts.js";
import type { ClusterHosts } from "../../src/model/clusterHosts.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { RunContext } from "../../src/report/runContext.js";

const world = vi.hoisted(() => ({ open: 0, mostOpen: 0 }));

vi.mock("../../src/deploy/withEngine.js", () => ({
  withEngine: async () => {
    world.mostOpen = Math.max(world.mostOpen, ++world.open);
    await new Promise((resolve) => setImmediate(resolve));
    world.open--;
    throw new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "nobody answers", hint: "Look." });
  },
}));

it("looks at a thousand hosts by few connections at a time, and none of them stops the others", async () => {
  const [master, ...workers] = Array.from({ length: 1000 }, (_, n) => ({ name: `h${n}`, options: { nodeName: `h${n}` } }));
  const context = { report: () => undefined, signal: new AbortController().signal, env: {} } as unknown as RunContext;
  const seen = await lookAtHosts({ masters: [master], workers } as unknown as ClusterHosts, context);
  const all = [...seen.masters, ...seen.workers];
  expect(all.map(({ name }) => name)).toEqual(all.map((_, n) => `h${n}`));
  expect(new Set(all.map(({ state }) => state.kind))).toEqual(new Set(["unreachable"]));
  // The master's beside the workers'.
  expect(world.mostOpen).toBeLessThanOrEqual(17);
  expect(world.open).toBe(0);
});
