import { hostCniBin } from "../kubernetes/cniFolders.js";
import type { Bind } from "../model/containerSpec.js";
import { paths } from "../model/hostLayout.js";

/** What whoever makes pods' networks sees of the host: configuration, state, and the plugins that add-ons install. */
export function cniBinds(imageCniDir: string | undefined): Bind[] {
  return [
    { source: paths.cniConf, target: paths.cniConf },
    { source: paths.cniState, target: paths.cniState },
    { source: paths.cniBin, target: hostCniBin(imageCniDir) },
  ];
}
