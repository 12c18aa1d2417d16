import { describe, expect, it } from "vitest";
import { addMember } from "../../src/apply/actions/addMember.js";
import { removeMember } from "../../src/apply/actions/removeMember.js";
import { settleMember } from "../../src/apply/actions/settleMember.js";
import { spareMember } from "../../src/apply/actions/spareMember.js";
import type { EtcdAccess } from "../../src/apply/applyContext.js";
import type { Aftermath } from "../../src/apply/runSteps.js";
import type { StepTools } from "../../src/apply/planRun.js";
import { waitFor } from "../../src/apply/waitFor.js";
import type { EtcdMember } from "../../src/kubernetes/etcdMembers.js";
import { type EtcdCluster, etcdClusterOf, memoryEtcd } from "./memory/etcd.js";

/** An etcd of these members, and what was changed in it. */
class Trial {
  readonly cluster: EtcdCluster;
  readonly calls: string[] = [];
  readonly etcd: EtcdAccess;
  /** Id of the member on this host. */
  here: string | undefined;
  /** Ids of those that do not answer. */
  dead: ReadonlySet<string> = new Set();

  constructor(...members: EtcdMember[]) {
    this.cluster = etcdClusterOf(...members);
    const around = async <T>(what: string, effect: () => T | Promise<T>): Promise<T> => {
      // Answers come later, as by a network.
      await Promise.resolve();
      if (!what.endsWith(" list")) this.calls.push(what.replace(/^etcd /, ""));
      return effect();
    };
    const lives = ({ id }: EtcdMember): boolean => !this.dead.has(id);
    this.etcd = memoryEtcd(this.cluster, { faults: { around }, here: () => this.here, lives });
  }

  get members(): readonly EtcdMember[] {
    return this.cluster.members;
  }
}

function member(index: number, more: Partial<EtcdMember> = {}): EtcdMember {
  return { id: String(index), name: `machine-${index}`, peerUrls: [urlOf(index)], clientUrls: [], isLearner: false, ...more };
}

function urlOf(index: number): string {
  return `https://10.0.0.${index}:2380`;
}

/** As much of a run as these actions look at. */
function toolsFor({ etcd }: Trial): {
  tools: StepTools;
  values: Map<string, string>;
  undo: () => Promise<void>;
  removed: string[];
  seen: string[];
} {
  const values = new Map<string, string>();
  const undone: (() => Promise<void>)[] = [];
  const removed: string[] = [];
  const seen: string[] = [];
  const signal = new AbortController().signal;
  const helper = { run: (_script: string, args: string[]) => Promise.resolve(void removed.push(...args)) };
  const context = { signal, timeoutMs: 2000, report: () => undefined, helper };
  const run = {
    etcd,
    values,
    context,
    wait: (_step: unknown, probe: Parameters<typeof waitFor>[0]) =>
      waitFor(probe, { timeoutMs: 2000, signal, intervalMs: 1, onSeen: (what) => seen.push(what) }),
  };
  const leave = ({ retreat, undo }: Aftermath): void => {
    undone.push(...[undo, retreat].filter((work) => work !== undefined));
  };
  const undo = async (): Promise<void> => {
    for (const work of undone.reverse()) await work();
  };
  return { tools: { run, step: {}, leave } as unknown as StepTools, values, undo, removed, seen };
}

const add = { kind: "add-member", member: { name: "machine-3", peerUrl: urlOf(3) }, from: "10.0.0.1" } as const;
const settle = { kind: "settle-member", member: add.member, from: add.from } as const;

describe("a further member of etcd", () => {
  it("learns first, and its container is told of all members", async () => {
    const etcd = new Trial(member(1), member(2));
    const { tools, values } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.members.find(({ peerUrls }) => peerUrls.includes(urlOf(3)))).toMatchObject({ isLearner: true });
    expect(values.get("etcdMembers")).toBe(`machine-1=${urlOf(1)},machine-2=${urlOf(2)},machine-3=${urlOf(3)}`);
  });

  it("waits until another one has learnt", async () => {
    const etcd = new Trial(member(1), member(2, { isLearner: true }));
    const { tools, seen } = toolsFor(etcd);
    const adding = addMember(add, tools);
    await expect.poll(() => seen).toContain("too many learner members in cluster");
    etcd.cluster.members = [member(1), member(2)];
    await adding;
    expect(etcd.members).toHaveLength(3);
  });

  it("is not added again where a run was cut short after it had been", async () => {
    const etcd = new Trial(member(1), member(3, { id: "77", name: "", isLearner: true }));
    const { tools, values } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.calls).toEqual([]);
    expect(values.get("etcdMembers")).toContain(`machine-3=${urlOf(3)}`);
  });

  it.each([
    ["of the same name at another address", member(9, { name: "machine-3" })],
    ["at the same address, whose data is lost", member(3)],
  ])("takes the place of one %s", async (_, lost) => {
    const etcd = new Trial(member(1), member(2), lost);
    const { tools } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.calls).toEqual([`10.0.0.1 remove ${lost.id}`, `10.0.0.1 add ${urlOf(3)}`]);
    expect(etcd.members).toHaveLength(3);
  });

  it("is removed again when the run is undone, also where it was never added", async () => {
    const etcd = new Trial(member(1));
    const { tools, undo, removed } = toolsFor(etcd);
    await addMember(add, tools);
    await undo();
    await undo();
    expect(etcd.members).toEqual([member(1)]);
    expect(removed).toContain("/var/lib/etcd/member");
  });

  it("votes as soon as it has the data", async () => {
    const etcd = new Trial(member(1), member(3, { isLearner: true }));
    etcd.here = "3";
    etcd.cluster.notInSync = 2;
    await settleMember(settle, toolsFor(etcd).tools);
    expect(etcd.members.every(({ isLearner }) => !isLearner)).toBe(true);
    expect(etcd.calls.filter((call) => call.includes("promote"))).toHaveLength(3);
  });
});

describe("the member of a master that was alone", () => {
  it("tells its peers where it is from now on", async () => {
    const etcd = new Trial(member(1, { peerUrls: ["https://127.0.0.1:2380"] }));
    etcd.here = "1";
    await settleMember({ kind: "settle-member", member: { name: "machine-1", peerUrl: urlOf(1) } }, toolsFor(etcd).tools);
    expect(etcd.members[0]?.peerUrls).toEqual([urlOf(1)]);
  });
});

describe("a member that is to stop for a moment", () => {
  const trialWith = (voters: number, ...dead: string[]): Trial => {
    const trial = new Trial(...Array.from({ length: voters }, (_, n) => member(n + 1)));
    trial.here = "1";
    trial.dead = new Set(dead);
    return trial;
  };

  it.each([
    ["alone", trialWith(1)],
    ["one of three that live", trialWith(3)],
    ["one of two", trialWith(2)],
    ["one of five, of which one is lost", trialWith(5, "3")],
    ["one of three without a majority", trialWith(3, "2", "3")],
  ])("may if it is %s", async (_, trial) => {
    await expect(spareMember(toolsFor(trial).tools)).resolves.toBeUndefined();
  });

  it("waits for one without which the others would be too few", async () => {
    const trial = trialWith(3, "3");
    const { tools, seen } = toolsFor(trial);
    const sparing = spareMember(tools);
    await expect.poll(() => seen).toContain("etcd could not go on without this master: machine-3 does not answer");
    trial.dead = new Set();
    await sparing;
  });
});

describe("a member that leaves", () => {
  const known = { id: "3", name: "machine-3" };
  const leaving = { kind: "remove-member", member: known, from: "127.0.0.1", force: false } as const;

  it("is removed by another one that answers", async () => {
    const etcd = new Trial(member(1), member(3));
    etcd.here = "3";
    await removeMember(leaving, toolsFor(etcd).tools);
    expect(etcd.calls).toEqual(["10.0.0.1 remove 3"]);
  });

  it("is removed by its id: its peers may still find it at another address than its node's", async () => {
    const etcd = new Trial(member(1), member(3, { peerUrls: ["https://127.0.0.1:2380"] }));
    etcd.here = "3";
    await removeMember(leaving, toolsFor(etcd).tools);
    expect(etcd.calls).toEqual(["10.0.0.1 remove 3"]);
  });

  it("and only learns yet is removed by the one that was asked", async () => {
    const etcd = new Trial(member(1), member(3, { isLearner: true }));
    etcd.here = "3";
    await removeMember({ ...leaving, from: "10.0.0.1" }, toolsFor(etcd).tools);
    expect(etcd.calls).toEqual(["10.0.0.1 remove 3"]);
  });

  it("is let go as soon as etcd has seen the others for long enough; with --force nobody waits for that", async () => {
    const etcd = new Trial(member(1), member(2), member(3));
    etcd.here = "3";
    etcd.cluster.young = 2;
    await removeMember(leaving, toolsFor(etcd).tools);
    expect(etcd.members.map(({ id }) => id)).toEqual(["1", "2"]);

    const other = new Trial(member(1), member(2), member(3));
    other.cluster.young = 1;
    await removeMember({ ...leaving, force: true }, toolsFor(other).tools);
    expect(other.members).toHaveLength(3);
  });

  it("that etcd never lets go stops the run with what etcd said", async () => {
    const etcd = new Trial(member(1), member(2), member(3));
    etcd.here = "3";
    etcd.cluster.young = Infinity;
    await expect(removeMember(leaving, toolsFor(etcd).tools)).rejects.toThrow("unhealthy cluster");
    expect(etcd.members).toHaveLength(3);
  });

  it("that cannot be removed stops the run, but for --force", async () => {
    const etcd = new Trial();
    await expect(removeMember(leaving, toolsFor(etcd).tools)).rejects.toThrow("ETCD_UNREACHABLE");
    await expect(removeMember({ ...leaving, force: true }, toolsFor(etcd).tools)).resolves.toBeUndefined();
  });
});
