/** A member of a cluster's etcd. */
export interface EtcdMember {
  /** As etcd writes it in JSON: a decimal number. */
  readonly id: string;
  /** Its node's name; empty before it has run for the first time. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  /** It gets the data, and does not count yet. */
  readonly isLearner: boolean;
}

/** How many members have to live for etcd to take a write. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * What keeps a member from being removed: that those which are left would not be enough, or that those which live are
 * not enough already. Learners do not count. The last member is nobody's to remove.
 *
 * @param living ids of the members that answer
 * @returns undefined if nothing does
 */
export function removalRefusal(
  members: readonly EtcdMember[],
  living: ReadonlySet<string>,
  removed: string,
): string | undefined {
  const voters = members.filter(({ isLearner }) => !isLearner);
  const alive = voters.filter(({ id }) => living.has(id));
  if (!members.some(({ id }) => id === removed)) return undefined;
  if (alive.length < quorumOf(voters.length)) {
    return `of ${voters.length} members ${alive.length} live, and ${quorumOf(voters.length)} have to for any change`;
  }
  const left = voters.filter(({ id }) => id !== removed);
  if (left.length === voters.length) return undefined;
  if (left.length === 0) return "it is the last member";
  const aliveLeft = left.filter(({ id }) => living.has(id));
  if (aliveLeft.length >= quorumOf(left.length)) return undefined;
  const dead = left.filter(({ id }) => !living.has(id)).map(({ name, id }) => name || id);
  return (
    `of the ${left.length} members that would be left ${aliveLeft.length} would live, and ${quorumOf(left.length)} have to: ` +
    `${dead.join(", ")} ${dead.length === 1 ? "does" : "do"} not answer`
  );
}

/** The member that is, or is to be, at a peer's URL. */
export function memberAt(members: readonly EtcdMember[], peerUrl: string): EtcdMember | undefined {
  return members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
}

/** `--initial-cluster`: what a new member has to be told of all, itself too. One that has never run has no name yet. */
export function initialCluster(
  members: readonly EtcdMember[],
  own: { readonly name: string; readonly peerUrl: string },
): string {
  return members
    .flatMap(({ id, name, peerUrls }) =>
      peerUrls.map((url) => `${peerUrls.includes(own.peerUrl) ? own.name : name || `member-${id}`}=${url}`),
    )
    .sort()
    .join(",");
}
