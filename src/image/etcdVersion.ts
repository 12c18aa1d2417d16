import { coerce, rcompare, satisfies } from "semver";
import { taggedEtcd } from "../kubernetes/etcdVersions.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import type { HostFacts } from "../model/hostFacts.js";
import { labels } from "../model/hostLayout.js";
import { imageLabels } from "../model/imageLabels.js";

/** etcd's v2 API went with 3.6, and before 3.3 nobody could ask for it by a flag. */
const etcdRanges = { v2: ">=3.3.0 <3.6.0", v3: ">=3.0.0" };

/** Whether the hyperkube image has an etcd, and one that this Kubernetes can store by. */
export function hasEtcd({ etcdApi }: VersionFeatures, { imagePrograms, imageEtcdVersion }: HostFacts): boolean {
  const version = coerce(imageEtcdVersion);
  return imagePrograms["etcd"] !== undefined && version !== null && satisfies(version, etcdRanges[etcdApi]);
}

/** The etcd that a master runs, such as `3.5.26`: the hyperkube image's, else the one that is pulled beside it. */
export function etcdToRun(features: VersionFeatures, host: HostFacts): string | undefined {
  return hasEtcd(features, host) ? coerce(host.imageEtcdVersion)?.version : taggedEtcd(features.images.etcd);
}

/**
 * The etcd that a host's data was last run with, by its containers: the latest, since its data does not go back.
 * Containers carry their images' labels.
 *
 * @returns undefined if no container shows it
 */
export function etcdThatRan(containers: readonly ContainerSummary[]): string | undefined {
  return containers
    .filter((container) => container.labels[labels.component] === "etcd" && container.state !== "created")
    .flatMap(({ image, labels: all }) => coerce(all[imageLabels.etcd])?.version ?? taggedEtcd(image) ?? [])
    .sort(rcompare)[0];
}
