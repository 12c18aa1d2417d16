import { setTimeout as delay } from "node:timers/promises";
import type { EtcdClient } from "../api/etcdClient.js";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import { isProblem, TsdeployError } from "../model/errors.js";

/**
 * Removes the member that is meant; none is fine. etcd refuses while two that vote have known each other for
 * less than five seconds (`mayRemoveMember`: they count as not connected), so it is asked until the signal aborts.
 *
 * @throws TsdeployError `ETCD_REFUSED`, with why it refused last; else as the client does
 */
export async function removeWhere(
  etcd: EtcdClient,
  isMeant: (member: EtcdMember) => boolean,
  signal: AbortSignal,
): Promise<void> {
  let refusal: TsdeployError | undefined;
  for (;;) {
    try {
      const { members } = await etcd.members({ signal });
      const member = members.find(isMeant);
      if (member) await etcd.remove(member.id, { signal });
      return;
    } catch (error) {
      // A request that the signal has cut short says nothing.
      if (signal.aborted) throw refusal ?? error;
      if (!isRefusal(error)) throw error;
      refusal = error;
    }
    await delay(250, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether etcd has answered, and said no. */
export function isRefusal(error: unknown): error is TsdeployError {
  return isProblem(error, "ETCD_REFUSED");
}

/** Where a member's clients and peers reach it. */
export function hostOf({ clientUrls, peerUrls }: EtcdMember): string {
  return new URL(peerUrls[0] ?? clientUrls[0] ?? "https://127.0.0.1").hostname;
}
