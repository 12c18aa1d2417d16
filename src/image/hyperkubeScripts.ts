import type { VersionFeatures } from "../kubernetes/versions.js";
import { imagePaths, type KubernetesProgram } from "./imageContents.js";

/** Where the one program of old for all lies in an image. */
export const hyperkubePath = `${imagePaths.programs}/hyperkube`;

/** Path in the image -> script, for programs that are only parts of the one `hyperkube`. */
export function hyperkubeScripts(
  { programs: names }: VersionFeatures,
  programs: readonly KubernetesProgram[],
): Readonly<Record<string, string>> {
  const commands: Readonly<Record<KubernetesProgram, string>> = {
    "kube-apiserver": names.apiserver,
    "kube-controller-manager": names["controller-manager"],
    "kube-proxy": names.proxy,
    "kube-scheduler": names.scheduler,
    kubectl: "kubectl",
    kubelet: names.kubelet,
  };
  return Object.fromEntries(
    programs.map((program) => {
      const script = `#!/bin/sh\nexec /${hyperkubePath} ${commands[program]} "$@"\n`;
      return [`${imagePaths.programs}/${program}`, script] as const;
    }),
  );
}
