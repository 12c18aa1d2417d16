import { major, minor, parse } from "semver";
import { isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import { etcdThatRan, etcdToRun } from "../image/etcdVersion.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdCopy, etcdMember, etcdPort, etcdScrap, labels, paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Health, Step } from "../model/plan.js";
import { peerUrl } from "./etcdContainer.js";
import type { NodeIdentity } from "./nodeIdentity.js";
import { step, when } from "./step.js";

/** What makes a master one of several. */
interface Members {
  readonly node: NodeIdentity;
  /** The address of another master that lives, by which this one becomes a further one. */
  readonly joins: string | undefined;
  /** etcd as it makes a cluster. */
  readonly founder: ContainerSpec;
}

/** The steps that bring etcd to run, and what has to be done before a file is written. */
export interface EtcdSteps {
  readonly steps: readonly Step[];
  /** Steps that `files` needs: a new API server must not write into data of which there is no copy yet. */
  readonly beforeFiles: readonly string[];
  /** Steps that the kubelet needs: an API server ends where etcd only learns, or is about to be replaced. */
  readonly beforeApi: readonly string[];
}

export interface EtcdStepsInput {
  readonly etcd: ContainerSpec;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  /** Steps that come before anything stops. */
  readonly needs: readonly string[];
  /** Where there may be several. */
  readonly members?: Members | undefined;
}

/**
 * etcd itself; and where Kubernetes or etcd goes up a minor version, which no data comes back from, a copy of the data
 * first, unless etcd turns out to have other members. A copy of the folder of an etcd that has stopped holds all that
 * any API of it stores; a snapshot of etcd's API v3 would lack what Kubernetes up to v1.5 keeps in v2.
 */
export function etcdSteps({ etcd, features, observed, needs: given, members }: EtcdStepsInput): EtcdSteps {
  const running = observed.engine.containers.filter(
    (container) => isOurs(container) && container.labels[labels.component] === "etcd" && container.state === "running",
  );
  const { goesUp, etcdGoesTo: goesTo } = changeOf(features, observed);
  const isUpgrade = observed.host.etcdData && goesUp;
  const isInterrupted = observed.host.entries.includes(etcdCopy);
  const phase = "control plane";
  const isReplaced = isUpgrade || running.some((one) => one.labels[labels.spec] !== etcd.labels[labels.spec]);
  const spares = when(
    members !== undefined && running.length > 0 && isReplaced,
    step("etcd-spared", phase, given, { kind: "spare-member" }),
  );
  const needs = [...given, ...spares.map(({ id }) => id)];
  const containers = running.map(({ id, name }) => ({ id, name, graceSeconds: etcd.stopGraceSeconds ?? 10 }));
  const stops = when(
    isUpgrade && containers.length > 0,
    step("etcd-stop", phase, needs, { kind: "stop-containers", containers, comesBack: true }),
  );
  const copies = when(
    isUpgrade || isInterrupted,
    step("etcd-copy", phase, [...needs, ...stops.map(({ id }) => id)], {
      kind: "keep-copy",
      folder: etcdMember,
      copy: etcdCopy,
      scrap: etcdScrap,
      ...(members && { several: defined({ goesTo }) }),
    }),
  );
  // Of a copy that was cut off; the making of another one removes it before.
  const tidies = when(
    copies.length === 0 && observed.host.entries.includes(etcdScrap),
    step("etcd-scrap", phase, ["etcd"], { kind: "remove-folder", path: etcdScrap }),
  );
  const health = { port: etcdPort };
  const { first, last, values, founder, beforeApi } = memberSteps(etcd, health, members, observed);
  return {
    beforeFiles: [...spares, ...copies].map(({ id }) => id),
    beforeApi,
    steps: [
      ...spares,
      ...stops,
      ...copies,
      // After the record of what the host was like: the folder is not part of that.
      step("etcd-data", "files", ["files"], { kind: "make-folder", path: paths.etcd, mode: 0o700 }),
      ...first,
      step("etcd", phase, ["etcd-data", ...first.map(({ id }) => id), ...needs], {
        kind: "run-container",
        container: founder ?? etcd,
        health,
        ...defined({ values }),
      }),
      ...last,
      ...tidies,
    ],
  };
}

interface MemberSteps {
  readonly first: readonly Step[];
  readonly last: readonly Step[];
  readonly beforeApi: readonly string[];
  /** Of a member that no other one has let in. */
  readonly values?: Readonly<Record<string, string>>;
  /** What runs first of a new cluster. */
  readonly founder?: ContainerSpec;
}

/** What makes etcd here one of several. With data it is a member already, though perhaps one that does not vote yet. */
function memberSteps(
  etcd: ContainerSpec,
  health: Health,
  members: Members | undefined,
  { host }: ObservedHost,
): MemberSteps {
  if (!members) return { first: [], last: [], beforeApi: [] };
  const { node, joins, founder } = members;
  const member = { name: node.nodeName, peerUrl: peerUrl(node.nodeIp) };
  const isNew = joins !== undefined && !host.etcdData;
  const phase = "control plane";
  const values = { etcdMembers: `${member.name}=${member.peerUrl}` };
  const votes = step("etcd-votes", phase, ["etcd"], { kind: "settle-member", member, ...defined({ from: joins }) });
  if (joins === undefined && !host.etcdData) {
    // Should the data be lost one day, it must not begin anew by itself: the others would take its entries for theirs.
    const lasts = step("etcd-lasts", phase, ["etcd-votes"], { kind: "replace-container", container: etcd, health, values });
    return { first: [], last: [votes, lasts], beforeApi: [lasts.id], founder };
  }
  return {
    first: isNew ? [step("etcd-member", phase, ["etcd-data"], { kind: "add-member", member, from: joins })] : [],
    last: [votes],
    beforeApi: when(joins !== undefined, votes.id),
    values,
  };
}

interface VersionChange {
  /** Kubernetes or etcd changes its minor version, as far as is known. */
  readonly goesUp: boolean;
  /** The minor version that etcd changes to, such as `3.6`. */
  readonly etcdGoesTo?: string | undefined;
}

/** Between the versions that the data was last used by and those of this run. */
function changeOf(features: VersionFeatures, { files, engine, host }: ObservedHost): VersionChange {
  const text = files.get(paths.options)?.content;
  if (text === undefined || !isMasterOptions(text)) return { goesUp: false };
  const accepted = parseAcceptedOptions(text);
  /** The minor version after the change, if it is another one. */
  const change = (from: string | undefined, to: string | undefined): string | undefined => {
    const [before, after] = [parse(from), parse(to)];
    const isOther = before !== null && after !== null && minor(before) !== minor(after);
    return isOther ? `${major(after)}.${minor(after)}` : undefined;
  };
  const etcdGoesTo = change(etcdThatRan(engine.containers) ?? accepted.etcdVersion, etcdToRun(features, host));
  return { goesUp: (change(accepted.k8sVersion, features.version) ?? etcdGoesTo) !== undefined, etcdGoesTo };
}
