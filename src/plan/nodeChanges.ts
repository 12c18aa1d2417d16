import { parseDocument } from "yaml";
import { type Problem, TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { labels, paths } from "../model/hostLayout.js";
import type { Taint } from "../model/options.js";
import type { Plan } from "../model/plan.js";
import { flagOf } from "./commandFlag.js";
import { containersOf, filesOf } from "./diff.js";

/** What is on the host, as far as it matters. */
interface Present {
  readonly containers: readonly {
    readonly command: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  }[];
  readonly files: ReadonlyMap<string, Pick<ExistingFile, "content">>;
}

/**
 * What a kubelet says of its node only when that registers, and so cannot be changed by a run.
 *
 * @throws TsdeployError `conflict`, each with the way out: `NODE_NAME_CHANGED`, `NODE_LABELS_CHANGED`,
 * `NODE_TAINTS_CHANGED`
 */
export function refuseNodeChanges(plan: Plan, present: Present): void {
  const isKubelet = (container: { readonly labels: Readonly<Record<string, string>> }): boolean =>
    container.labels[labels.component] === "kubelet";
  const old = present.containers.find(isKubelet);
  const wanted = containersOf(plan).find(isKubelet);
  if (!old || !wanted) return;
  const difference = (was: string, is: string) => (was === is ? undefined : { was, is });
  const changes = (flag: string) => difference(flagOf(old.command, flag) ?? "", flagOf(wanted.command, flag) ?? "");
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
  const configuration = filesOf(plan).find(({ path }) => path === paths.kubeletConfig)?.content;
  const taints = difference(
    taintsOf(old.command, present.files.get(paths.kubeletConfig)?.content),
    taintsOf(wanted.command, configuration),
  );
  if (taints) {
    problems.push({
      code: "NODE_TAINTS_CHANGED",
      message: `node taints are given when a node registers: this one's were ${shown(taints.was)}`,
      hint: `Say --node-taint as before, and run: kubectl taint --overwrite node ${node} ${words(taints)}`,
    });
  }
  if (problems.length > 0) throw new TsdeployError("conflict", problems);
}

/** By the flag, or by the configuration file of the kubelets that have a field for it. */
function taintsOf(command: readonly string[], configuration: string | undefined): string {
  const flag = flagOf(command, "register-with-taints");
  if (flag !== undefined || configuration === undefined) return flag ?? "";
  const document = (parseDocument(configuration).toJS() ?? {}) as { registerWithTaints?: Partial<Taint>[] };
  const { registerWithTaints = [] } = document;
  return registerWithTaints.map(({ key = "", value = "", effect = "" }) => `${key}=${value}:${effect}`).join(",");
}

/** What kubectl has to be given: what is new as it is, what is gone with a `-` behind it. */
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
