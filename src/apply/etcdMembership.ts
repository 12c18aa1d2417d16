import { setTimeout as delay } from "node:timers/promises";
import type { EtcdClient } from "../api/etcdClient.js";
import { type EtcdMember, memberAt } from "../kubernetes/etcdMembers.js";
import { TsdeployError } from "../model/errors.js";

/**
 * Removes the member at a peer's URL; none there is fine. etcd refuses while it has known one that votes for less than
 * five seconds (`mayRemoveMember`: it counts as not connected), so it is asked until the signal aborts.
 */
export async function removeMemberAt(etcd: EtcdClient, peerUrl: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const { members } = await etcd.members({ signal });
      const member = memberAt(members, peerUrl);
      if (member) await etcd.remove(member.id, { signal });
      return;
    } catch (error) {
      if (signal.aborted || !isRefusal(error)) throw error;
    }
    await delay(250, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether etcd has answered, and said no. */
export function isRefusal(error: unknown): error is TsdeployError {
  return error instanceof TsdeployError && error.problems[0]?.code === "ETCD_REFUSED";
}

/** Where a member's clients and peers reach it. */
export function hostOf({ clientUrls, peerUrls }: EtcdMember): string {
  return new URL(peerUrls[0] ?? clientUrls[0] ?? "https://127.0.0.1").hostname;
}
