import { hostCniBin } from "../kubernetes/podNetwork.js";
import type { Bind } from "./containerSpec.js";
import { paths } from "./names.js";

/** What whoever makes pods' networks sees of the host: configuration, state, and the plugins that add-ons install. */
export function cniBinds(imageCniDir: string | undefined): Bind[] {
  return [
    { source: paths.cniConf, target: paths.cniConf },
    { source: paths.cniState, target: paths.cniState },
    { source: paths.cniBin, target: hostCniBin(imageCniDir) },
  ];
}
