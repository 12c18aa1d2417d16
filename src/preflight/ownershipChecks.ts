import { isMasterOptions } from "../config/acceptedOptions.js";
import { parseHostBefore } from "../host/hostBefore.js";
import type { Finding } from "../model/finding.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdMember, nodeFiles, paths } from "../model/hostLayout.js";
import { isOurs } from "../model/ownership.js";
import type { Check } from "./check.js";

/** What only a kubelet that has run leaves behind; empty folders, `config.json` and seccomp profiles are people's. */
const kubeletState = ["pki/", "pods/", "config.yaml", "instance-config.yaml", "kubeadm-flags.env", "cpu_manager_state"];

/** State of others that a run would take for its own, write over, or remove one day: it is refused before that. */
export const ownershipChecks: readonly Check<ObservedHost>[] = [
  {
    name: "symbolic-links",
    check({ host }) {
      return host.symlinks.map(({ path, target }): Finding => ({
        kind: "environment",
        code: "SYMBOLIC_LINK",
        message: `${path} is a symbolic link to ${target}: containers would see another folder there than the host does`,
        hint: `Make it a folder, and mount the other one on it: mount --bind ${target} ${path} (and a line in /etc/fstab).`,
      }));
    },
  },
  {
    name: "foreign-etcd",
    check({ host, files }, { role }) {
      const wasThere = recordOf(files)?.entries.includes(etcdMember) === true;
      const isOurData = isMasterOptions(files.get(paths.options)?.content) && !wasThere;
      if (role === "worker" || !host.etcdData || isOurData) return undefined;
      return {
        kind: "conflict",
        code: "FOREIGN_ETCD",
        message: `${paths.etcd} holds the data of an etcd that is not tsdeploy's: there is no record of it in ${paths.options}`,
        hint: `Move ${etcdMember} away, or take another host; to go on with a cluster of tsdeploy's, put its ${paths.kubernetes} back.`,
      };
    },
  },
  {
    name: "foreign-kubelet",
    check(observed) {
      if (hasRun(observed)) return undefined;
      const { entries, mountsBelowKubelet: mounts } = observed.host;
      const states = kubeletState.map((name) => `${paths.kubeletRoot}/${name}`);
      const found = entries.filter((entry) => states.some((state) => entry === state || entry.startsWith(state)));
      const what = [...mounts.map((path) => `the mount ${path}`), ...found];
      const [first] = what;
      if (first === undefined) return undefined;
      return {
        kind: "conflict",
        code: "FOREIGN_KUBELET",
        message: `Another Kubernetes has run on this host: ${paths.kubeletRoot} holds ${first}${others(what)}`,
        hint: "Remove that Kubernetes with its own means (kubeadm reset, k3s-uninstall.sh, snap remove microk8s, …) first.",
      };
    },
  },
  {
    name: "foreign-files",
    check(observed) {
      if (hasRun(observed)) return undefined;
      const isOurName = (path: string): boolean => nodeFiles.some((name) => path === name || path.startsWith(`${name}/`));
      const found = [...observed.files.keys()].filter(isOurName);
      const [first] = found;
      if (first === undefined) return undefined;
      return {
        kind: "conflict",
        code: "FOREIGN_FILES",
        message: `${first}${others(found)} would be overwritten, and nothing shows that tsdeploy wrote it`,
        hint: "Remove the Kubernetes that it belongs to (`kubeadm reset`), or move it away.",
      };
    },
  },
];

/** Whether a run of ours has begun on this host. */
function hasRun({ engine, files }: ObservedHost): boolean {
  return recordOf(files) !== undefined || engine.containers.some(isOurs);
}

function recordOf(files: ObservedHost["files"]): ReturnType<typeof parseHostBefore> {
  return parseHostBefore(files.get(paths.hostBefore)?.content);
}

function others(found: readonly string[]): string {
  return found.length < 2 ? "" : ` and ${found.length - 1} more`;
}
