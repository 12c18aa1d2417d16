import { compare, minor } from "semver";
import { describe, expect, it } from "vitest";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { planUpgrade, type UpgradeHost, type UpgradePlan, type UpgradePlanInput } from "../../src/plan/planUpgrade.js";

function host(name: string, version: string, more: Partial<UpgradeHost> = {}): UpgradeHost {
  return { name, version, isWhole: true, ...more };
}

function plan(target: string, input: Partial<UpgradePlanInput>): UpgradePlan {
  const releaseOf = (minorVersion: string): string => `v${minorVersion}.7`;
  return planUpgrade({ masters: [host("m", "v1.20.2")], workers: [], others: [], target, releaseOf, ...input });
}

function codes({ refusals }: UpgradePlan): string[] {
  return refusals.map(({ code }) => code);
}

describe("the way from one version to another", () => {
  it("is the masters in turn, then the workers", () => {
    const masters = ["a", "b", "c"].map((name) => host(name, "v1.20.2"));
    const workers = [host("w", "v1.20.2"), host("x", "v1.20.2")];
    expect(plan("v1.21.0", { masters, workers }).stops).toEqual([
      { version: "v1.21.0", masters: ["a", "b", "c"], workers: ["w", "x"] },
    ]);
  });

  it("has API servers stop at each minor version, and kubelets go straight to the last", () => {
    expect(plan("v1.22.0", { workers: [host("w", "v1.20.2")] }).stops).toEqual([
      { version: "v1.21.7", masters: ["m"], workers: [] },
      { version: "v1.22.0", masters: ["m"], workers: ["w"] },
    ]);
  });

  it("moves a worker before an API server would be too far ahead of it", () => {
    const workers = [host("w", "v1.20.2"), host("old", "v1.18.3")];
    expect(plan("v1.23.0", { workers }).stops).toEqual([
      { version: "v1.20.2", masters: [], workers: ["old"] },
      { version: "v1.21.7", masters: ["m"], workers: [] },
      { version: "v1.22.7", masters: ["m"], workers: ["w", "old"] },
      { version: "v1.23.0", masters: ["m"], workers: ["w", "old"] },
    ]);
    // From v1.28 on it may be three behind.
    expect(plan("v1.30.0", { masters: [host("m", "v1.27.1")], workers: [host("w", "v1.27.1")] }).stops).toMatchObject([
      { version: "v1.28.7", workers: [] },
      { version: "v1.29.7", workers: [] },
      { version: "v1.30.0", workers: ["w"] },
    ]);
  });

  it("goes on where an earlier run was cut short, and leaves what is done", () => {
    const masters = [host("m", "v1.21.0")];
    const workers = [host("w", "v1.21.0"), host("x", "v1.20.2"), host("y", "v1.21.0", { isWhole: false })];
    expect(plan("v1.21.0", { masters, workers })).toMatchObject({
      stops: [{ version: "v1.21.0", masters: [], workers: ["x", "y"] }],
      left: ["m", "w"],
    });
    expect(plan("v1.21.0", { masters, workers: [host("w", "v1.21.0")] }).stops).toEqual([]);
  });

  it("puts a master right at the version that it was on its way to, before it goes on", () => {
    const broken = { masters: [host("m", "v1.21.0", { isWhole: false })] };
    expect(plan("v1.22.0", broken).stops.map(({ version }) => version)).toEqual(["v1.21.0", "v1.22.0"]);
    expect(plan("v1.21.0", broken).stops).toEqual([{ version: "v1.21.0", masters: ["m"], workers: [] }]);
  });

  it("leaves workers that their owner keeps at a version, as long as that is possible", () => {
    const workers = [host("w", "v1.20.2", { isPinned: true })];
    expect(plan("v1.22.0", { workers }).left).toEqual(["w"]);
    expect(codes(plan("v1.23.0", { workers }))).toEqual(["VERSION_SKEW"]);
  });

  it("is refused for what cannot be", () => {
    expect(codes(plan("v1.19.0", {}))).toEqual(["DOWNGRADE"]);
    expect(codes(plan("v1.20.1", {}))).toEqual(["DOWNGRADE"]);
    expect(codes(plan("v1.6.0", { masters: [host("m", "v1.5.8")] }))).toEqual(["ETCD_API_CHANGED"]);
    expect(codes(plan("v1.21.0", { workers: [host("w", "v1.22.0")] }))).toEqual(["VERSION_SKEW"]);
    const others = [{ name: "one", version: "v1.18.0" }, { name: "two", version: "v1.20.2" }];
    const { refusals, stops } = plan("v1.21.0", { others });
    expect(refusals.map(({ message }) => message)).toEqual([
      "one runs v1.18.0, too old for API servers of v1.21.0, and stays: no host of this run is it",
    ]);
    expect(stops).toEqual([]);
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

describe("an upgrade of many hosts", () => {
  const seeds = Array.from({ length: 24 }, (_, seed) => seed);

  it.each(seeds)("heeds order and skew after each of its steps, wherever it is cut short (%d)", (seed) => {
    const next = randomly(seed);
    const from = 6 + next(28);
    const to = Math.min(36, from + next(6));
    const api = `v1.${from}.${next(2)}`;
    const target = to === from ? `v1.${to}.2` : `v1.${to}.${next(2)}`;
    const masters = Array.from({ length: 1 + next(5) }, (_, n) => host(`m${n}`, api, { isWhole: next(9) > 0 }));
    const lag = (): number => Math.max(6, from - next(featuresOf(api).kubeletSkew + 1));
    const workers = Array.from({ length: 250 }, (_, n) => {
      const behind = lag();
      return host(`w${n}`, behind === from ? api : `v1.${behind}.${next(2)}`, { isWhole: next(9) > 0 });
    });
    const releaseOf = (minorVersion: string): string => `v${minorVersion}.3`;
    const input: UpgradePlanInput = { masters, workers, others: [], target, releaseOf };
    const { stops, left, refusals } = planUpgrade(input);
    expect(refusals).toEqual([]);

    const apis = new Map(masters.map(({ name, version }) => [name, version]));
    const kubelets = new Map([...masters, ...workers].map(({ name, version }) => [name, version]));
    const cutAt = next(masters.length * stops.length + 40);
    let steps = 0;
    let halfWay: UpgradePlanInput | undefined;
    const wrong: string[] = [];
    const note = (step: string): void => {
      const sorted = [...apis.values()].sort(compare);
      const [oldest = "", newest = ""] = [sorted[0], sorted.at(-1)];
      // Two of a cluster's API servers may be a minor version apart, no more.
      if (minor(newest) - minor(oldest) > 1) wrong.push(`${step}: API servers of ${oldest} and ${newest}`);
      for (const version of new Set(kubelets.values())) {
        const behind = minor(newest) - minor(version);
        if (compare(version, newest) > 0) wrong.push(`${step}: a kubelet of ${version}, newer than ${newest}`);
        if (behind > featuresOf(newest).kubeletSkew) wrong.push(`${step}: a kubelet of ${version}, API of ${newest}`);
      }
      if (steps++ !== cutAt) return;
      const now = (one: UpgradeHost): UpgradeHost => ({ ...one, version: kubelets.get(one.name) ?? "" });
      halfWay = { ...input, masters: masters.map(now), workers: workers.map(now) };
    };
    for (const { version, masters: inTurn, workers: after } of stops) {
      for (const name of inTurn) {
        const before = apis.get(name) ?? "";
        const up = minor(version) - minor(before);
        if (compare(version, before) < 0 || up > 1) wrong.push(`${name}: from ${before} to ${version}`);
        apis.set(name, version);
        kubelets.set(name, version);
        note(name);
      }
      for (const name of after) {
        // Never newer than any of the API servers that it may speak to.
        if ([...apis.values()].some((api) => compare(version, api) > 0)) wrong.push(`${name}: ${version} is too new`);
        kubelets.set(name, version);
        note(name);
      }
    }
    expect(wrong).toEqual([]);
    expect(new Set([...apis.values(), ...kubelets.values()])).toEqual(new Set([target]));
    const worked = new Set(stops.flatMap((stop) => [...stop.masters, ...stop.workers]));
    expect(left.filter((name) => worked.has(name))).toEqual([]);
    expect(left.length + worked.size).toBe(masters.length + workers.length);
    // Wherever it was cut short, the same command has a way to the end.
    if (halfWay) expect(planUpgrade(halfWay).refusals).toEqual([]);
  });
});
