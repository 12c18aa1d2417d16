import type { KubernetesClient } from "../api/kubernetesClient.js";
import { hostOf, removeWhere } from "../apply/etcdMembership.js";
import { deleteNode } from "../apply/leaveCluster.js";
import { isMasterNode, isReadyNode, nodeOf } from "../apply/probes.js";
import { type EtcdMember, removalRefusal } from "../kubernetes/etcdMembers.js";
import { TsdeployError } from "../model/errors.js";
import type { CommonOptions, MemberRemoveOptions } from "../model/options.js";
import { withAnySignal } from "../model/signals.js";
import type { RunContext } from "../report/runContext.js";
import { adminApi } from "./hostApi.js";
import { HostEtcd } from "./hostEtcd.js";
import { withHelper } from "./withHelper.js";

/** For etcd to let a member go, which it does not while it elects. */
const timeoutMs = 120_000;

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
 * Removes a master that is lost for good from the cluster: etcd's member and the Node. The member first: `up --prune`
 * looks for no member without a Node, and it would count for ever among those whose majority has to live. A Node
 * without a member is found by the same command and by `up --prune`.
 *
 * @throws TsdeployError `conflict`, `MEMBER_LIVES`, `ETCD_QUORUM`; `usage`, `NO_SUCH_MEMBER`
 */
export async function removeLostMember(options: MemberRemoveOptions, context: RunContext): Promise<void> {
  const { name } = options;
  const { signal } = context;
  await onEtcd(options, context, async ({ etcd, api }) => {
    const here = etcd.at("127.0.0.1");
    const { members } = await here.members({ signal });
    const member = members.find((one) => nameOf(one) === name);
    if (!member) {
      if (!(await isLostMaster(api, name, signal))) throw noSuchMember(name, members);
      await deleteNode(api, name, signal);
      return;
    }
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
    const deadline = AbortSignal.timeout(timeoutMs);
    await withAnySignal([signal, deadline], (either) => removeWhere(here, ({ id }) => id === member.id, either));
    await deleteNode(api, name, signal);
  });
}

/** Whether there is a Node of this name that was a master, and whose kubelet does not report. */
async function isLostMaster(api: KubernetesClient, name: string, signal: AbortSignal): Promise<boolean> {
  const node = await nodeOf(api, name, signal);
  return node !== undefined && isMasterNode(node) && !isReadyNode(node);
}

interface OnEtcd {
  readonly etcd: HostEtcd;
  readonly api: KubernetesClient;
}

async function onEtcd<T>(options: CommonOptions, context: RunContext, use: (on: OnEtcd) => Promise<T>): Promise<T> {
  return withHelper(options, context, async ({ helper }) => {
    const files = await helper.readFiles();
    const api = await adminApi(helper, files);
    try {
      const etcd = HostEtcd.byFiles(helper, files, { timeoutMs });
      try {
        return await use({ etcd, api });
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
