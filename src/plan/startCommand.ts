import { paths } from "./names.js";

/** What `start.sh` does before it becomes the program. */
export interface StartConditions {
  /** The iptables that Docker writes to. */
  readonly iptables?: "nft" | "legacy";
  /** Pod CIDR whose traffic is let through and masqueraded. */
  readonly forward?: string;
  /** Files to wait for. */
  readonly files?: readonly string[];
}

/** The beginning of a container's command, up to the program. */
export function startCommand({ iptables, forward, files = [] }: StartConditions): string[] {
  return [
    `${paths.scripts}/start.sh`,
    ...(iptables ? ["--iptables", iptables] : []),
    ...(forward === undefined ? [] : ["--forward", forward]),
    ...files.flatMap((file) => ["--file", file]),
    "--",
  ];
}
