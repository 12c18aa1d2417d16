import type { EtcdClient } from "../api/etcdClient.js";
import { type EtcdMember, memberAt } from "../kubernetes/etcdMembers.js";

/** Removes the member at a peer's URL; none there is fine. */
export async function removeMemberAt(etcd: EtcdClient, peerUrl: string, signal: AbortSignal): Promise<void> {
  const { members } = await etcd.members({ signal });
  const member = memberAt(members, peerUrl);
  if (member) await etcd.remove(member.id, { signal });
}

/** Where a member's clients and peers reach it. */
export function hostOf({ clientUrls, peerUrls }: EtcdMember): string {
  return new URL(peerUrls[0] ?? clientUrls[0] ?? "https://127.0.0.1").hostname;
}
