import { type Problem, TsdeployError } from "../errors.js";
import { flagOf } from "./commandFlag.js";
import { containersOf } from "./diff.js";
import { labels } from "./names.js";
import type { Plan } from "./plan.js";

/** A container of ours that is here, as far as it matters. */
interface Present {
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * What a kubelet says of its node only when that registers, and so cannot be changed by a run.
 *
 * @throws TsdeployError `conflict`, each with the way out: `NODE_NAME_CHANGED`, `NODE_LABELS_CHANGED`,
 * `NODE_TAINTS_CHANGED`
 */
export function refuseNodeChanges(plan: Plan, present: readonly Present[]): void {
  const isKubelet = (container: Pick<Present, "labels">): boolean => container.labels[labels.component] === "kubelet";
  const old = present.find(isKubelet);
  const wanted = containersOf(plan).find(isKubelet);
  if (!old || !wanted) return;
  const changes = (flag: string): { was: string; is: string } | undefined => {
    const [was, is] = [flagOf(old.command, flag) ?? "", flagOf(wanted.command, flag) ?? ""];
    return was === is ? undefined : { was, is };
  };
  const problems: Problem[] = [];
  const name = changes("hostname-override");
  if (name) {
    problems.push({
      code: "NODE_NAME_CHANGED",
      message: `this node is ${name.was} and cannot become ${name.is}: its pods and its certificate are of that name`,
      hint: "Say --node-name as before, or run `tsdeploy teardown` here first.",
    });
  }
  const node = flagOf(old.command, "hostname-override") ?? plan.nodeName;
  const nodeLabels = changes("node-labels");
  if (nodeLabels) {
    problems.push({
      code: "NODE_LABELS_CHANGED",
      message: `node labels are given when a node registers: this one's were ${shown(nodeLabels.was)}`,
      hint: `Say --node-label as before, and run: kubectl label --overwrite node ${node} ${words(nodeLabels)}`,
    });
  }
  const taints = changes("register-with-taints");
  if (taints) {
    problems.push({
      code: "NODE_TAINTS_CHANGED",
      message: `node taints are given when a node registers: this one's were ${shown(taints.was)}`,
      hint: `Say --node-taint as before, and run: kubectl taint --overwrite node ${node} ${words(taints)}`,
    });
  }
  if (problems.length > 0) throw new TsdeployError("conflict", problems);
}

/** What kubectl has to be told: what is new as it is, what is gone with a `-` behind it. */
function words({ was, is }: { was: string; is: string }): string {
  const [before, after] = [was, is].map((list) => list.split(",").filter(Boolean)) as [string[], string[]];
  const key = (word: string): string => word.replace(/=.*$/, "");
  const added = after.filter((word) => !before.includes(word));
  const removed = before.filter((word) => !after.some((other) => key(other) === key(word))).map((word) => `${key(word)}-`);
  return [...added, ...removed].join(" ");
}

function shown(list: string): string {
  return list === "" ? "none" : list;
}
