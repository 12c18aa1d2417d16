import { valueOfKubernetes } from "../kubernetes/sysctls.js";
import type { CleanupScope } from "../model/cleanupScope.js";
import type { Helper } from "./helperSession.js";

/** What `scripts/host/teardown.sh` sees of Kubernetes on a host. */
export interface Footprint {
  /** Mount points below /var/lib/kubelet. */
  readonly mounts: readonly string[];
  /** `iptables-nft nat KUBE-SERVICES` */
  readonly chains: readonly string[];
  /** Tables with nothing in them that were not there before: `ip6tables-nft nat`. */
  readonly tables: readonly string[];
  /** Of kube-proxy: `ip kube-proxy`. */
  readonly nftTables: readonly string[];
  /** Of kube-proxy: `KUBE-CLUSTER-IP`. */
  readonly ipsets: readonly string[];
  /** Of kube-proxy, in IPVS: `TCP 10.96.0.1:443`. */
  readonly virtualServers: readonly string[];
  /** Those that have come since the first run, but that nothing shows to be kube-proxy's: they stay. */
  readonly foreignVirtualServers: readonly string[];
  readonly links: readonly string[];
  /** To other nodes' pods: `10.244.1.0/24 via 10.0.0.7 dev eth0`. */
  readonly routes: readonly string[];
  /** Values now, of those that are not as they were before because Kubernetes has set them. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The kubelet's cgroups. */
  readonly cgroups: readonly string[];
  /** The same, where systemd made them: `kubepods-besteffort.slice`. */
  readonly units: readonly string[];
  readonly paths: readonly string[];
  readonly emptyFolders: readonly string[];
  /** Links to logs of containers that are no more. */
  readonly deadLogs: readonly string[];
  /** Processes named kubelet, with the id of their container if they are in one. */
  readonly kubelets: readonly { readonly pid: number; readonly container?: string }[];
  readonly etcdData: boolean;
}

/** Reads what `scripts/host/teardown.sh` prints. */
export function parseFootprint(output: string): Footprint {
  const lines = output.split("\n").filter((line) => line !== "");
  const all = (kind: string): string[] =>
    lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1));
  return {
    mounts: all("mount"),
    chains: all("chain"),
    tables: all("table"),
    nftTables: all("nft-table"),
    ipsets: all("ipset"),
    virtualServers: all("ipvs"),
    foreignVirtualServers: all("foreign-ipvs"),
    links: all("link"),
    routes: all("route"),
    sysctls: Object.fromEntries(
      all("sysctl").map((line) => {
        const [name = "", ...value] = line.split(" ");
        return [name, value.join(" ")];
      }),
    ),
    cgroups: all("cgroup"),
    units: all("unit"),
    paths: all("path"),
    emptyFolders: all("empty-folder"),
    deadLogs: all("dead-log"),
    kubelets: all("kubelet").map((line) => {
      const [pid = "", container = "-"] = line.split(" ");
      return { pid: Number(pid), ...(container === "-" ? {} : { container }) };
    }),
    etcdData: all("etcd-data").length > 0,
  };
}

/** Looks at the host; changes nothing. */
export async function showFootprint(helper: Helper, scope: CleanupScope): Promise<Footprint> {
  const { stdout } = await helper.runHostScript("teardown", ["show", ...scopeArguments(scope)]);
  return parseFootprint(stdout.toString());
}

/** Removes from the host what is in the scope, and looks again: what it could not remove is still in the answer. */
export async function cleanFootprint(helper: Helper, scope: CleanupScope): Promise<Footprint> {
  const { stdout } = await helper.runHostScript("teardown", ["clean", ...scopeArguments(scope)]);
  return parseFootprint(stdout.toString());
}

function scopeArguments(scope: CleanupScope): string[] {
  const setByUs = Object.keys(scope.sysctls).flatMap((name) => {
    const value = valueOfKubernetes(name);
    return value === undefined ? [] : [`${name}=${value}`];
  });
  const options: [string, readonly string[]][] = [
    ["--network", scope.network === undefined ? [] : [scope.network]],
    ["--before", scope.before],
    ["--sysctl", Object.entries(scope.sysctls).map(([name, value]) => `${name}=${value}`)],
    ["--set-by-us", setByUs],
    ["--path", scope.paths],
    ["--record", scope.records],
    ["--keep", scope.keeps],
    ["--empty-folder", scope.emptyFolders],
    ["--link", scope.links],
    ["--routes", scope.routes],
  ];
  return options.flatMap(([option, values]) => values.flatMap((value) => [option, value]));
}
