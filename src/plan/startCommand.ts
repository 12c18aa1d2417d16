import { paths } from "../model/hostLayout.js";

/** What `start.sh` does before it becomes the program. */
export interface StartConditions {
  /** The iptables that Docker writes to. */
  readonly iptables?: "nft" | "legacy";
  /** Pod networks whose traffic is let through and masqueraded. */
  readonly forward?: readonly string[];
  /** Address of the master, which alone may reach a kubelet that authenticates nobody. */
  readonly closeKubelet?: string;
  /** Loopback's network, if a rule has to drop what comes from elsewhere for it. */
  readonly closeLoopback?: string;
  /** Folder of CNI plugins for a program that looks for them in /opt/cni/bin alone. */
  readonly plugins?: string;
  /** Modules of the kernel to load, if the host has them as modules. */
  readonly modules?: readonly string[];
  /** Network interfaces that get this MTU, if they are there. */
  readonly links?: readonly { readonly name: string; readonly mtu: number }[];
  /** Host's name in the certificate of a kubelet's server, which is made if there is none. */
  readonly certificate?: string | undefined;
  /** Files to wait for. */
  readonly files?: readonly string[];
  /** URL of an API server to wait for. */
  readonly api?: string;
  /** Socket to wait for; the program ends when the socket does. */
  readonly socket?: string;
}

/** The beginning of a container's command, up to the program. */
export function startCommand(conditions: StartConditions): string[] {
  const { files = [], modules = [], forward = [], links = [], certificate } = conditions;
  const option = (name: string, value: string | undefined): string[] => (value === undefined ? [] : [name, value]);
  return [
    `${paths.scripts}/start.sh`,
    ...option("--iptables", conditions.iptables),
    ...forward.flatMap((cidr) => ["--forward", cidr]),
    ...option("--close-kubelet", conditions.closeKubelet),
    ...option("--close-loopback", conditions.closeLoopback),
    ...option("--plugins", conditions.plugins),
    ...modules.flatMap((module) => ["--module", module]),
    ...links.flatMap(({ name, mtu }) => ["--mtu", `${name}=${mtu}`]),
    ...option("--certificate", certificate && `${paths.kubeletPki}=${certificate}`),
    ...files.flatMap((file) => ["--file", file]),
    ...option("--api", conditions.api),
    ...option("--socket", conditions.socket),
    "--",
  ];
}
