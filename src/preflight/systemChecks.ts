import { isOlder } from "../docker/negotiateApiVersion.js";
import { criDockerdMisfit, spokenDockerApi } from "../kubernetes/dockerApi.js";
import { programFiles } from "../kubernetes/programCommands.js";
import { featuresOf, type VersionFeatures } from "../kubernetes/versions.js";
import { defined } from "../model/defined.js";
import type { EngineFacts, HostFacts, ObservedHost } from "../model/hostFacts.js";
import { criSocket, labels } from "../model/hostLayout.js";
import { hasOurKubelet, isOurs } from "../model/ownership.js";
import type { Check, Wanted } from "./check.js";

const mebibyte = 1024 ** 2;

/** kubeadm's minimum for a control plane. */
const recommendedMemoryBytes = 1700 * mebibyte;
const recommendedCpus = 2;

/** Room for containers, logs and etcd's first files; in /etc for certificates and manifests. */
const neededBytes = (path: string): number => (path === "/etc" ? 16 * mebibyte : 512 * mebibyte);

/** The host as a machine: kernel, mounts, memory, disk, clock, name. */
export const systemChecks: readonly Check<ObservedHost>[] = [
  {
    name: "image-version",
    check({ host, image }, { version }) {
      const name = image.tags[0] ?? image.id;
      if (host.imageVersion === "") {
        return {
          kind: "environment",
          code: "IMAGE_NOT_HYPERKUBE",
          message: `The image ${name} has no hyperkube and no kubelet`,
          hint: "Name a hyperkube image with --image, or make one with `tsdeploy image build`.",
        };
      }
      if (version === undefined || host.imageVersion === version) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "IMAGE_VERSION",
        message: `The image ${name} holds Kubernetes ${host.imageVersion}, not ${version}`,
        hint: `Name another image with --image, or say --k8s-version ${host.imageVersion}.`,
      };
    },
  },
  {
    name: "image-programs",
    check({ host, image }, { role, version, network, proxyMode, balances }) {
      if (version === undefined || host.imageVersion === "") {
        return undefined;
      }
      const withNetwork = network !== undefined && network !== "none";
      const missing = missingInImage(host, {
        role,
        features: featuresOf(version),
        withNetwork,
        proxyMode,
        ...defined({ balances }),
      });
      if (missing.length === 0) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "IMAGE_INCOMPLETE",
        message: `The image ${image.tags[0] ?? image.id} lacks ${missing.join(", ")}, which Kubernetes ${version} needs`,
        hint: `\`tsdeploy image build --k8s-version ${version}\` makes one that has everything.`,
      };
    },
  },
  {
    name: "sandbox-ipc",
    check({ host, engine }, { version }) {
      if (version === undefined || host.defaultIpcMode !== "private" || !asksForShareableIpc(engine, featuresOf(version))) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "IPC_MODE_PRIVATE",
        message:
          `Docker gives each container an IPC namespace that no other may share, ` +
          `but Kubernetes ${version} has a pod's containers share one without saying so`,
        hint: 'Set "default-ipc-mode": "shareable" in /etc/docker/daemon.json and restart Docker.',
      };
    },
  },
  {
    name: "kernel-ipvs",
    check({ host }, { proxyMode }) {
      if (proxyMode !== "ipvs" || host.ipvs) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "KERNEL_IPVS_MISSING",
        message: "The host's kernel has no IPVS (module ip_vs), by which kube-proxy would have to balance Services",
        hint: "Leave out --proxy-mode ipvs, or install the kernel's modules.",
      };
    },
  },
  {
    name: "cri-docker-api",
    check({ engine, host }, { version }) {
      const criDockerd = host.imageCriDockerdVersion;
      if (version === undefined || criDockerd === undefined || featuresOf(version).runtime !== "cri-dockerd") {
        return undefined;
      }
      const misfit = criDockerdMisfit(criDockerd, engine.version);
      if (misfit === undefined) {
        return undefined;
      }
      const { version: docker, apiVersion, minApiVersion } = engine.version;
      const isOld = misfit.docker === "too old";
      const packed = featuresOf(version).components.criDockerd ?? criDockerd;
      const otherImage =
        criDockerdMisfit(packed, engine.version) === undefined
          ? `take an image with cri-dockerd ${packed}: \`tsdeploy image build --k8s-version ${version}\` makes one`
          : undefined;
      const otherDocker = isOld
        ? "install Docker Engine 23 or later"
        : `set DOCKER_MIN_API_VERSION=${misfit.bound} in dockerd's environment and restart Docker`;
      const ways = [otherImage, otherDocker].filter((way) => way !== undefined).join(", or ");
      return {
        kind: "environment",
        code: isOld ? "DOCKER_TOO_OLD" : "DOCKER_TOO_NEW",
        message:
          `The image's cri-dockerd ${criDockerd} speaks Docker's API ` +
          `${isOld ? `from ${misfit.bound} on` : `up to ${misfit.bound}`}; ` +
          `Docker Engine ${docker} has ${minApiVersion} to ${apiVersion}`,
        hint: `${ways.charAt(0).toUpperCase()}${ways.slice(1)}.`,
      };
    },
  },
  {
    name: "other-runtime",
    check({ engine, host }, { version }) {
      const isTaken =
        host.existingPaths.includes(criSocket) &&
        !engine.containers.some((container) => isOurs(container) && container.labels[labels.component] === "cri");
      if (version === undefined || featuresOf(version).runtime !== "cri-dockerd" || !isTaken) {
        return undefined;
      }
      return {
        kind: "conflict",
        code: "OTHER_RUNTIME",
        message: `Another cri-dockerd serves ${criSocket}, or left it`,
        hint: `Stop it (\`systemctl disable --now cri-docker.socket cri-docker.service\`) and remove ${criSocket}.`,
      };
    },
  },
  {
    name: "cgroup-driver",
    check({ engine, host }) {
      const { cgroupDriver } = engine.info;
      const old = host.podCgroups.find((driver) => driver !== cgroupDriver);
      // Without pods the kubelet follows Docker: nothing is left that the old driver has made.
      if (old === undefined || !hasOurKubelet(engine.containers)) {
        return undefined;
      }
      return {
        kind: "conflict",
        code: "CGROUP_DRIVER_CHANGED",
        message:
          `Docker's cgroup driver is now ${cgroupDriver}, but pods run here in cgroups of ${old}: ` +
          "a kubelet with the one cannot look after the pods of the other",
        hint:
          `Put Docker back ("exec-opts": ["native.cgroupdriver=${old}"] in /etc/docker/daemon.json, restart Docker), or run ` +
          "`tsdeploy teardown` here, which drains the node and keeps a cluster's data, then this command again.",
      };
    },
  },
  {
    name: "mount-propagation",
    check({ host }) {
      if (host.propagation === "shared") {
        return undefined;
      }
      return {
        kind: "environment",
        code: "MOUNT_PROPAGATION",
        message: `Mounts below /var/lib/kubelet are ${host.propagation}: pods would not see the volumes that kubelet mounts`,
        hint: "Run `mount --make-rshared /` on the host (systemd does so at boot), then restart Docker.",
      };
    },
  },
  {
    name: "read-only",
    check({ host }) {
      if (host.readOnlyPaths.length === 0) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "READ_ONLY",
        message: `Cannot write to ${host.readOnlyPaths.join(", ")}: mounted read-only`,
        hint: "Mount them writable (`mount -o remount,rw …`); the kernel's log says whether a disk error made them so.",
      };
    },
  },
  {
    name: "disk-space",
    check({ host }) {
      return Object.entries(host.diskFreeBytes)
        .filter(([path, free]) => free < neededBytes(path))
        .map(([path, free]) => ({
          kind: "environment" as const,
          code: "DISK_FULL",
          message:
            `${Math.floor(free / mebibyte)} MiB are free for ${path}; ` +
            `Kubernetes needs ${neededBytes(path) / mebibyte} MiB to start`,
          hint: "Free some room; `docker system df` shows what Docker holds.",
        }));
    },
  },
  {
    name: "image-file-system",
    check({ engine, host }) {
      const { imageRoot } = host;
      if (imageRoot === undefined) {
        return undefined;
      }
      const { dockerRootDir } = engine.info;
      return {
        kind: "warning",
        code: "IMAGE_FILE_SYSTEM",
        message:
          `Docker has its images in ${imageRoot}, on another file system than ${dockerRootDir}: a kubelet that is told to ` +
          `collect images or to evict pods for want of disk (imagefs) looks at ${dockerRootDir}`,
        hint:
          `Put both on one file system, or watch ${imageRoot} yourself; without thresholds of your own a kubelet does ` +
          "neither.",
      };
    },
  },
  {
    name: "swap",
    check({ host }, { allowSwap, version }) {
      const isRefused = version === undefined || featuresOf(version).refusesSwap;
      if (host.swapBytes === 0 || allowSwap === true || !isRefused) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "SWAP_ON",
        message: `Swap is on (${Math.ceil(host.swapBytes / mebibyte)} MiB), with which a kubelet does not start`,
        hint: 'Run `swapoff -a` and take swap out of /etc/fstab, or set extraArgs: kubelet: fail-swap-on: "false".',
      };
    },
  },
  {
    name: "node-name",
    check({ host }, wanted) {
      const name = wanted.nodeName ?? host.hostname.toLowerCase();
      // A DNS subdomain (the Node's name) that is also a label's value (kubernetes.io/hostname).
      if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "NODE_NAME",
        message:
          `Kubernetes refuses ${JSON.stringify(name)} as a node's name: ` +
          "it takes at most 63 of a-z, 0-9, - and ., a letter or digit at both ends",
        hint: "Name the node with --node-name.",
      };
    },
  },
  {
    name: "clock",
    check({ host }, { validity, role }) {
      if (validity === undefined) {
        return undefined;
      }
      const { notBeforeMs, notAfterMs } = validity;
      if (host.clockMs >= notBeforeMs && host.clockMs <= notAfterMs) {
        return undefined;
      }
      const [side, bound] = host.clockMs < notBeforeMs ? ["behind", notBeforeMs] : ["ahead", notAfterMs];
      const other = role === "master" ? "this machine's clock" : "the master's clock";
      return {
        kind: "environment",
        code: "CLOCK_SKEW",
        message:
          `The host's clock says ${isoTime(host.clockMs)}, ${side} of what the cluster's certificates allow ` +
          `(${side === "behind" ? "valid from" : "valid until"} ${isoTime(bound)})`,
        hint: `Set the host's clock, or ${other}, by NTP (\`timedatectl set-ntp true\`).`,
      };
    },
  },
  {
    name: "resources",
    check({ host }, { role }) {
      if (role === "worker") {
        return undefined;
      }
      const few = host.cpus < recommendedCpus;
      const little = host.memoryBytes < recommendedMemoryBytes;
      const has = `The host has ${host.cpus} CPU(s) and ${Math.floor(host.memoryBytes / mebibyte)} MiB of memory`;
      return few || little
        ? {
            kind: "warning",
            code: "FEW_RESOURCES",
            message: `${has}; a control plane wants ${recommendedCpus} and ${recommendedMemoryBytes / mebibyte} MiB`,
            hint: "Give the machine more, or make a larger one the master.",
          }
        : undefined;
    },
  },
];

/** Docker itself gives a shareable one to clients of an API before 1.40. */
function asksForShareableIpc({ version }: EngineFacts, features: VersionFeatures): boolean {
  const spoken = spokenDockerApi(features, version);
  return features.sandboxIpc === "daemon" && spoken !== undefined && !isOlder(spoken, "1.40");
}

/** What to call of Kubernetes where there is no hyperkube, and what kubelets, runtimes and our own scripts call. */
function missingInImage(
  { imagePrograms, imageCniDir }: HostFacts,
  {
    role,
    features,
    withNetwork,
    proxyMode,
    balances = false,
  }: Pick<Wanted, "role" | "balances"> & {
    readonly features: VersionFeatures;
    readonly withNetwork: boolean;
    readonly proxyMode: Wanted["proxyMode"];
  },
): string[] {
  const ofMaster = [programFiles.apiserver, programFiles["controller-manager"], programFiles.scheduler, "kubectl"];
  const kubernetes = [programFiles.kubelet, programFiles.proxy, ...(role === "master" ? ofMaster : [])];
  const programs = [
    ...(imagePrograms["hyperkube"] === undefined ? kubernetes : []),
    ...(features.runtime === "cri-dockerd" ? ["cri-dockerd"] : []),
    ...["ip", "iptables", "mount", "nsenter", "socat"],
    ...(proxyMode === "ipvs" ? ["ipset"] : []),
    ...(proxyMode === "nftables" ? ["nft"] : []),
    ...(balances ? ["haproxy"] : []),
  ];
  return [
    ...programs.filter((name) => imagePrograms[name] === undefined),
    ...(withNetwork && imageCniDir === undefined ? ["CNI plugins"] : []),
  ];
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}
