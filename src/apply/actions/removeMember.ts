import type { EtcdClient } from "../../api/etcdClient.js";
import { messageOf } from "../../model/errors.js";
import type { ActionOf } from "../../model/plan.js";
import { withAnySignal } from "../../model/signals.js";
import { hostOf, removeWhere } from "../etcdMembership.js";
import type { StepTools } from "../planRun.js";

/**
 * By another member where one answers: one that removes itself may end before it has said so. With `force`, meant for a
 * cluster that is not well, nobody waits for etcd to let it go.
 */
export async function removeMember({ member, from, force }: ActionOf<"remove-member">, { run }: StepTools): Promise<void> {
  const { signal, report, timeoutMs } = run.context;
  try {
    const asked = run.etcd.at(from);
    const { members } = await asked.members({ signal });
    const own = members.find(({ id }) => id === member.id);
    if (!own) return;
    const voters = members.filter(({ id, isLearner }) => id !== own.id && !isLearner);
    const etcd = (await firstThatAnswers(voters.map((one) => run.etcd.at(hostOf(one))), signal)) ?? asked;
    if (force) await etcd.remove(own.id, { signal });
    else {
      const deadline = AbortSignal.timeout(timeoutMs);
      await withAnySignal([signal, deadline], (either) => removeWhere(etcd, ({ id }) => id === own.id, either));
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!force) throw error;
    report({ kind: "warning", message: `etcd's member ${member.name} could not be removed: ${messageOf(error)}` });
  }
}

async function firstThatAnswers(clients: readonly EtcdClient[], signal: AbortSignal): Promise<EtcdClient | undefined> {
  for (const client of clients) {
    if (await client.members({ signal }).catch(() => undefined)) return client;
  }
  return undefined;
}
