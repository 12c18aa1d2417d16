import { compare, minor } from "semver";
import { TsdeployError } from "../errors.js";
import { featuresOf } from "./versions.js";

/**
 * Kubernetes' version skew policy: a kubelet is never newer than the API server, and not many minor versions older.
 *
 * @throws TsdeployError `conflict`, `VERSION_SKEW`
 */
export function checkSkew({ master, worker }: { readonly master: string; readonly worker: string }): void {
  const most = featuresOf(master).kubeletSkew;
  const behind = minor(master) - minor(worker);
  if (compare(worker, master) <= 0 && behind <= most) return;
  throw new TsdeployError("conflict", {
    code: "VERSION_SKEW",
    message:
      behind < 0 || compare(worker, master) > 0
        ? `a worker of ${worker} would be newer than its master, ${master}`
        : `a worker of ${worker} would be ${behind} minor versions behind its master, ${master}; Kubernetes allows ${most}`,
    hint: "Leave out --k8s-version to take the master's, or bring the master there first.",
  });
}
