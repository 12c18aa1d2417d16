import { parseAllDocuments } from "yaml";
import { parseImageReference } from "../docker/imageReference.js";
import type { FurtherImage, FurtherImages } from "../image/besides.js";
import { registryImage } from "../image/sideImages.js";
import { TsdeployError } from "../model/errors.js";
import type { NeededOptions, UserAddon } from "../model/options.js";
import { addons, checkAddons } from "./addons.js";

/**
 * What kubelets pull for add-ons that no hyperkube image holds: the ones that are on, and the person's own.
 *
 * @throws TsdeployError of kind usage, when it is asked: `ADDON_UNAVAILABLE`, `IMAGE_REFERENCE_INVALID`
 */
export function furtherImages(options: Pick<NeededOptions, "enabledAddons" | "addons">): FurtherImages {
  // CoreDNS is `--dns`'s, and may be in the hyperkube image.
  const names = (options.enabledAddons ?? []).filter((name) => name !== "coredns");
  return (features, place) => {
    checkAddons(names, features);
    const { architecture, registryMirrors } = place;
    const ours = names.map((name): FurtherImage => {
      const published = addons[name].published(features);
      return { what: name, reference: registryImage(published, place, architecture, registryMirrors) };
    });
    const all = [...ours, ...(options.addons ?? []).flatMap(imagesOf)];
    return all.filter(({ reference }, index) => all.findIndex((one) => one.reference === reference) === index);
  };
}

/** @throws TsdeployError `usage`, `IMAGE_BY_DIGEST`, if kubelets would pull an image again that was brought to them */
export function refuseDigests(options: Pick<NeededOptions, "addons">): void {
  const images = (options.addons ?? []).flatMap(imagesOf).filter(({ reference }) => reference.includes("@"));
  if (images.length === 0) return;
  throw new TsdeployError(
    "usage",
    images.map(({ what, reference }) => ({
      code: "IMAGE_BY_DIGEST",
      message: `${what}: ${reference} is named by its digest, which an archive of images does not keep`,
      hint: "Name it by a tag in that file.",
    })),
  );
}

/** The images of a file's pods and pod templates, as kubelets will ask for them. */
function imagesOf({ name, content }: UserAddon): FurtherImage[] {
  const documents = parseAllDocuments(content);
  const objects: unknown[] = Array.isArray(documents) ? documents.map((document) => document.toJS() as unknown) : [];
  return objects.flatMap((object) => containerImages(object)).map((image) => {
    const { tag, digest } = parseImageReference(image);
    const isWhole = digest !== undefined || image.endsWith(`:${tag ?? ""}`);
    // Docker gives out all tags of a name that has none.
    return { what: name, reference: isWhole ? image : `${image}:latest` };
  });
}

const containerLists = new Set(["containers", "initContainers"]);

function containerImages(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]): string[] => {
    if (!containerLists.has(key) || !Array.isArray(inner)) return containerImages(inner);
    return inner.flatMap(({ image }: { readonly image?: unknown }) => (typeof image === "string" ? [image] : []));
  });
}
