/**
 * The folder of this package, with package.json, manifests-multi and scripts in it: two levels up from here, and from
 * `dist/bundle/`, where the bundle has this.
 */
export const packageRoot = new URL("../../", import.meta.url);
