import { type EtcdMember, initialCluster, memberAt } from "../../kubernetes/etcdMembers.js";
import { messageOf } from "../../model/errors.js";
import { etcdMember } from "../../model/hostLayout.js";
import type { ActionOf } from "../../model/plan.js";
import { isRefusal, removeWhere } from "../etcdMembership.js";
import type { StepTools } from "../planRun.js";
import type { Sight } from "../waitFor.js";

/**
 * What the container of the new member has to be told. A member that votes is removed again while its etcd still runs:
 * two that are without one take no write, not even its removal. If it cannot be removed it stays and goes on voting.
 */
export async function addMember({ member, from }: ActionOf<"add-member">, { run, step, leave }: StepTools): Promise<void> {
  const { name, peerUrl } = member;
  const etcd = run.etcd.at(from);
  const { helper, report, timeoutMs } = run.context;
  leave({
    retreat: async () => {
      try {
        const isOwn = ({ peerUrls }: EtcdMember): boolean => peerUrls.includes(peerUrl);
        await removeWhere(etcd, isOwn, AbortSignal.timeout(timeoutMs));
      } catch (error) {
        const message = `etcd's member ${name} could not be removed: ${messageOf(error)}`;
        if (run.memberVotes) throw new Error(`${message}. Run the same command again`, { cause: error });
        report({ kind: "warning", message: `${message}. Run the same command again, or \`tsdeploy member remove\` there` });
      }
    },
    // There was none before, and this is of no use to any other member.
    undo: async () => {
      await helper.run('rm -rf "/host$1"', [etcdMember]);
    },
  });
  await run.wait(step, async (signal): Promise<Sight> => {
    const { members } = await etcd.members({ signal });
    const own = memberAt(members, peerUrl);
    // A run that was cut short has added it, and it has never run: etcd tells it by its URL.
    if (own?.name === "") {
      run.values.set("etcdMembers", initialCluster(members, member));
      return { done: true };
    }
    // No data is here: it is that of a machine that is lost. etcd itself refuses where it lives and is needed.
    const lost = own ?? members.find((other) => other.name === name);
    return tolerant(async () => {
      if (lost) await etcd.remove(lost.id, { signal });
      else await etcd.addLearner(peerUrl, { signal });
      return lost ? `the member of the lost ${name} is removed` : "the member is being added";
    });
  });
}

/** etcd refuses while another member learns, and while members have only just found each other. */
async function tolerant(change: () => Promise<string>): Promise<Sight> {
  try {
    return { done: false, seen: await change() };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return { done: false, seen: error.problems[0]?.message ?? "" };
  }
}
