import { quorumOf } from "../../kubernetes/etcdMembers.js";
import { withAnySignal } from "../../model/signals.js";
import { hostOf } from "../etcdMembership.js";
import type { StepTools } from "../planRun.js";
import type { Sight } from "../waitFor.js";

/** Not longer than one that lives takes to answer, so that one that does not is no reason to wait for long. */
const answerMs = 10_000;

/** A member that does not vote, or that is alone, is needed by nobody; nor is anybody where no majority lives. */
export async function spareMember({ run, step }: StepTools): Promise<void> {
  const here = run.etcd.at("127.0.0.1");
  await run.wait(step, async (signal): Promise<Sight> => {
    const known = await here.members({ signal }).catch(() => undefined);
    signal.throwIfAborted();
    if (known) run.otherMembers = known.members.filter(({ id }) => id !== known.own);
    const voters = known?.members.filter(({ isLearner }) => !isLearner) ?? [];
    const others = voters.filter(({ id }) => id !== known?.own);
    if (others.length === voters.length || others.length === 0) return { done: true };
    const silent = await Promise.all(
      others.map(async (other) => {
        const etcd = run.etcd.at(hostOf(other));
        const patience = [signal, AbortSignal.timeout(answerMs)];
        const answer = withAnySignal(patience, (either) => etcd.members({ signal: either }));
        return answer.then(() => [], () => [other.name]);
      }),
    );
    const lost = silent.flat();
    const alive = others.length - lost.length;
    const needed = quorumOf(voters.length);
    if (lost.length === 0 || alive >= needed || alive + 1 < needed) return { done: true };
    return { done: false, seen: `etcd could not go on without this master: ${lost.join(", ")} does not answer` };
  });
}
