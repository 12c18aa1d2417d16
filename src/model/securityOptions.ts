import type { EngineInfo } from "./dockerObjects.js";

/** Whether a daemon has one of these; its options read `name=seccomp,profile=default`. */
export function hasSecurityOption(
  { securityOptions }: Pick<EngineInfo, "securityOptions">,
  name: "rootless" | "userns" | "selinux",
): boolean {
  return securityOptions.some((option) => option.split(",").includes(`name=${name}`));
}
