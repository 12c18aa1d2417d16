import type { VersionFeatures } from "../kubernetes/versions.js";
import type { AddonName } from "../model/addonNames.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import type { RegistryMirrors } from "../model/options.js";

/** What the objects of an add-on depend on. */
export interface AddonContext {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: Pick<ObservedHost, "host" | "image" | "engine">;
  readonly mirrors: RegistryMirrors;
  /** Whether kubelets log in for the pods' images, by the Secret of `pullSecret.ts`. */
  readonly pullSecret?: boolean;
}

/** What an add-on runs from. */
export interface AddonImage {
  readonly reference: string;
  /** Of the add-on: `1.14.2`. */
  readonly version: string;
  /** In place of the image's own program. */
  readonly command?: readonly string[];
}

/** Whether there is an add-on for a version of Kubernetes; a reason is a sentence without its end. */
export type Availability = { readonly version: string } | { readonly reason: string };

/** Something that a cluster runs for its users. Pure: the same input gives the same objects. */
export interface Addon {
  readonly name: AddonName;
  /** One line. */
  readonly description: string;
  /** The Deployment in kube-system that tells how the add-on is. */
  readonly deployment: string;
  /** What the registry has for that version; an image of ours may have another. */
  readonly availability: (features: VersionFeatures) => Availability;
  /** Its image where Kubernetes' own are, without the registry and perhaps with `{arch}`; there has to be a release. */
  readonly published: (features: VersionFeatures) => string;
  readonly image: (context: AddonContext) => AddonImage;
  /** In the order in which they are to be made. */
  readonly objects: (context: AddonContext) => readonly KubernetesObject[];
  /** What an administrator has to know who turns it on. */
  readonly danger?: (features: VersionFeatures) => string | undefined;
}
