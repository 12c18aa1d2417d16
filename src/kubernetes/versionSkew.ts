import { compare, minor } from "semver";
import { TsdeployError, unreachable } from "../model/errors.js";
import { featuresOf } from "./versions.js";

/** Why a kubelet cannot be a node of an API server: it is newer, too old, or proves who it is in another way. */
export type Skew = "newer" | "behind" | "credentials";

/** Kubernetes' version skew policy: a kubelet is never newer than the API server, and not many minor versions older. */
export function skewOf(master: string, worker: string): Skew | undefined {
  const { kubeletSkew, nodeCredentials } = featuresOf(master);
  if (compare(worker, master) > 0) return "newer";
  if (minor(master) - minor(worker) > kubeletSkew) return "behind";
  return featuresOf(worker).nodeCredentials === nodeCredentials ? undefined : "credentials";
}

/**
 * The same, for a worker that is to join.
 *
 * @throws TsdeployError `conflict`, `VERSION_SKEW`
 */
export function checkSkew({ master, worker }: { readonly master: string; readonly worker: string }): void {
  const skew = skewOf(master, worker);
  if (skew === undefined) return;
  throw new TsdeployError("conflict", {
    code: "VERSION_SKEW",
    message: skewText(skew, master, worker),
    hint: `Leave out --k8s-version to take the master's${skew === "newer" ? ", or bring the master there first" : ""}.`,
  });
}

function skewText(skew: Skew, master: string, worker: string): string {
  switch (skew) {
    case "newer":
      return `a worker of ${worker} would be newer than its master, ${master}`;
    case "behind": {
      const behind = minor(master) - minor(worker);
      const most = featuresOf(master).kubeletSkew;
      return `a worker of ${worker} would be ${behind} minor versions behind its master, ${master}; Kubernetes allows ${most}`;
    }
    case "credentials":
      return `a worker of ${worker} cannot join a master of ${master}: nodes had no certificates of their own before v1.6`;
    default:
      return unreachable(skew);
  }
}
