import { compare, minor } from "semver";
import { TsdeployError } from "../errors.js";

/**
 * Kubernetes' version skew policy: a kubelet is never newer than the API server, and at most three minor versions older
 * (two before v1.28).
 *
 * @throws TsdeployError `conflict`, `VERSION_SKEW`
 */
export function checkSkew({ master, worker }: { readonly master: string; readonly worker: string }): void {
  const most = minor(master) >= 28 ? 3 : 2;
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
