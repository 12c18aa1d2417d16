import { isDockerTooNew, spokenDockerApi } from "../kubernetes/dockerApi.js";
import { featuresOf } from "../kubernetes/versions.js";
import type { Finding } from "../model/finding.js";
import type { EngineFacts } from "../model/hostFacts.js";
import { labels } from "../model/hostLayout.js";
import { hasOurKubelet, isKubeletMade, isOurs } from "../model/ownership.js";
import { hasSecurityOption } from "../model/securityOptions.js";
import type { Check } from "./check.js";

/** The first that says its cgroup version and starts containers in the host's cgroup namespace. */
const oldestDocker = "20.10";

/** What the Docker API alone shows, so before any pull. */
export const engineChecks: readonly Check<EngineFacts>[] = [
  {
    name: "linux",
    check({ info, version }) {
      if (info.osType === "linux" && version.os === "linux") {
        return undefined;
      }
      return {
        kind: "environment",
        hidesHost: true,
        code: "NOT_LINUX",
        message: `Docker runs ${info.osType || version.os} containers; Kubernetes' nodes here are Linux hosts`,
        hint: "Name a Linux host's Docker with --host or --context.",
      };
    },
  },
  {
    name: "docker-version",
    check({ version }) {
      // Not a semantic version: `19.03.15`, `20.10.24+dfsg1`, `dev`.
      const [, major = "99", minor = "0"] = /^(\d+)\.(\d+)/.exec(version.version) ?? [];
      if (Number(major) * 100 + Number(minor) >= 2010) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "DOCKER_TOO_OLD",
        message: `Docker Engine ${version.version} is too old`,
        hint: `Install Docker Engine ${oldestDocker} or later.`,
      };
    },
  },
  {
    name: "docker-desktop",
    check({ info }) {
      if (!info.operatingSystem.includes("Docker Desktop")) {
        return undefined;
      }
      return {
        kind: "environment",
        hidesHost: true,
        code: "DOCKER_DESKTOP",
        message: "This is Docker Desktop: its virtual machine keeps no host folders and no network of its own",
        hint: "Use Docker Engine on a Linux host or virtual machine.",
      };
    },
  },
  {
    name: "docker-snap",
    check({ info }) {
      if (!info.dockerRootDir.startsWith("/var/snap/")) {
        return undefined;
      }
      return {
        kind: "environment",
        hidesHost: true,
        code: "DOCKER_SNAP",
        // canonical/docker-snap#188
        message:
          `Docker is a snap (its data is in ${info.dockerRootDir}), which sees another root folder than the host: it cannot ` +
          "give containers the host's /etc/kubernetes and /var/lib/kubelet",
        hint: "`snap remove docker`, then install the distribution's package (`apt install docker.io`) or Docker's own.",
      };
    },
  },
  {
    name: "rootless",
    check({ info }) {
      if (!hasSecurityOption(info, "rootless")) {
        return undefined;
      }
      return {
        kind: "environment",
        hidesHost: true,
        code: "DOCKER_ROOTLESS",
        message: "Docker runs without root's rights (rootless mode), so a kubelet cannot manage this host",
        hint: "Use the system's Docker, such as --host unix:///var/run/docker.sock.",
      };
    },
  },
  {
    name: "user-namespaces",
    check({ info }) {
      if (!hasSecurityOption(info, "userns")) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "DOCKER_USERNS_REMAP",
        message: "Docker maps containers' users to others (userns-remap), so a kubelet cannot manage this host",
        hint: 'Remove "userns-remap" from /etc/docker/daemon.json and restart Docker.',
      };
    },
  },
  {
    name: "selinux",
    check({ info }) {
      if (!hasSecurityOption(info, "selinux")) {
        return undefined;
      }
      return {
        kind: "warning",
        code: "SELINUX",
        message:
          "Docker confines containers by SELinux, with which tsdeploy was never tried: etcd and the control plane run " +
          "unconfined (spc_t), and pods of yours may be refused their volumes",
        hint:
          "`ausearch -m avc` shows what was refused; `seLinuxOptions` of a pod, or no \"selinux-enabled\" in " +
          "/etc/docker/daemon.json, is the way out.",
      };
    },
  },
  {
    name: "firewall-backend",
    check({ info }) {
      if (!info.firewallBackend.startsWith("nftables")) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "DOCKER_NFTABLES",
        message:
          "Docker writes its firewall rules with nftables, with which tsdeploy was never tried: they may drop what " +
          "Kubernetes lets through with iptables, and Docker then does not turn on IP forwarding",
        hint: 'Remove "firewall-backend": "nftables" from /etc/docker/daemon.json and restart Docker.',
      };
    },
  },
  {
    name: "log-driver",
    check({ info }) {
      if (info.loggingDriver === "json-file") {
        return undefined;
      }
      return {
        kind: "environment",
        code: "LOG_DRIVER",
        message: `Docker's log driver is ${info.loggingDriver}, which \`kubectl logs\` cannot read`,
        hint: 'Set "log-driver": "json-file" in /etc/docker/daemon.json and restart Docker.',
      };
    },
  },
  {
    name: "cgroup-version",
    check({ info }, { version }) {
      if (info.cgroupVersion === "1" || version === undefined || featuresOf(version).supportsCgroupV2) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "CGROUP_VERSION",
        message: `The host has cgroup v2, which Kubernetes ${version} does not know`,
        hint: "Boot the host with systemd.unified_cgroup_hierarchy=0, or take a newer --k8s-version.",
      };
    },
  },
  {
    name: "docker-api",
    check({ version: docker }, { version }) {
      const features = version === undefined ? undefined : featuresOf(version);
      if (version === undefined || features === undefined || !isDockerTooNew(features, docker)) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "DOCKER_TOO_NEW",
        message:
          `Kubernetes ${version} would speak Docker's API ${spokenDockerApi(features, docker) ?? ""} with ` +
          `Docker Engine ${docker.version}, and does not understand it`,
        hint:
          features.dockerApi?.chosenBy === "daemon"
            ? "Take Kubernetes v1.8 or later, or a host with Docker Engine 24 or earlier."
            : "Set DOCKER_MIN_API_VERSION=1.24 in dockerd's environment and restart Docker, or take Kubernetes v1.24 or later.",
      };
    },
  },
  {
    name: "other-cluster",
    check({ containers, info }, wanted) {
      const found: Finding[] = [];
      const ours = containers.filter(isOurs);
      const cluster = ours.map((container) => container.labels[labels.cluster]).find((name) => name !== undefined);
      const role = ours.map((container) => container.labels[labels.role]).find((name) => name !== undefined);
      const hint = "Run `tsdeploy teardown` here first, or name another host's Docker.";
      if (cluster !== undefined && wanted.clusterName !== undefined && cluster !== wanted.clusterName) {
        found.push({
          kind: "conflict",
          code: "OTHER_CLUSTER",
          message: `${info.hostname} already belongs to the cluster ${cluster}, not ${wanted.clusterName}`,
          hint,
        });
      }
      if (role !== undefined && role !== wanted.role) {
        found.push({
          kind: "conflict",
          code: "OTHER_ROLE",
          message: `${info.hostname} is already a ${role} of the cluster ${cluster ?? "of unknown name"}`,
          hint,
        });
      }
      return found;
    },
  },
  {
    name: "other-kubelet",
    check({ containers }) {
      const foreign = containers.filter(isKubeletMade);
      const [first] = foreign;
      if (first === undefined || hasOurKubelet(containers)) {
        return undefined;
      }
      return {
        kind: "conflict",
        code: "OTHER_KUBELET",
        message: `Another kubelet uses this Docker: ${foreign.length} containers such as ${first.name} are pods of it`,
        hint: "Remove that Kubernetes and its containers first; two kubelets on one Docker kill each other's pods.",
      };
    },
  },
];
