import { type Node, nodeVersion } from "../apply/probes.js";

/** How far an upgrade is. */
export interface UpgradeProgress {
  /** The control plane's version. */
  readonly to: string;
  /** Nodes that have it. */
  readonly done: number;
  readonly of: number;
}

/** Undefined where all nodes have the version of their control plane, or nobody knows it. */
export function upgradeProgress(nodes: readonly Node[], to: string | undefined): UpgradeProgress | undefined {
  const done = nodes.filter((node) => nodeVersion(node) === to).length;
  return to === undefined || done === nodes.length ? undefined : { to, done, of: nodes.length };
}

/** `upgrade to v1.21.0: 1 of 3 nodes` */
export function progressText({ to, done, of }: UpgradeProgress): string {
  return `upgrade to ${to}: ${done} of ${of} nodes`;
}
