import { gt, minor, parse } from "semver";
import { isMasterOptions } from "../config/acceptedOptions.js";
import { etcdThatRan, etcdToRun } from "../image/etcdVersion.js";
import { etcdChange } from "../kubernetes/etcdVersions.js";
import { nodeCidrMaskSizes } from "../kubernetes/networks.js";
import { featuresOf } from "../kubernetes/versions.js";
import { familiesText } from "../model/addressRanges.js";
import { defined } from "../model/defined.js";
import { unreachable } from "../model/errors.js";
import type { Finding } from "../model/finding.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { kubeletOf } from "../model/ownership.js";
import { etcdCopy, etcdMember, paths } from "../model/hostLayout.js";
import type { Check } from "./check.js";

/** What must not be done to the data that an earlier master left. */
export const dataChecks: readonly Check<ObservedHost>[] = [
  {
    name: "identity-lost",
    check({ host, files }, { role }) {
      if (role === "worker" || !host.etcdData || !isMasterOptions(files.get(paths.options)?.content)) {
        return undefined;
      }
      const missing = ["ca.crt", "ca.key", "sa.key"]
        .map((name) => `${paths.pki}/${name}`)
        .filter((path) => !files.has(path));
      if (missing.length === 0) {
        return undefined;
      }
      return {
        kind: "conflict",
        code: "IDENTITY_LOST",
        message: `${paths.etcd} holds a cluster's data, but ${missing.join(", ")} of that cluster is gone`,
        hint: `Put it back from a backup, or start anew with \`tsdeploy teardown --purge\`, which deletes the data.`,
      };
    },
  },
  {
    name: "etcd-lost",
    check({ host, engine }, { role, accepted }) {
      // Where the kubelet's container was made etcd had begun. A further master is let in anew by the others.
      const hasRun = accepted?.severalMasters === true && kubeletOf(engine.containers) !== undefined;
      if (role === "worker" || !hasRun || accepted.join !== undefined || host.etcdData) return undefined;
      return {
        kind: "conflict",
        code: "ETCD_DATA_LOST",
        message: `This master of several has run before, and its etcd's data is not in ${paths.etcd} any more`,
        hint:
          `Bring it back (is its disk mounted?)${copyThere(host)}. If it is lost for good: \`tsdeploy teardown --purge --force\` here, ` +
          "`tsdeploy member remove` with this node's name on a master that lives, and join this host anew by " +
          "`tsdeploy master --join`.",
      };
    },
  },
  {
    name: "kept-cluster",
    check({ host, files }, { role }) {
      const authority = `${paths.pki}/ca.key`;
      // An etcd of somebody else's is no business of a worker.
      const etcdData = host.etcdData && isMasterOptions(files.get(paths.options)?.content);
      if (role !== "worker" || (!etcdData && !files.has(authority))) {
        return undefined;
      }
      return {
        kind: "conflict",
        code: "CLUSTER_KEPT",
        message: `The host keeps another cluster: ${etcdData ? paths.etcd : authority} is there`,
        hint: "`tsdeploy master` goes on with it; `tsdeploy teardown --purge` deletes it for good.",
      };
    },
  },
  {
    name: "version-change",
    check(_, { role, accepted, version }) {
      return role === "worker" ? undefined : versionChange(accepted?.version, version);
    },
  },
  {
    name: "etcd-change",
    check({ host, engine }, { role, accepted, version }) {
      if (role === "worker" || version === undefined || !host.etcdData) {
        return undefined;
      }
      const from = etcdThatRan(engine.containers) ?? accepted?.etcdVersion;
      const to = etcdToRun(featuresOf(version), host);
      if (from === undefined || to === undefined) {
        return undefined;
      }
      return unsafeEtcdChange(from, to, accepted?.version ?? version);
    },
  },
  {
    name: "cluster-addresses",
    check(_, { role, accepted, serviceCidr, podCidr, nodeCidrMaskSize, clusterDomain }) {
      if (role === "worker" || accepted === undefined) {
        return undefined;
      }
      const found: Finding[] = [];
      const refuse = (code: string, what: string, option: string, was: string, is: string | undefined): void => {
        if (is !== undefined && is !== was) {
          found.push({
            kind: "conflict",
            code,
            message: `The cluster's ${what} is ${was} and cannot become ${is}: nodes, Services and pods hold on to it`,
            hint: `Leave out ${option}, or start anew with \`tsdeploy teardown --purge\`, which deletes the data.`,
          });
        }
      };
      refuse("SERVICE_CIDR_CHANGED", "Service CIDR", "--service-cidr", familiesText(accepted.serviceCidr), serviceCidr && familiesText(serviceCidr));
      refuse("POD_CIDR_CHANGED", "pod CIDR", "--pod-cidr", familiesText(accepted.podCidr), podCidr && familiesText(podCidr));
      const sizes = (size: readonly number[] | undefined): string =>
        nodeCidrMaskSizes({ podCidr: accepted.podCidr, ...defined({ nodeCidrMaskSize: size }) })
          .map((bits) => `/${bits}`)
          .join(", ");
      refuse("NODE_CIDR_MASK_SIZE_CHANGED", "size of nodes' pod CIDRs", "--node-cidr-mask-size", sizes(accepted.nodeCidrMaskSize), nodeCidrMaskSize && sizes(nodeCidrMaskSize));
      refuse("CLUSTER_DOMAIN_CHANGED", "domain", "--cluster-domain", accepted.clusterDomain, clusterDomain);
      return found;
    },
  },
];

/** An undo cut off between its two renames has left the copy alone, which is good only for a cluster of one. */
function copyThere({ entries }: ObservedHost["host"]): string {
  if (!entries.includes(etcdCopy)) return "";
  return `; if it was the cluster's only master, \`mv ${etcdCopy} ${etcdMember}\` does`;
}

/** What stands against bringing a cluster from one version to another; nothing is known of an undefined one. */
export function versionChange(before: string | undefined, after: string | undefined): Finding | undefined {
  const [from, to] = [parse(before), parse(after)];
  if (from === null || to === null) {
    return undefined;
  }
  if (gt(from, to)) {
    return {
      kind: "conflict",
      code: "DOWNGRADE",
      message: `The cluster runs Kubernetes v${from.version}; its data cannot go back to v${to.version}`,
      hint: `Say --k8s-version v${from.version} or later.`,
    };
  }
  if (featuresOf(from.version).etcdApi !== featuresOf(to.version).etcdApi) {
    return {
      kind: "conflict",
      code: "ETCD_API_CHANGED",
      message:
        `Kubernetes v${from.version} keeps its objects in etcd's API v2, v${to.version} looks for them in v3: ` +
        "the cluster would seem empty",
      hint:
        `Stay with v${from.major}.${from.minor} (--k8s-version v${from.version}); or save the objects with ` +
        "`kubectl get -o yaml`, begin anew with `tsdeploy teardown --purge`, which deletes the data, and apply them there.",
    };
  }
  if (from.major === to.major && minor(to) - minor(from) <= 1) {
    return undefined;
  }
  return {
    kind: "conflict",
    code: "MINOR_SKIPPED",
    message: `The cluster runs Kubernetes v${from.version}; v${to.version} is more than one minor version up`,
    hint: `Go to v${from.major}.${from.minor + 1} first.`,
  };
}

/** What stands against starting an etcd on data that another one ran on last, in a cluster of this version. */
export function unsafeEtcdChange(from: string, to: string, clusterVersion: string): Finding | undefined {
  const change = etcdChange(from, to);
  if (change.kind === "safe") {
    return undefined;
  }
  const { stop } = change;
  const build = `\`tsdeploy image build --k8s-version ${clusterVersion}\``;
  const refusal = (code: string, why: string, hint: string): Finding => ({
    kind: "conflict",
    code,
    message: `The data in ${paths.etcd} was last used by etcd ${from}; etcd ${to} ${why}`,
    hint,
  });
  switch (change.why) {
    case "downgrade":
      return refusal(
        "ETCD_DOWNGRADE",
        "cannot go back on it",
        `Name an image with etcd ${stop} by --image: ${build} makes one with a newer etcd than published images come with.`,
      );
    case "skipped":
      return refusal(
        "ETCD_UPGRADE_SKIPS",
        "is more than one minor version up",
        `Run this cluster with etcd ${stop} first: name an image that has it by --image.`,
      );
    case "unsafe":
      return refusal(
        "ETCD_UPGRADE_UNSAFE",
        `must not follow an etcd before ${stop}: removed members would come back`,
        `Run this cluster once with etcd ${stop} or later: ${build}, then \`tsdeploy master --k8s-version ` +
          `${clusterVersion}\`, then this again.`,
      );
    default:
      return unreachable(change.why);
  }
}
