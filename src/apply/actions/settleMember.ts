import { memberAt } from "../../kubernetes/etcdMembers.js";
import { TsdeployError } from "../../model/errors.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import type { Sight } from "../waitFor.js";

/** A learner answers no question about members: who votes already is asked. */
export async function settleMember({ member, from }: ActionOf<"settle-member">, { run, step }: StepTools): Promise<void> {
  const { peerUrl } = member;
  const here = run.etcd.at("127.0.0.1");
  await run.wait(step, async (signal): Promise<Sight> => {
    try {
      const { own, members } = await here.members({ signal });
      const mine = members.find(({ id }) => id === own);
      if (mine && !mine.isLearner) {
        if (mine.peerUrls.length !== 1 || mine.peerUrls[0] !== peerUrl) await here.update(own, peerUrl, { signal });
        return { done: true };
      }
    } catch (error) {
      if (!isEtcds(error)) throw error;
      if (from === undefined) return { done: false, seen: messageOf(error) };
    }
    if (from === undefined) return { done: false, seen: "etcd here does not vote" };
    try {
      const other = run.etcd.at(from);
      const learner = memberAt((await other.members({ signal })).members, peerUrl);
      // Said before: the answer may be lost.
      run.memberVotes ||= learner !== undefined;
      if (learner?.isLearner === true) await other.promote(learner.id, { signal });
      return { done: false, seen: learner ? "etcd gets the cluster's data" : "etcd here is no member" };
    } catch (error) {
      if (!isEtcds(error)) throw error;
      return { done: false, seen: messageOf(error) };
    }
  });
}

function isEtcds(error: unknown): error is TsdeployError {
  return error instanceof TsdeployError && (error.problems[0]?.code.startsWith("ETCD_") ?? false);
}

function messageOf({ problems }: TsdeployError): string {
  return problems[0]?.message ?? "";
}
