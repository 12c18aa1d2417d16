import { minor, parse } from "semver";
import { isMasterOptions, parseAcceptedOptions } from "../config/acceptedOptions.js";
import { etcdThatRan, etcdToRun } from "../image/etcdVersion.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdCopy, etcdMember, etcdPort, labels, paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Step } from "../model/plan.js";

/** The steps that bring etcd to run, and what has to be done before a file is written. */
export interface EtcdSteps {
  readonly steps: readonly Step[];
  /** Steps that `files` needs: a new API server must not write into data of which there is no copy yet. */
  readonly beforeFiles: readonly string[];
}

/**
 * etcd itself; and where Kubernetes or etcd goes up a minor version, which no data comes back from, a copy of the data
 * first. A copy of the folder of an etcd that has stopped holds all that any API of it stores; a snapshot of etcd's API
 * v3 would lack what Kubernetes up to v1.5 keeps in v2.
 *
 * @param needs steps that come before anything stops
 */
export function etcdSteps(
  etcd: ContainerSpec,
  features: VersionFeatures,
  observed: ObservedHost,
  needs: readonly string[],
): EtcdSteps {
  const running = observed.engine.containers.filter(
    (container) => isOurs(container) && container.labels[labels.component] === "etcd" && container.state === "running",
  );
  const isUpgrade = observed.host.etcdData && goesUp(features, observed);
  const isInterrupted = observed.host.entries.includes(etcdCopy);
  const stop: Step = {
    id: "etcd-stop",
    phase: "control plane",
    needs,
    action: {
      kind: "stop-containers",
      containers: running.map(({ id, name }) => ({ id, name, graceSeconds: etcd.stopGraceSeconds ?? 10 })),
      comesBack: true,
    },
  };
  const stops = isUpgrade && running.length > 0 ? [stop] : [];
  const copy: Step = {
    id: "etcd-copy",
    phase: "control plane",
    needs: [...needs, ...stops.map(({ id }) => id)],
    action: { kind: "keep-copy", folder: etcdMember, copy: etcdCopy },
  };
  const copies = isUpgrade || isInterrupted ? [copy] : [];
  const beforeFiles = copies.map(({ id }) => id);
  return {
    beforeFiles,
    steps: [
      ...stops,
      ...copies,
      { id: "etcd-data", phase: "files", needs: [], action: { kind: "make-folder", path: paths.etcd, mode: 0o700 } },
      {
        id: "etcd",
        phase: "control plane",
        needs: ["files", "etcd-data", ...needs, ...beforeFiles],
        action: { kind: "run-container", container: etcd, health: { port: etcdPort } },
      },
    ],
  };
}

/** Whether the data was last used by another minor version of Kubernetes or etcd, as far as anything tells. */
function goesUp(features: VersionFeatures, { files, engine, host }: ObservedHost): boolean {
  const text = files.get(paths.options)?.content;
  if (text === undefined || !isMasterOptions(text)) return false;
  const accepted = parseAcceptedOptions(text);
  const isOther = (from: string | undefined, to: string | undefined): boolean => {
    const [before, after] = [parse(from), parse(to)];
    return before !== null && after !== null && minor(before) !== minor(after);
  };
  return (
    isOther(accepted.k8sVersion, features.version) ||
    isOther(etcdThatRan(engine.containers) ?? accepted.etcdVersion, etcdToRun(features, host))
  );
}
