import type { EtcdAccess } from "../../../src/apply/applyContext.js";
import { type EtcdMember, quorumOf } from "../../../src/kubernetes/etcdMembers.js";
import { TsdeployError } from "../../../src/model/errors.js";
import type { Faults } from "./faults.js";

/** The members of an etcd, as those that vote know them. Plain data. */
export interface EtcdCluster {
  members: EtcdMember[];
  /** Of the etcd that all members run which are elsewhere. */
  version: string;
  /** What all members write by; undefined: the same. */
  clusterVersion?: string;
  /** Id of the next one. */
  next: number;
  /** How often it is still refused to remove one that has begun to vote: for five seconds it does not count as well. */
  young: number;
  /** How often a learner's promotion is still refused. */
  notInSync: number;
}

export interface EtcdSurroundings {
  readonly faults: Pick<Faults, "around">;
  /** Id of the member on this host; undefined if none runs. */
  readonly here: () => string | undefined;
  readonly lives: (member: EtcdMember) => boolean;
}

export function etcdClusterOf(...members: EtcdMember[]): EtcdCluster {
  return { members, version: "3.4.23", next: 10, young: 0, notInSync: 0 };
}

/** Whether etcd takes a write. */
export function hasQuorum({ members }: EtcdCluster, lives: (member: EtcdMember) => boolean): boolean {
  const voters = members.filter(({ isLearner }) => !isLearner);
  return voters.filter(lives).length >= quorumOf(voters.length);
}

/** etcd's members as a host reaches them, with etcd's rules about learners, quorum and members that are new. */
export function memoryEtcd(cluster: EtcdCluster, { faults, here, lives }: EtcdSurroundings): EtcdAccess {
  const change = (id: string, to: Partial<EtcdMember>): void => {
    cluster.members = cluster.members.map((member) => (member.id === id ? { ...member, ...to } : member));
  };
  const at = (host: string): ReturnType<EtcdAccess["at"]> => {
    const asked = (): EtcdMember => {
      const member = cluster.members.find(({ id, peerUrls }) =>
        host === "127.0.0.1" ? id === here() : peerUrls[0]?.includes(`/${host}:`),
      );
      if (!member || !lives(member)) throw fault("ETCD_UNREACHABLE", `etcd on ${host} does not answer`);
      if (member.isLearner) throw fault("ETCD_REFUSED", "rpc not supported for learner");
      return member;
    };
    const look = <T>(what: string, answer: (own: EtcdMember) => T): Promise<T> =>
      faults.around(`etcd ${host} ${what}`, () => answer(asked()));
    const write = (what: string, effect: () => void): Promise<void> =>
      look(what, () => {
        if (!hasQuorum(cluster, lives)) throw fault("ETCD_REFUSED", "request timed out");
        effect();
      });
    const client = {
      host,
      members: () => look("list", ({ id }) => ({ own: id, members: [...cluster.members] })),
      versions: () =>
        look("version", () => ({ server: cluster.version, cluster: cluster.clusterVersion ?? cluster.version })),
      addLearner: async (peerUrl: string) => {
        await write(`add ${peerUrl}`, () => {
          if (cluster.members.some(({ isLearner }) => isLearner)) throw fault("ETCD_REFUSED", "too many learner members in cluster");
          const id = String(cluster.next);
          cluster.next += 1;
          cluster.members = [...cluster.members, { id, name: "", peerUrls: [peerUrl], clientUrls: [], isLearner: true }];
        });
        return [...cluster.members];
      },
      promote: (id: string) =>
        write(`promote ${id}`, () => {
          cluster.notInSync -= 1;
          if (cluster.notInSync >= 0) throw fault("ETCD_REFUSED", "can only promote a learner member which is in sync with leader");
          change(id, { isLearner: false });
          cluster.young = 1;
        }),
      update: (id: string, peerUrl: string) =>
        write(`update ${id} ${peerUrl}`, () => {
          change(id, { peerUrls: [peerUrl] });
        }),
      remove: (id: string) =>
        write(`remove ${id}`, () => {
          const member = cluster.members.find((one) => one.id === id);
          if (!member) throw fault("ETCD_REFUSED", "member not found");
          if (!member.isLearner && lives(member) && cluster.young > 0) {
            cluster.young -= 1;
            throw fault("ETCD_REFUSED", "unhealthy cluster");
          }
          cluster.members = cluster.members.filter((one) => one !== member);
        }),
      close: () => undefined,
    };
    // A class with private fields cannot be implemented by another.
    return client as unknown as ReturnType<EtcdAccess["at"]>;
  };
  return { at };
}

function fault(code: string, message: string): TsdeployError {
  return new TsdeployError("failed", { code, message, hint: "Look." });
}
