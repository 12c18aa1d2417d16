import { stringify } from "yaml";
import { withPullSecret } from "../kubernetes/pullSecret.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { type AddonName, addonNames } from "../model/addonNames.js";
import { TsdeployError } from "../model/errors.js";
import type { HostFile } from "../model/hostFile.js";
import { labels, paths } from "../model/hostLayout.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { MasterOptions } from "../model/options.js";
import type { Addon, AddonContext } from "./addon.js";
import { coredns } from "./coredns.js";
import { dashboard } from "./dashboard.js";
import { metricsServer } from "./metricsServer.js";

/** Every add-on, by its name. */
export const addons: Readonly<Record<AddonName, Addon>> = {
  coredns,
  dashboard,
  "metrics-server": metricsServer,
};

/** The add-ons that options come to, in the order of their names. */
export function addonsOf({ dns, enabledAddons = [] }: Pick<MasterOptions, "dns" | "enabledAddons">): AddonName[] {
  return addonNames.filter((name) => (name === "coredns" ? dns : enabledAddons.includes(name)));
}

/** @throws TsdeployError of kind usage, `ADDON_UNAVAILABLE`, if the version has no such add-on */
export function checkAddons(names: readonly AddonName[], features: VersionFeatures): void {
  const problems = names.flatMap((name) => {
    const availability = addons[name].availability(features);
    if (!("reason" in availability)) return [];
    return [
      {
        code: "ADDON_UNAVAILABLE",
        message: `there is no add-on ${name} for Kubernetes ${features.version}: ${availability.reason}`,
        hint: `Go without: \`tsdeploy addon disable ${name}\` if it is on.`,
      },
    ];
  });
  if (problems.length > 0) throw new TsdeployError("usage", problems);
}

/** An add-on's objects with the labels by which the add-on manager knows what to do with them. */
export function addonObjects(name: AddonName, context: AddonContext): KubernetesObject[] {
  return addons[name].objects(context).map((object) => {
    const pulls = context.pullSecret === true && object.kind === "Deployment";
    return managed(pulls ? withPullSecret(object) : object);
  });
}

/** What kubelets pull for the add-ons that are on: images that are not on every node already. */
export function addonImages(context: AddonContext): string[] {
  const { config } = context;
  const images = config.addons.map((name) => addons[name].image(context).reference);
  return [...new Set(images)].filter((image) => image !== config.image);
}

/** Where an add-on's file is on a master. */
export function addonPath(name: AddonName): string {
  return `${paths.addons}/${name}.yaml`;
}

/** An add-on's objects as the file that the add-on manager keeps the cluster to. */
export function addonFile(name: AddonName, objects: readonly KubernetesObject[]): HostFile {
  const documents = objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }));
  const heading = `# Add-on ${name} of tsdeploy, which writes this file anew: \`tsdeploy addon disable ${name}\` removes it.\n`;
  return { path: addonPath(name), mode: 0o644, content: heading + documents.join("---\n"), secret: false };
}

/** What people may edit is not brought back to what it was. */
function managed(object: KubernetesObject): KubernetesObject {
  const { metadata } = object;
  const isEditable = metadata.annotations?.[labels.spec] !== undefined;
  const own = {
    "addonmanager.kubernetes.io/mode": isEditable ? "EnsureExists" : "Reconcile",
    "kubernetes.io/cluster-service": "true",
  };
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, ...own } } };
}
