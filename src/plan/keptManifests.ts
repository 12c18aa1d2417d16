import { isEdited } from "../kubernetes/renderManifests.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { labels, nodeFiles, paths } from "../model/hostLayout.js";
import type { Plan } from "../model/plan.js";
import type { Present } from "./diff.js";

/**
 * Manifests of ours that a person has edited, each as a problem: they would stay as they are, so that the control plane
 * keeps its old version beside kubelets of the new one.
 */
export function editedManifests(files: ReadonlyMap<string, ExistingFile>, version: string): Problem[] {
  const ours = nodeFiles.filter((path) => path.startsWith(`${paths.manifests}/`));
  return ours.flatMap((path) => {
    const existing = files.get(path);
    if (!existing || !isEdited(existing.content)) return [];
    return [
      {
        code: "MANIFEST_EDITED",
        message: `${path} was edited on the host and would stay as it is, which is not of Kubernetes ${version}`,
        hint: "Say --overwrite to have it made anew; what the edit is for belongs in extraArgs or --patches, which last.",
      },
    ];
  });
}

/** @throws TsdeployError `conflict`, `MANIFEST_EDITED`, where the version changes and a manifest would not */
export function refuseKeptManifests(plan: Plan, { containers, files }: Present, overwrite: boolean): void {
  // A stopped one beside those that run is what an earlier version has left.
  const running = containers.filter(({ state }) => state === "running" || state === "restarting");
  const known = running.length > 0 ? running : containers;
  const changesVersion = known.some((container) => container.labels[labels.version] !== plan.version);
  if (overwrite || !changesVersion) return;
  const problems = editedManifests(files, plan.version);
  if (problems.length > 0) throw new TsdeployError("conflict", problems);
}
