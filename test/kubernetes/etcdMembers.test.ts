import { describe, expect, it } from "vitest";
import { type EtcdMember, initialCluster, memberAt, quorumOf, removalRefusal } from "../../src/kubernetes/etcdMembers.js";

function member(index: number, more: Partial<EtcdMember> = {}): EtcdMember {
  const url = `https://10.0.0.${index}:2380`;
  return { id: String(index), name: `machine-${index}`, peerUrls: [url], clientUrls: [], isLearner: false, ...more };
}

const three = [1, 2, 3].map((index) => member(index));

describe("removing a member of etcd", () => {
  it("is fine where all live, down to one", () => {
    expect(removalRefusal(three, new Set(["1", "2", "3"]), "2")).toBeUndefined();
    expect(removalRefusal(three.slice(0, 2), new Set(["1", "2"]), "2")).toBeUndefined();
  });

  it("is how a dead one goes", () => {
    expect(removalRefusal(three, new Set(["1", "2"]), "3")).toBeUndefined();
  });

  it("is refused for one of the two of three that live, and names the one that does not", () => {
    expect(removalRefusal(three, new Set(["1", "2"]), "1")).toContain("machine-3 does not answer");
  });

  it("is refused where there is no quorum already, and for the last one", () => {
    expect(removalRefusal(three, new Set(["1"]), "3")).toContain("of 3 members 1 live, and 2 have to");
    expect(removalRefusal(three.slice(0, 1), new Set(["1"]), "1")).toBe("it is the last member");
  });

  it("does not count who only learns", () => {
    const learning = [...three.slice(0, 2), member(3, { isLearner: true, name: "" })];
    expect(removalRefusal(learning, new Set(["1", "2"]), "3")).toBeUndefined();
    expect(removalRefusal(learning, new Set(["1", "2"]), "2")).toBeUndefined();
  });

  it("never leaves a cluster without quorum, whoever lives", () => {
    for (let size = 1; size <= 7; size += 1) {
      const members = Array.from({ length: size }, (_, index) => member(index + 1));
      for (let pattern = 0; pattern < 2 ** size; pattern += 1) {
        const living = new Set(members.filter((_, index) => (pattern >> index) & 1).map(({ id }) => id));
        for (const { id } of members) {
          if (removalRefusal(members, living, id) !== undefined) continue;
          const left = members.filter((other) => other.id !== id);
          expect(left.length).toBeGreaterThan(0);
          expect(left.filter((other) => living.has(other.id)).length).toBeGreaterThanOrEqual(quorumOf(left.length));
        }
      }
    }
  });
});

describe("what a new member is told of all", () => {
  it("is each one's name and peers' URL, its own by the name that it is to have", () => {
    const fresh = member(3, { name: "", isLearner: true });
    const own = { name: "machine-9", peerUrl: "https://10.0.0.3:2380" };
    expect(memberAt([...three.slice(0, 2), fresh], own.peerUrl)).toBe(fresh);
    expect(initialCluster([...three.slice(0, 2), fresh], own)).toBe(
      "machine-1=https://10.0.0.1:2380,machine-2=https://10.0.0.2:2380,machine-9=https://10.0.0.3:2380",
    );
  });
});
