import { describe, expect, it } from "vitest";
import { type ClusterPlan, type ClusterPlanInput, type HostState, planCluster, type SeenHost } from "../../src/plan/planCluster.js";

const usual = { prune: false, continue: false };
const changed: HostState = { kind: "different", changes: ["replace container kubelet"], drains: false };

function host(name: string, kind: HostState["kind"], nodeName: string | null = name): SeenHost {
  const state = kind === "different" ? changed : ({ kind } as HostState);
  return { name, state, ...(nodeName !== null && { nodeName }) };
}

function plan(input: Partial<ClusterPlanInput>): ClusterPlan {
  return planCluster({ masters: [host("m", "same")], workers: [], nodes: [], options: usual, ...input });
}

describe("a plan over all hosts", () => {
  it("makes the master first, then all workers at once", () => {
    const { waves } = plan({ masters: [host("m", "new")], workers: [host("a", "new"), host("b", "new")] });
    expect(waves).toEqual([
      { work: "make", hosts: ["m"], parallel: 1 },
      { work: "join", hosts: ["a", "b"], parallel: 10 },
    ]);
  });

  it("changes workers one by one, after new ones have joined; --parallel is for both", () => {
    const workers = [host("a", "different"), host("b", "new"), host("c", "different"), host("d", "same")];
    expect(plan({ workers }).waves).toEqual([
      { work: "join", hosts: ["b"], parallel: 10 },
      { work: "change", hosts: ["a", "c"], parallel: 1 },
    ]);
    expect(plan({ workers, options: { ...usual, parallel: 4 } }).waves.map(({ parallel }) => parallel)).toEqual([4, 4]);
    expect(plan({ workers }).left).toEqual(["m", "d"]);
  });

  it("does nothing where all is as it should be", () => {
    const { waves, left, skipped } = plan({ workers: [host("a", "same")] });
    expect({ waves, left, skipped }).toEqual({ waves: [], left: ["m", "a"], skipped: [] });
  });

  it("touches no host while a check stands against one, unless it is to go on", () => {
    const workers = [host("a", "new"), host("b", "refused")];
    expect(plan({ masters: [host("m", "new")], workers })).toMatchObject({
      waves: [],
      skipped: [
        { host: "m", why: "a check stands against b" },
        { host: "a", why: "a check stands against b" },
        { host: "b", why: "a check stands against it" },
      ],
    });
    expect(plan({ workers, options: { ...usual, continue: true } }).waves).toEqual([{ work: "join", hosts: ["a"], parallel: 10 }]);
  });

  it("goes on without workers that are not reached, and not without the master", () => {
    const workers = [host("a", "unreachable", null), host("b", "new")];
    expect(plan({ workers }).waves).toEqual([{ work: "join", hosts: ["b"], parallel: 10 }]);
    expect(plan({ workers }).skipped).toEqual([{ host: "a", why: "it is not reached" }]);
    expect(plan({ workers, masters: [host("m", "unreachable")], options: { ...usual, continue: true } })).toMatchObject({ waves: [] });
  });

  it("names nodes that are not in the file, and removes them only if that was said", () => {
    const input = { workers: [host("a", "same")], nodes: ["m", "a", "old"] };
    expect(plan(input)).toMatchObject({ strangers: ["old"], prunes: [] });
    expect(plan({ ...input, options: { ...usual, prune: true } })).toMatchObject({ strangers: ["old"], prunes: ["old"] });
  });

  it("removes no node that a host of unknown name may be", () => {
    const workers = [host("10.0.0.7", "unreachable", null)];
    const { prunes, prunesNot } = plan({ workers, nodes: ["m", "seven"], options: { ...usual, prune: true } });
    expect(prunes).toEqual([]);
    expect(prunesNot).toBe("one of them may be 10.0.0.7, whose node's name is not known");
  });
});

/** Numbers that a seed decides. */
function randomly(seed: number): (below: number) => number {
  let state = seed * 2654435761 + 1;
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) >>> 0;
    return (state >>> 8) % below;
  };
}

describe("a plan over 1,000 hosts", () => {
  const kinds = ["new", "same", "different", "unknown", "unreachable", "refused"] as const;
  const seeds = Array.from({ length: 60 }, (_, seed) => seed);

  it.each(seeds)("heeds the rules of order and of safety, whatever the hosts are like (%d)", (seed) => {
    const next = randomly(seed);
    // Some clusters have no host that is refused: else nearly none would have a plan.
    const some = kinds.slice(0, 4 + next(3));
    const pick = (): HostState["kind"] => some[next(some.length)] ?? "same";
    const workers = Array.from({ length: 999 }, (_, n) => {
      const kind = pick();
      return host(`h${n}`, kind, kind === "unreachable" && next(2) === 0 ? null : `n${n}`);
    });
    const master = host("m", pick(), "nm");
    const hosts = [master, ...workers];
    const nodes = ["nm", ...workers.flatMap(({ nodeName }) => (nodeName !== undefined && next(2) === 0 ? [nodeName] : [])), "x", "y"];
    const options = { prune: next(2) === 0, continue: next(2) === 0, ...(next(2) === 0 && { parallel: 1 + next(50) }) };
    const { waves, left, skipped, strangers, prunes } = planCluster({ masters: [master], workers, nodes, options });
    const worked = waves.flatMap((wave) => wave.hosts);
    const kindOf = new Map(hosts.map(({ name, state }) => [name, state.kind]));

    // Each host has one fate.
    const fates = [...worked, ...left, ...skipped.map((one) => one.host)];
    expect(fates.sort()).toEqual(hosts.map(({ name }) => name).sort());
    // What is as it should be, or cannot be worked on, is not touched.
    for (const name of worked) expect(["new", "different", "unknown"]).toContain(kindOf.get(name));
    for (const name of left) expect(kindOf.get(name)).toBe("same");
    // The master comes before all, alone; who changes comes after who is new.
    if (worked.includes("m")) expect(waves[0]?.hosts).toEqual(["m"]);
    const changing = waves.findIndex((wave) => wave.work === "change" && !wave.hosts.includes("m"));
    const joining = waves.findIndex((wave) => wave.work === "join");
    if (changing >= 0 && joining >= 0) expect(joining).toBeLessThan(changing);
    for (const { work, hosts: together, parallel } of waves) {
      expect(new Set(together.map((name) => kindOf.get(name) === "new"))).toEqual(new Set([work !== "change"]));
      expect(parallel).toBeLessThanOrEqual(options.parallel ?? (work === "change" ? 1 : 10));
    }
    // Nothing on any host while a check stands against one.
    const isMasterLost = ["unreachable", "refused"].includes(master.state.kind);
    const isRefused = hosts.some(({ state }) => state.kind === "refused") && !options.continue;
    if (isMasterLost || isRefused) expect([...worked, ...prunes]).toEqual([]);
    // A host that is not reached holds nobody back.
    else expect(worked.length).toBe(hosts.filter(({ state }) => ["new", "different", "unknown"].includes(state.kind)).length);
    // No node of the file is a stranger, and none goes unless that was said and sure.
    expect(strangers).toEqual(["x", "y"]);
    if (!options.prune || hosts.some(({ nodeName }) => nodeName === undefined)) expect(prunes).toEqual([]);
    for (const node of prunes) expect(strangers).toContain(node);
  });
});
