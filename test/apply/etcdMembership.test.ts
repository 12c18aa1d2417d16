import { describe, expect, it } from "vitest";
import { addMember } from "../../src/apply/actions/addMember.js";
import { removeMember } from "../../src/apply/actions/removeMember.js";
import { settleMember } from "../../src/apply/actions/settleMember.js";
import type { EtcdAccess } from "../../src/apply/applyContext.js";
import type { StepTools } from "../../src/apply/planRun.js";
import { waitFor } from "../../src/apply/waitFor.js";
import type { EtcdMember } from "../../src/kubernetes/etcdMembers.js";
import { TsdeployError } from "../../src/model/errors.js";

/** An etcd of several members, with its rules about learners, in memory. */
class MemoryEtcd implements EtcdAccess {
  members: EtcdMember[];
  /** Calls that a learner's promotion is refused before. */
  notInSync = 0;
  readonly calls: string[] = [];
  #next = 10;

  constructor(...members: EtcdMember[]) {
    this.members = members;
  }

  at(host: string): ReturnType<EtcdAccess["at"]> {
    const own = (): EtcdMember | undefined => this.members.find(({ peerUrls }) => peerUrls[0]?.includes(`/${host}:`));
    const here = (): EtcdMember | undefined => (host === "127.0.0.1" ? this.members.find(({ id }) => id === this.here) : own());
    const call = (what: string): void => {
      const member = here();
      if (!member) throw fault("ETCD_UNREACHABLE", `etcd on ${host} does not answer`);
      if (member.isLearner) throw fault("ETCD_REFUSED", "rpc not supported for learner");
      if (what !== "list") this.calls.push(`${host} ${what}`);
    };
    const client = {
      host,
      members: later(() => {
        call("list");
        return { own: here()?.id ?? "", members: [...this.members] };
      }),
      addLearner: later((peerUrl: string) => {
        call(`add ${peerUrl}`);
        if (this.members.some(({ isLearner }) => isLearner)) throw fault("ETCD_REFUSED", "too many learner members in cluster");
        this.members.push({ id: String(this.#next++), name: "", peerUrls: [peerUrl], clientUrls: [], isLearner: true });
        return [...this.members];
      }),
      promote: later((id: string) => {
        call(`promote ${id}`);
        if (this.notInSync-- > 0) throw fault("ETCD_REFUSED", "can only promote a learner member which is in sync with leader");
        this.#change(id, { isLearner: false });
      }),
      update: later((id: string, peerUrl: string) => {
        call(`update ${id} ${peerUrl}`);
        this.#change(id, { peerUrls: [peerUrl] });
      }),
      remove: later((id: string) => {
        call(`remove ${id}`);
        this.members = this.members.filter((member) => member.id !== id);
      }),
      close: () => undefined,
    };
    return client as unknown as ReturnType<EtcdAccess["at"]>;
  }

  /** Id of the member on this host. */
  here: string | undefined;

  #change(id: string, change: Partial<EtcdMember>): void {
    this.members = this.members.map((member) => (member.id === id ? { ...member, ...change } : member));
  }
}

/** Answers come later, as by a network. */
function later<Args extends unknown[], Answer>(answer: (...args: Args) => Answer): (...args: Args) => Promise<Answer> {
  return (...args) => Promise.resolve().then(() => answer(...args));
}

function fault(code: string, message: string): TsdeployError {
  return new TsdeployError("failed", { code, message });
}

function member(index: number, more: Partial<EtcdMember> = {}): EtcdMember {
  return { id: String(index), name: `machine-${index}`, peerUrls: [urlOf(index)], clientUrls: [], isLearner: false, ...more };
}

function urlOf(index: number): string {
  return `https://10.0.0.${index}:2380`;
}

/** As much of a run as these actions look at. */
function toolsFor(etcd: MemoryEtcd): {
  tools: StepTools;
  values: Map<string, string>;
  undo: () => Promise<void>;
  seen: string[];
} {
  const values = new Map<string, string>();
  const undone: (() => Promise<void>)[] = [];
  const seen: string[] = [];
  const signal = new AbortController().signal;
  const context = { signal, timeoutMs: 2000, report: () => undefined };
  const run = {
    etcd,
    values,
    context,
    wait: (_step: unknown, probe: Parameters<typeof waitFor>[0]) =>
      waitFor(probe, { timeoutMs: 2000, signal, intervalMs: 1, onSeen: (what) => seen.push(what) }),
  };
  const leave = ({ undo }: { undo?: () => Promise<void> }): void => {
    if (undo) undone.push(undo);
  };
  const undo = async (): Promise<void> => {
    for (const work of undone.reverse()) await work();
  };
  return { tools: { run, step: {}, leave } as unknown as StepTools, values, undo, seen };
}

const add = { kind: "add-member", member: { name: "machine-3", peerUrl: urlOf(3) }, from: "10.0.0.1" } as const;
const settle = { kind: "settle-member", member: add.member, from: add.from } as const;

describe("a further member of etcd", () => {
  it("learns first, and its container is told of all members", async () => {
    const etcd = new MemoryEtcd(member(1), member(2));
    const { tools, values } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.members.find(({ peerUrls }) => peerUrls.includes(urlOf(3)))).toMatchObject({ isLearner: true });
    expect(values.get("etcdMembers")).toBe(`machine-1=${urlOf(1)},machine-2=${urlOf(2)},machine-3=${urlOf(3)}`);
  });

  it("waits until another one has learnt", async () => {
    const etcd = new MemoryEtcd(member(1), member(2, { isLearner: true }));
    const { tools, seen } = toolsFor(etcd);
    const adding = addMember(add, tools);
    await expect.poll(() => seen).toContain("too many learner members in cluster");
    etcd.members = [member(1), member(2)];
    await adding;
    expect(etcd.members).toHaveLength(3);
  });

  it("is not added again where a run was cut short after it had been", async () => {
    const etcd = new MemoryEtcd(member(1), member(3, { id: "77", name: "", isLearner: true }));
    const { tools, values } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.calls).toEqual([]);
    expect(values.get("etcdMembers")).toContain(`machine-3=${urlOf(3)}`);
  });

  it.each([
    ["of the same name at another address", member(9, { name: "machine-3" })],
    ["at the same address, whose data is lost", member(3)],
  ])("takes the place of one %s", async (_, lost) => {
    const etcd = new MemoryEtcd(member(1), member(2), lost);
    const { tools } = toolsFor(etcd);
    await addMember(add, tools);
    expect(etcd.calls).toEqual([`10.0.0.1 remove ${lost.id}`, `10.0.0.1 add ${urlOf(3)}`]);
    expect(etcd.members).toHaveLength(3);
  });

  it("is removed again when the run is undone, also where it was never added", async () => {
    const etcd = new MemoryEtcd(member(1));
    const { tools, undo } = toolsFor(etcd);
    await addMember(add, tools);
    await undo();
    await undo();
    expect(etcd.members).toEqual([member(1)]);
  });

  it("votes as soon as it has the data", async () => {
    const etcd = new MemoryEtcd(member(1), member(3, { isLearner: true }));
    etcd.here = "3";
    etcd.notInSync = 2;
    await settleMember(settle, toolsFor(etcd).tools);
    expect(etcd.members.every(({ isLearner }) => !isLearner)).toBe(true);
    expect(etcd.calls.filter((call) => call.includes("promote"))).toHaveLength(3);
  });
});

describe("the member of a master that was alone", () => {
  it("tells its peers where it is from now on", async () => {
    const etcd = new MemoryEtcd(member(1, { peerUrls: ["https://127.0.0.1:2380"] }));
    etcd.here = "1";
    await settleMember({ kind: "settle-member", member: { name: "machine-1", peerUrl: urlOf(1) } }, toolsFor(etcd).tools);
    expect(etcd.members[0]?.peerUrls).toEqual([urlOf(1)]);
  });
});

describe("a member that leaves", () => {
  const leaving = { kind: "remove-member", member: add.member, from: "127.0.0.1", force: false } as const;

  it("is removed by another one that answers", async () => {
    const etcd = new MemoryEtcd(member(1), member(3));
    etcd.here = "3";
    await removeMember(leaving, toolsFor(etcd).tools);
    expect(etcd.calls).toEqual(["10.0.0.1 remove 3"]);
  });

  it("and only learns yet is removed by the one that was asked", async () => {
    const etcd = new MemoryEtcd(member(1), member(3, { isLearner: true }));
    etcd.here = "3";
    await removeMember({ ...leaving, from: "10.0.0.1" }, toolsFor(etcd).tools);
    expect(etcd.calls).toEqual(["10.0.0.1 remove 3"]);
  });

  it("that cannot be removed stops the run, but for --force", async () => {
    const etcd = new MemoryEtcd();
    await expect(removeMember(leaving, toolsFor(etcd).tools)).rejects.toThrow("ETCD_UNREACHABLE");
    await expect(removeMember({ ...leaving, force: true }, toolsFor(etcd).tools)).resolves.toBeUndefined();
  });
});
