import { memberAt } from "../../kubernetes/etcdMembers.js";
import { messageOf } from "../../model/errors.js";
import type { ActionOf } from "../../model/plan.js";
import { hostOf } from "../etcdMembership.js";
import type { StepTools } from "../planRun.js";

/** By another member where one answers: one that removes itself may end before it has said so. */
export async function removeMember({ member, from, force }: ActionOf<"remove-member">, { run }: StepTools): Promise<void> {
  const { signal, report } = run.context;
  try {
    const asked = run.etcd.at(from);
    const { members } = await asked.members({ signal });
    const own = memberAt(members, member.peerUrl);
    if (!own) return;
    const voters = members.filter(({ id, isLearner }) => id !== own.id && !isLearner);
    const others = voters.map((one) => run.etcd.at(hostOf(one)));
    for (const other of others) {
      const answers = await other.members({ signal }).catch(() => undefined);
      if (!answers) continue;
      await other.remove(own.id, { signal });
      return;
    }
    await asked.remove(own.id, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!force) throw error;
    report({ kind: "warning", message: `etcd's member ${member.name} could not be removed: ${messageOf(error)}` });
  }
}
