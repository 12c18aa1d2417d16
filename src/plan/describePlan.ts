import type { ContainerSpec } from "../model/containerSpec.js";
import { unreachable } from "../model/errors.js";
import type { HostFile } from "../model/hostFile.js";
import { cniConfigFiles, paths } from "../model/hostLayout.js";
import type { ObjectReference } from "../model/kubernetesObject.js";
import type { Action, Plan, Probe } from "../model/plan.js";
import { sha256 } from "../model/specDigest.js";
import { bindText, type Change, containersOf, filesOf, type PlanDiff } from "./diff.js";

/** A plan for `--dry-run`: text for people, data for `--output json`. Neither holds a secret. */
export interface PlanDescription {
  readonly text: string;
  readonly data: unknown;
}

const secretText = "secret, not shown";

/**
 * Says all that a plan will do: steps in order, containers with every bind and flag, files, manifests as a whole; and
 * with a difference, what of that is not so already.
 */
export function describePlan(plan: Plan, difference?: PlanDiff): PlanDescription {
  const containers = containersOf(plan);
  const files = filesOf(plan);
  const shown = files.filter(isShown);
  const text = [
    `${plan.role} of cluster ${plan.clusterName}, Kubernetes ${plan.version}, node ${plan.nodeName}`,
    ...plan.warnings.map(({ message }) => `warning: ${message}`),
    "",
    ...(difference ? [...describeDifference(difference), ""] : []),
    "Steps",
    ...plan.steps.map(({ id, needs, action }) => {
      const after = needs.length > 0 ? ` (after ${needs.join(", ")})` : "";
      return `  ${id}: ${describeAction(action)}${after}`;
    }),
    "",
    ...containers.flatMap((container) => [...describeContainer(container), ""]),
    "Files",
    ...files.map((file) => `  ${modeOf(file)} ${file.path}  ${digestOf(file)}`),
    ...shown.flatMap((file) => ["", file.path, ...file.content.trimEnd().split("\n").map((line) => `  ${line}`)]),
    "",
  ].join("\n");
  const data = {
    role: plan.role,
    clusterName: plan.clusterName,
    version: plan.version,
    nodeName: plan.nodeName,
    warnings: plan.warnings,
    ...(difference && { changes: difference.changes, kept: difference.kept }),
    steps: plan.steps.map(({ id, phase, needs, action }) => ({ id, phase, needs, does: describeAction(action) })),
    containers,
    files: files.map((file) => ({
      path: file.path,
      mode: modeOf(file),
      ...(file.secret ? { secret: true } : { sha256: sha256(file.content) }),
      ...(isShown(file) && { content: file.content }),
    })),
  };
  return { text, data };
}

function describeDifference({ changes, kept }: PlanDiff): string[] {
  const indented = (lines: readonly string[]): string[] => lines.map((line) => `    ${line}`);
  return [
    changes.length === 0 ? "Changes: none" : "Changes",
    ...changes.flatMap((change) => [`  ${describeChange(change)}`, ...indented(change.lines)]),
    ...kept.flatMap(({ path, lines }) => [`  keep ${path} as it was edited on the host`, ...indented(lines)]),
  ];
}

/** `replace container kubelet`, `add /etc/kubernetes/…`. */
export function describeChange(change: Change): string {
  return change.kind === "container"
    ? `${change.change} container ${change.component}`
    : `${change.change} ${change.path}`;
}

/** Manifests and configuration files; of scripts and certificates the digest is shown. */
function isShown(file: HostFile): boolean {
  const { kubeletConfig, proxyConfig, schedulerConfig, flannelConfig, resolvConf } = paths;
  const shown =
    file.path.startsWith(`${paths.addons}/`) ||
    file.path.startsWith(`${paths.manifests}/`) ||
    [kubeletConfig, proxyConfig, schedulerConfig, flannelConfig, resolvConf, ...cniConfigFiles].includes(file.path);
  return shown && !file.secret;
}

function describeContainer(spec: ContainerSpec): string[] {
  const settings = [
    "host network",
    ...(spec.hostPid ? ["host PIDs"] : []),
    ...(spec.hostCgroupNamespace ? ["host cgroup namespace"] : []),
    ...(spec.privileged ? ["privileged"] : []),
    ...(spec.unlabelled ? ["not confined by SELinux"] : []),
    ...(spec.openFiles === undefined ? [] : [`${spec.openFiles} open files`]),
    `restart ${spec.restartPolicy}`,
  ];
  return [
    `Container ${spec.component}`,
    `  image ${spec.image}`,
    `  ${settings.join(", ")}`,
    "  command",
    ...spec.command.map((word) => `    ${word}`),
    ...Object.entries(spec.env ?? {}).map(([name, value]) => `  environment ${name}=${value}`),
    "  binds",
    ...spec.binds.map((bind) => `    ${bindText(bind)}`),
    "  labels",
    ...Object.entries(spec.labels).map(([name, value]) => `    ${name}=${value}`),
  ];
}

/** One line on what a step does. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case "write-files":
      return `write ${action.files.length} files`;
    case "make-folder":
      return `make folder ${action.path}, mode ${action.mode.toString(8)}`;
    case "remove-files":
      return `remove ${action.paths.join(", ")}`;
    case "pull-image":
      return `pull ${action.reference} unless it is here`;
    case "run-container":
      return `run container ${action.container.component}`;
    case "replace-container":
      return `run container ${action.container.component} as it is to last`;
    case "add-member":
      return `add etcd's member ${action.member.name} (${action.member.peerUrl}) by ${action.from}`;
    case "settle-member":
      return `wait until etcd's member ${action.member.name} votes`;
    case "spare-member":
      return "wait until etcd's other members can do without this one";
    case "remove-member":
      return `remove etcd's member ${action.member.name}`;
    case "wait":
      return `wait until ${describeProbe(action.probe)}`;
    case "apply-objects":
      return `apply ${action.objects.map(describeObject).join(", ")}`;
    case "delete-objects":
      return `delete ${action.objects.map(describeObject).join(", ")}`;
    case "create-node":
      return `create ${describeObject(action.object)} unless it is there`;
    case "set-pod-cidr":
      return `give node ${action.node} the pod CIDR ${action.podCidrs.join(" and ")}`;
    case "write-pod-network":
      return (
        `write ${action.file.path} when node ${action.node} has its pod CIDR` +
        (action.restartsKubelet ? ", and start the kubelet anew if that changes it" : "")
      );
    case "mark-node": {
      const { node, labels: given, annotations } = action;
      return `label node ${node} ${pairs(given)}${annotations ? ` and annotate it ${pairs(annotations)}` : ""}`;
    }
    case "drain-node":
      return `drain node ${action.node}`;
    case "remove-node":
      return `delete the Node object ${action.node}`;
    case "stop-containers":
      return `stop ${action.containers.map(({ name, graceSeconds }) => `${name} (${graceSeconds} s)`).join(", ")}`;
    case "keep-copy":
      return (
        `keep a copy of ${action.folder} as ${action.copy} until the run has worked` +
        (action.several ? ", unless etcd has other members" : "")
      );
    case "remove-folder":
      return `remove ${action.path}, if the run has worked`;
    case "remove-containers": {
      const late = action.andPods ? ", and pods that the kubelet has made meanwhile" : "";
      return `remove containers ${action.containers.map(({ name }) => name).join(", ")}${late}`;
    }
    case "clean-host":
      return "remove from the host what is left, and look whether it is gone";
    default:
      return unreachable(action);
  }
}

function describeObject({ kind, metadata }: ObjectReference): string {
  return [kind, metadata.namespace, metadata.name].filter(Boolean).join(" ");
}

function pairs(map: Readonly<Record<string, string>>): string {
  return Object.entries(map)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}

function describeProbe(probe: Probe): string {
  switch (probe.kind) {
    case "api-serves":
      return "the API server serves requests";
    case "api-answers":
      return "the API server is well";
    case "node-registered":
      return `node ${probe.node} has registered`;
    case "node-ready":
      return `node ${probe.node} is Ready`;
    case "node-has-cidr":
      return `node ${probe.node} has its pod CIDR`;
    case "node-annotated":
      return `node ${probe.node} has the annotations ${pairs(probe.annotations)}`;
    case "workloads-available":
      return `all pods of ${probe.workloads.map(describeObject).join(", ")} take requests`;
    case "objects-gone":
      return `${probe.objects.map(describeObject).join(", ")} and their pods are gone`;
    case "name-resolves":
      return `DNS at ${probe.server} knows ${probe.name} as ${probe.address}`;
    default:
      return unreachable(probe);
  }
}

function modeOf(file: HostFile): string {
  return file.mode.toString(8).padStart(4, "0");
}

function digestOf(file: HostFile): string {
  return file.secret ? secretText : `sha256:${sha256(file.content)}`;
}
