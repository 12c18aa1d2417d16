import { deleteNode } from "../apply/leaveCluster.js";
import { hostOf } from "../apply/etcdMembership.js";
import { type EtcdMember, removalRefusal } from "../kubernetes/etcdMembers.js";
import { TsdeployError } from "../model/errors.js";
import type { CommonOptions, MemberRemoveOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";
import { adminApi } from "./hostApi.js";
import { HostEtcd } from "./hostEtcd.js";
import { withHelper } from "./withHelper.js";

/** A member of etcd, as this host's master sees it. */
export interface ListedMember {
  readonly name: string;
  readonly address: string;
  readonly state: "votes" | "learns" | "does not answer";
}

/** @throws TsdeployError `unreachable`, `ETCD_UNREACHABLE`; `conflict`, `CA_MISSING`, on a host that is no master */
export async function listMembers(options: CommonOptions, context: RunContext): Promise<ListedMember[]> {
  return onEtcd(options, context, async ({ etcd }) => {
    const { members } = await etcd.at("127.0.0.1").members({ signal: context.signal });
    const living = await etcd.living(members, context.signal);
    return members.map((member) => ({ name: nameOf(member), address: hostOf(member), state: stateOf(member, living) }));
  });
}

/**
 * Removes a master that is lost for good from the cluster: etcd's member and the Node.
 *
 * @throws TsdeployError `conflict`, `MEMBER_LIVES`, `ETCD_QUORUM`; `usage`, `NO_SUCH_MEMBER`
 */
export async function removeLostMember(options: MemberRemoveOptions, context: RunContext): Promise<void> {
  const { name } = options;
  const { signal } = context;
  await onEtcd(options, context, async ({ etcd, forgetNode }) => {
    const { members } = await etcd.at("127.0.0.1").members({ signal });
    const member = members.find((one) => nameOf(one) === name);
    if (!member) throw noSuchMember(name, members);
    const living = await etcd.living(members, signal);
    if (living.has(member.id)) throw memberLives(name);
    const refusal = removalRefusal(members, living, member.id);
    if (refusal !== undefined) {
      throw new TsdeployError("conflict", {
        code: "ETCD_QUORUM",
        message: `${name} cannot be removed: ${refusal}`,
        hint: "Bring the other masters back first.",
      });
    }
    // The member last: by it the same command finds again what it has to do, should the first fail.
    await forgetNode(name);
    await etcd.at("127.0.0.1").remove(member.id, { signal });
  });
}

interface OnEtcd {
  readonly etcd: HostEtcd;
  readonly forgetNode: (name: string) => Promise<void>;
}

async function onEtcd<T>(options: CommonOptions, context: RunContext, use: (on: OnEtcd) => Promise<T>): Promise<T> {
  return withHelper(options, context, async ({ helper }) => {
    const files = await helper.readFiles();
    const api = await adminApi(helper, files);
    try {
      const etcd = HostEtcd.byFiles(helper, files, { timeoutMs: 120_000 });
      try {
        return await use({ etcd, forgetNode: (name) => deleteNode(api, name, context.signal) });
      } finally {
        etcd.close();
      }
    } finally {
      api.close();
    }
  });
}

function stateOf({ id, isLearner }: EtcdMember, living: ReadonlySet<string>): ListedMember["state"] {
  if (!living.has(id)) return "does not answer";
  return isLearner ? "learns" : "votes";
}

/** One that has never run has no name yet. */
function nameOf(member: EtcdMember): string {
  return member.name || hostOf(member);
}

function noSuchMember(name: string, members: readonly EtcdMember[]): TsdeployError {
  return new TsdeployError("usage", {
    code: "NO_SUCH_MEMBER",
    message: `the cluster has no master ${JSON.stringify(name)}; it has ${members.map(nameOf).join(", ")}`,
    hint: "Give one of these names, as `tsdeploy member list` shows them.",
  });
}

function memberLives(name: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "MEMBER_LIVES",
    message: `the etcd of ${name} answers: it is not lost`,
    hint: "Run `tsdeploy teardown` on its host: it leaves the cluster in order.",
  });
}
