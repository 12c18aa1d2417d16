import { paths } from "../model/hostLayout.js";

/** The image's own plugins come first, then those that CNI add-ons install. */
export function cniBinDirs(imageCniDir: string | undefined): string[] {
  return imageCniDir === undefined ? [paths.cniBin] : [imageCniDir, hostCniBin(imageCniDir)];
}

/** Where the host's folder of CNI plugins is in our containers: not over the image's own. */
export function hostCniBin(imageCniDir: string | undefined): string {
  return imageCniDir === paths.cniBin ? "/host/opt/cni/bin" : paths.cniBin;
}
