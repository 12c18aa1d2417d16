import { paths } from "../model/hostLayout.js";

/** What `start.sh` does before it becomes the program. */
export interface StartConditions {
  /** The iptables that Docker writes to. */
  readonly iptables?: "nft" | "legacy";
  /** Pod CIDR whose traffic is let through and masqueraded. */
  readonly forward?: string;
  /** Address of the master, which alone may reach a kubelet that asks nobody who he is. */
  readonly closeKubelet?: string;
  /** Loopback's network, if a rule has to drop what comes from elsewhere for it. */
  readonly closeLoopback?: string;
  /** Folder of CNI plugins for a program that looks for them in /opt/cni/bin alone. */
  readonly plugins?: string;
  /** Files to wait for. */
  readonly files?: readonly string[];
  /** Socket to wait for; the program goes when that goes. */
  readonly socket?: string;
}

/** The beginning of a container's command, up to the program. */
export function startCommand(conditions: StartConditions): string[] {
  const { files = [] } = conditions;
  const option = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, value]);
  return [
    `${paths.scripts}/start.sh`,
    ...option("--iptables", conditions.iptables),
    ...option("--forward", conditions.forward),
    ...option("--close-kubelet", conditions.closeKubelet),
    ...option("--close-loopback", conditions.closeLoopback),
    ...option("--plugins", conditions.plugins),
    ...files.flatMap((file) => ["--file", file]),
    ...option("--socket", conditions.socket),
    "--",
  ];
}
