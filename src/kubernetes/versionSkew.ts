import { compare, minor } from "semver";
import { TsdeployError } from "../model/errors.js";
import { featuresOf } from "./versions.js";

/**
 * Kubernetes' version skew policy: a kubelet is never newer than the API server, and not many minor versions older. Nor
 * may it be so old that it knows another kind of credential than the master gives.
 *
 * @throws TsdeployError `conflict`, `VERSION_SKEW`
 */
export function checkSkew({ master, worker }: { readonly master: string; readonly worker: string }): void {
  const { kubeletSkew: most, nodeCredentials } = featuresOf(master);
  const behind = minor(master) - minor(worker);
  const isNewer = compare(worker, master) > 0;
  const hasSameCredentials = featuresOf(worker).nodeCredentials === nodeCredentials;
  if (!isNewer && behind <= most && hasSameCredentials) return;
  throw new TsdeployError("conflict", {
    code: "VERSION_SKEW",
    message: isNewer
      ? `a worker of ${worker} would be newer than its master, ${master}`
      : behind > most
        ? `a worker of ${worker} would be ${behind} minor versions behind its master, ${master}; Kubernetes allows ${most}`
        : `a worker of ${worker} cannot join a master of ${master}: nodes had no certificates of their own before v1.6`,
    hint: `Leave out --k8s-version to take the master's${isNewer ? ", or bring the master there first" : ""}.`,
  });
}
