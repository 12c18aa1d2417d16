import { memberAt } from "../../kubernetes/etcdMembers.js";
import { messageOf } from "../../model/errors.js";
import type { ActionOf } from "../../model/plan.js";
import { hostOf, isRefusal } from "../etcdMembership.js";
import type { StepTools } from "../planRun.js";
import type { Sight } from "../waitFor.js";

/**
 * By another member where one answers: one that removes itself may end before it has said so. etcd refuses while two
 * members have known each other for less than five seconds, as after a reboot, so it is asked again; but not with
 * `force`, which is for clusters that are not well.
 */
export async function removeMember(action: ActionOf<"remove-member">, { run, step }: StepTools): Promise<void> {
  const { member, force } = action;
  const { signal, report } = run.context;
  try {
    if (force) await remove(action, run, signal);
    else await run.wait(step, async (waiting) => patiently(() => remove(action, run, waiting)));
  } catch (error) {
    signal.throwIfAborted();
    if (!force) throw error;
    report({ kind: "warning", message: `etcd's member ${member.name} could not be removed: ${messageOf(error)}` });
  }
}

async function remove(
  { member, from }: ActionOf<"remove-member">,
  run: StepTools["run"],
  signal: AbortSignal,
): Promise<void> {
  const asked = run.etcd.at(from);
  const { members } = await asked.members({ signal });
  const own = memberAt(members, member.peerUrl);
  if (!own) return;
  const voters = members.filter(({ id, isLearner }) => id !== own.id && !isLearner);
  for (const other of voters.map((one) => run.etcd.at(hostOf(one)))) {
    const answers = await other.members({ signal }).catch(() => undefined);
    if (answers) return other.remove(own.id, { signal });
  }
  await asked.remove(own.id, { signal });
}

async function patiently(change: () => Promise<void>): Promise<Sight> {
  try {
    await change();
    return { done: true };
  } catch (error) {
    if (!isRefusal(error) || !messageOf(error).includes("unhealthy cluster")) throw error;
    return { done: false, seen: messageOf(error) };
  }
}
