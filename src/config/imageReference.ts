/** Where our own images are named, when nobody says otherwise. */
const localRepository = "tsdeploy";

/** The image that a node runs from: as given; else `hyperkube` of the registry; else the one that is built locally. */
export function imageReference(options: {
  readonly image?: string | undefined;
  readonly registry?: string | undefined;
  /** Such as `v1.20.2`. */
  readonly version: string;
}): string {
  return options.image ?? `${options.registry ?? localRepository}/hyperkube:${options.version}`;
}
