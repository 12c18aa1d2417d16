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

describe("a plan for several masters", () => {
  it("has the first make the cluster, the others join it one by one, and then the workers", () => {
    const masters = [host("a", "new"), host("b", "new"), host("c", "new")] as const;
    expect(plan({ masters, workers: [host("w", "new")] }).waves).toEqual([
      { work: "make", hosts: ["a"], parallel: 1 },
      { work: "join", hosts: ["b", "c"], parallel: 1 },
      { work: "join", hosts: ["w"], parallel: 10 },
    ]);
  });

  it("has a new first one join the cluster that the others are, and make no other one", () => {
    const masters = [host("a", "new"), host("b", "same"), host("c", "different")] as const;
    expect(plan({ masters, nodes: ["b", "c"] }).waves).toEqual([
      { work: "change", hosts: ["c"], parallel: 1 },
      { work: "join", hosts: ["a"], parallel: 1 },
    ]);
  });

  it("makes no cluster where one may run on masters that are not reached", () => {
    const away = [host("a", "new"), host("b", "unreachable"), host("c", "unreachable")] as const;
    expect(plan({ masters: away })).toMatchObject({
      waves: [],
      skipped: [{ host: "a", why: "a cluster may run on b, c, which cannot be looked at" }, {}, {}],
    });
    // Two of three that are new are no part of a cluster, and the third alone is none.
    const one = [host("a", "new"), host("b", "new"), host("c", "unreachable")] as const;
    expect(plan({ masters: one }).waves.map(({ hosts }) => hosts)).toEqual([["a"], ["b"]]);
    const lost = [host("a", "unreachable"), host("b", "new"), host("c", "new")] as const;
    expect(plan({ masters: lost }).waves).toEqual([]);
  });

  it("goes on without the first one where another one is there", () => {
    const masters = [host("a", "unreachable"), host("b", "same"), host("c", "same")] as const;
    expect(plan({ masters, workers: [host("w", "new")], nodes: ["a", "b", "c"] })).toMatchObject({
      waves: [{ work: "join", hosts: ["w"], parallel: 10 }],
      left: ["b", "c"],
      skipped: [{ host: "a", why: "it is not reached" }],
    });
  });

  it("changes no master that etcd needs while another one is away; of five one may be spared", () => {
    const three = [host("a", "unreachable"), host("b", "different"), host("c", "same")] as const;
    const nodes = ["a", "b", "c"];
    expect(plan({ masters: three, nodes, workers: [host("w", "different")] })).toMatchObject({
      waves: [{ work: "change", hosts: ["w"] }],
      skipped: [{ host: "a" }, { host: "b", why: "etcd could not go on without it while a is away" }],
    });
    const five = [...three, host("d", "same"), host("e", "same")] as const;
    expect(plan({ masters: five, nodes }).waves).toEqual([{ work: "change", hosts: ["b"], parallel: 1 }]);
    // Nothing of a cluster that does not run can be lost.
    expect(plan({ masters: three }).waves).toEqual([{ work: "change", hosts: ["b"], parallel: 1 }]);
    const two = [host("a", "different"), host("b", "different")] as const;
    expect(plan({ masters: two, nodes }).waves).toEqual([{ work: "change", hosts: ["a", "b"], parallel: 1 }]);
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
  const seeds = Array.from({ length: 100 }, (_, seed) => seed);

  it.each(seeds)("heeds the rules of order and of safety, whatever the hosts are like (%d)", (seed) => {
    const next = randomly(seed);
    // Some clusters have no host that is refused: else nearly none would have a plan.
    const some = kinds.slice(0, 4 + next(3));
    const pick = (): HostState["kind"] => some[next(some.length)] ?? "same";
    const count = [1, 2, 3, 4, 5, 7][next(6)] ?? 1;
    const [first = "m0", ...further] = Array.from({ length: count }, (_, n) => `m${n}`);
    const masterOf = (name: string): SeenHost => host(name, pick(), `n${name}`);
    const masters = [masterOf(first), ...further.map(masterOf)] as const;
    const workers = Array.from({ length: 1000 - count }, (_, n) => {
      const kind = pick();
      return host(`h${n}`, kind, kind === "unreachable" && next(2) === 0 ? null : `n${n}`);
    });
    const hosts = [...masters, ...workers];
    const known = workers.flatMap(({ nodeName }) => (nodeName !== undefined && next(2) === 0 ? [nodeName] : []));
    const isRunning = next(4) > 0;
    const nodes = isRunning ? [...masters.map(({ nodeName = "" }) => nodeName), ...known, "x", "y"] : [];
    const options = { prune: next(2) === 0, continue: next(2) === 0, ...(next(2) === 0 && { parallel: 1 + next(50) }) };
    const { waves, left, skipped, strangers, prunes } = planCluster({ masters, workers, nodes, options });
    const worked = waves.flatMap((wave) => wave.hosts);
    const kindOf = new Map(hosts.map(({ name, state }) => [name, state.kind]));
    const isMaster = (name: string): boolean => name.startsWith("m");

    // Each host has one fate.
    const fates = [...worked, ...left, ...skipped.map((one) => one.host)];
    expect(fates.sort()).toEqual(hosts.map(({ name }) => name).sort());
    // What is as it should be, or cannot be worked on, is not touched.
    for (const name of worked) expect(["new", "different", "unknown"]).toContain(kindOf.get(name));
    for (const name of left) expect(kindOf.get(name)).toBe("same");
    // Masters come before all, one at a time; of workers, who changes comes after who is new.
    const firstOfWorkers = waves.findIndex((wave) => !wave.hosts.some(isMaster));
    for (const [index, wave] of waves.entries()) {
      expect(new Set(wave.hosts.map(isMaster)).size).toBe(1);
      if (!wave.hosts.some(isMaster)) continue;
      expect(wave.parallel).toBe(1);
      if (firstOfWorkers >= 0) expect(index).toBeLessThan(firstOfWorkers);
    }
    const changing = waves.findIndex((wave) => wave.work === "change" && !wave.hosts.some(isMaster));
    const joining = waves.findLastIndex((wave) => wave.work === "join");
    if (changing >= 0 && joining >= 0) expect(joining).toBeLessThan(changing);
    for (const { work, hosts: together, parallel } of waves) {
      expect(new Set(together.map((name) => kindOf.get(name) === "new"))).toEqual(new Set([work !== "change"]));
      expect(parallel).toBeLessThanOrEqual(options.parallel ?? (work === "change" ? 1 : 10));
    }
    // Only the first makes a cluster, and only where none is.
    const isThere = masters.some(({ state }) => ["same", "different", "unknown"].includes(state.kind));
    const makes = waves.filter(({ work }) => work === "make").flatMap((wave) => wave.hosts);
    expect(makes).toEqual(isThere || waves.length === 0 || masters[0].state.kind !== "new" ? [] : ["m0"]);
    if (!isThere && worked.length > 0) expect(worked[0]).toBe("m0");
    // Of a cluster that runs etcd goes on after and during each step: more than half of its members are up.
    const away = masters.filter(({ state }) => ["unreachable", "refused"].includes(state.kind));
    let voters = masters.filter(({ state }) => state.kind !== "new").length;
    let up = voters - away.length;
    for (const name of isRunning && 2 * up > voters && away.length > 0 ? waves.flatMap((wave) => wave.hosts) : []) {
      if (!isMaster(name)) continue;
      const isNew = kindOf.get(name) === "new";
      // One that joins learns first, and is up when it votes.
      if (isNew) [voters, up] = [voters + 1, up + 1];
      expect(2 * (isNew ? up : up - 1)).toBeGreaterThan(voters);
    }
    // Nothing on any host while a check stands against one.
    const isRefused = hosts.some(({ state }) => state.kind === "refused") && !options.continue;
    const isFirstLost = !isThere && masters[0].state.kind !== "new";
    const mayRunElsewhere = !isThere && 2 * away.length > count;
    const waiting = skipped.filter(({ why }) => why.startsWith("etcd could not"));
    if (isFirstLost || mayRunElsewhere || isRefused) expect([...worked, ...prunes]).toEqual([]);
    // A host that is not reached holds nobody back but masters that etcd needs.
    else {
      const able = hosts.filter(({ state }) => ["new", "different", "unknown"].includes(state.kind));
      expect(worked.length + waiting.length).toBe(able.length);
      expect(waiting.every((one) => isMaster(one.host) && away.length > 0)).toBe(true);
    }
    // No node of the file is a stranger, and none goes unless that was said and sure.
    expect(strangers).toEqual(isRunning ? ["x", "y"] : []);
    if (!options.prune || hosts.some(({ nodeName }) => nodeName === undefined)) expect(prunes).toEqual([]);
    for (const node of prunes) expect(strangers).toContain(node);
  });
});
