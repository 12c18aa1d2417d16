import type { HostFacts } from "../model/hostFacts.js";
import type { VersionFeatures } from "./versions.js";
import type { Program } from "./versionTable.js";

/** What the programs of Kubernetes are called outside of hyperkube, in every version. */
export const programFiles: Readonly<Record<Program, string>> = {
  apiserver: "kube-apiserver",
  "controller-manager": "kube-controller-manager",
  scheduler: "kube-scheduler",
  kubelet: "kubelet",
  proxy: "kube-proxy",
};

/** How each program of the image is called: `/hyperkube kubelet`, or `/usr/local/bin/kubelet` without hyperkube. */
export function programCommands(
  features: VersionFeatures,
  { imagePrograms }: Pick<HostFacts, "imagePrograms">,
): Readonly<Record<Program, readonly string[]>> {
  const { hyperkube } = imagePrograms;
  const commandOf = (program: Program): readonly string[] =>
    hyperkube === undefined
      ? [imagePrograms[programFiles[program]] ?? `/usr/local/bin/${programFiles[program]}`]
      : [hyperkube, features.programs[program]];
  return {
    apiserver: commandOf("apiserver"),
    "controller-manager": commandOf("controller-manager"),
    scheduler: commandOf("scheduler"),
    kubelet: commandOf("kubelet"),
    proxy: commandOf("proxy"),
  };
}
