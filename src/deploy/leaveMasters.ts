import { fromKubeconfig } from "../api/fromKubeconfig.js";
import type { KubernetesClient } from "../api/kubernetesClient.js";
import type { EtcdAccess } from "../apply/applyContext.js";
import { probeApi } from "../apply/probes.js";
import { hostOf } from "../apply/etcdMembership.js";
import { isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import { type EtcdMember, memberAt, removalRefusal } from "../kubernetes/etcdMembers.js";
import { featuresOf } from "../kubernetes/versions.js";
import { isProblem, messageOf, TsdeployError } from "../model/errors.js";
import { apiserverPort, labels, paths } from "../model/hostLayout.js";
import type { TeardownOptions } from "../model/options.js";
import { isOurs } from "../model/ownership.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import { peerUrl } from "../plan/etcdContainer.js";
import type { LeavePlan } from "../plan/planTeardown.js";
import type { RunContext } from "../report/runContext.js";
import { HostEtcd } from "./hostEtcd.js";
import type { HostWithRecords } from "./hostToTearDown.js";
import { masterAddress } from "./membership.js";

const here = "127.0.0.1";

/** How a master leaves others behind. */
export interface LeavingMaster {
  readonly plan: LeavePlan;
  readonly api: KubernetesClient;
  readonly etcd: HostEtcd;
}

/**
 * How one of several masters leaves its cluster; the last one takes the cluster with it, as a single one does.
 *
 * @returns undefined for one that has no others
 * @throws TsdeployError `conflict`, `ETCD_QUORUM`, if those that would be left could not go on; `unreachable`,
 * `ETCD_UNREACHABLE`, if nobody can be asked; as `ownMember` does. None with `--force`
 */
export async function masterToLeave(
  { helper, files, engineFacts }: HostWithRecords,
  options: TeardownOptions,
  context: RunContext,
): Promise<LeavingMaster | undefined> {
  const text = files.get(paths.options)?.content;
  if (text === undefined || !isMasterOptions(text)) return undefined;
  const { severalMasters, nodeName, ip, k8sVersion, join } = parseAcceptedOptions(text);
  const hasEtcd = engineFacts.containers.some((one) => isOurs(one) && one.labels[labels.component] === "etcd");
  // Where etcd here does not run, or only learns, the master by which this one has joined knows what became of it.
  const hosts = [...(hasEtcd ? [here] : []), ...(join === undefined ? [] : [masterAddress(join).host])];
  // A run that was cut short before it had its certificates has asked nobody for anything.
  const canAsk = hasEtcd || files.has(`${paths.pki}/apiserver-etcd-client.key`);
  if (!severalMasters || hosts.length === 0 || !canAsk) return undefined;
  const { signal } = context;
  const etcd = HostEtcd.byFiles(helper, files, options);
  let api: KubernetesClient | undefined;
  try {
    const { from, members, own } = await ownMember(etcd, hosts, { name: nodeName, peerUrl: peerUrl(ip[0]) }, signal);
    if (members.every(({ id, isLearner }) => id === own?.id || isLearner)) {
      etcd.close();
      return undefined;
    }
    const living = own && (await etcd.living(members, signal));
    if (own && from === here) living?.add(own.id);
    const refusal = own && living && removalRefusal(members, living, own.id);
    if (refusal !== undefined && !options.force) throw noQuorum(nodeName, refusal);
    api = await livingApi(helper, files, members, options, signal);
    const evictionApiVersion = featuresOf(k8sVersion).apis.eviction;
    const { force } = options;
    const member = { known: own && { id: own.id, name: nodeName }, from };
    const plan = { node: nodeName, member, force, ...(!force && { evictionApiVersion }) };
    return { plan, api, etcd };
  } catch (error) {
    etcd.close();
    api?.close();
    signal.throwIfAborted();
    if (!options.force && hasEtcd) throw withHint(error, nodeName);
    // One of this name may have taken its place, and is not to be removed.
    const isUnknown = isProblem(error, "ETCD_MEMBER_UNKNOWN");
    const command = isUnknown ? "tsdeploy member list" : `tsdeploy member remove ${nodeName}`;
    const message = `etcd's member ${nodeName} could not be removed: ${messageOf(error)}`;
    context.report({ kind: "warning", message: `${message}. On a master that lives, run: ${command}` });
    return undefined;
  }
}

export interface OwnMember {
  /** Where etcd answers. */
  readonly from: string;
  readonly members: readonly EtcdMember[];
  /** Undefined: the others know it no more. */
  readonly own: EtcdMember | undefined;
}

/**
 * The member of this host, as the first of these hosts that answers knows it. etcd here says itself which one it is:
 * its peers may find it still at another address than the accepted one. Elsewhere its address tells it; one of its name
 * at another address is this one, or has taken its place, so it is not taken for one that has left.
 *
 * @throws TsdeployError as the client does; `conflict`, `ETCD_MEMBER_UNKNOWN`
 */
export async function ownMember(
  etcd: EtcdAccess,
  hosts: readonly string[],
  host: { readonly name: string; readonly peerUrl: string },
  signal: AbortSignal,
): Promise<OwnMember> {
  const { from, own: id, members } = await firstThatAnswers(etcd, hosts, signal);
  if (from !== here) {
    const found = memberAt(members, host.peerUrl);
    const namesake = members.find(({ name }) => name === host.name);
    if (!found && namesake) throw otherAddress(namesake);
    return { from, members, own: found };
  }
  const own = members.find((member) => member.id === id);
  // Its data would be removed as that of one that has left, and it has not.
  if (!own) throw unknownMember(id);
  return { from, members, own };
}

async function firstThatAnswers(
  etcd: EtcdAccess,
  hosts: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly from: string; readonly own: string; readonly members: readonly EtcdMember[] }> {
  let failure: unknown;
  for (const from of hosts) {
    try {
      return { from, ...(await etcd.at(from).members({ signal })) };
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
    }
  }
  throw failure;
}

/** As an administrator, by the API server here, else by another one. */
async function livingApi(
  helper: HostWithRecords["helper"],
  files: HostWithRecords["files"],
  members: readonly EtcdMember[],
  options: TeardownOptions,
  signal: AbortSignal,
): Promise<KubernetesClient> {
  const adminConf = files.get(paths.adminConf)?.content ?? "";
  const hosts = [here, ...members.map(hostOf)];
  let last: KubernetesClient | undefined;
  for (const host of hosts) {
    const api = await fromKubeconfig({
      path: `${paths.adminConf} on the host`,
      text: adminConf,
      server: `https://${host}:${apiserverPort}`,
      connect: () => helper.openTcp(host, apiserverPort),
      readFile: () => Promise.resolve(""),
      timeoutMs: requestTimeoutMs(options.timeoutMs),
    });
    if ((await probeApi(api, signal)).done) {
      last?.close();
      return api;
    }
    last?.close();
    last = api;
  }
  if (!last) throw new Error("there is no master");
  return last;
}

function unknownMember(id: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "ETCD_MEMBER_UNKNOWN",
    message: `etcd on this host answers as member ${id || "without an id"}, which is not among the members that it names`,
    hint: "Look at `tsdeploy member list` here and on another master; --force takes this master off the host all the same.",
  });
}

function otherAddress({ name, peerUrls }: EtcdMember): TsdeployError {
  return new TsdeployError("conflict", {
    code: "ETCD_MEMBER_UNKNOWN",
    message: `etcd on this host does not answer, and the others know ${name} at another address: ${peerUrls.join(", ")}`,
    hint: `If that is this host: \`tsdeploy member remove ${name}\` on another master. --force takes it off the host alone.`,
  });
}

function noQuorum(node: string, why: string): TsdeployError {
  return new TsdeployError("conflict", {
    code: "ETCD_QUORUM",
    message: `without ${node} the cluster's etcd could take no write: ${why}`,
    hint:
      "Bring the other masters back, or replace a lost one (`tsdeploy master --join`), or remove it for good " +
      "(`tsdeploy member remove NAME`) first; --force goes on all the same.",
  });
}

function withHint(error: unknown, node: string): unknown {
  if (!(error instanceof TsdeployError) || error.problems[0]?.code !== "ETCD_UNREACHABLE") return error;
  const [{ message }] = error.problems;
  return new TsdeployError("unreachable", {
    code: "ETCD_UNREACHABLE",
    message: `${message}; so this master cannot leave the others`,
    hint: `Say --force to take it off this host alone; then, on a master that lives: \`tsdeploy member remove ${node}\`.`,
  });
}
