import { listMembers, removeLostMember } from "../deploy/etcdMembers.js";
import type { MemberListOptions, MemberRemoveOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** `tsdeploy member list`: the masters, as etcd has them. */
export async function memberList(options: MemberListOptions, context: RunContext): Promise<CommandResult> {
  const members = await listMembers(options, context);
  const rows = members.map(({ name, address, state }) => [name, address, state]);
  return { data: { members }, text: textTable([["MASTER", "ADDRESS", "ETCD"], ...rows]) };
}

/** `tsdeploy member remove NAME`. */
export async function memberRemove(options: MemberRemoveOptions, context: RunContext): Promise<CommandResult> {
  await removeLostMember(options, context);
  return { data: { removed: options.name }, text: `Master ${options.name} is no member of the cluster any more.` };
}
