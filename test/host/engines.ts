import type { EngineFacts } from "../../src/model/hostFacts.js";
import { engineFacts } from "./fixtures.js";

/**
 * Engines as `docker info` and `docker version` of Docker 28 and 29 tell of them on hosts with systemd: cgroup v2, its
 * driver, and with the containerd image store, which 29 has by itself.
 */
export const modernEngines: Readonly<Record<string, EngineFacts>> = {
  "Docker 28": engineOf("28.5.2", "1.51", "1.24", "overlay2"),
  "Docker 28 with containerd's images": engineOf("28.5.2", "1.51", "1.24", "overlayfs"),
  "Docker 29": engineOf("29.1.3", "1.52", "1.44", "overlayfs"),
};

function engineOf(version: string, apiVersion: string, minApiVersion: string, storageDriver: string): EngineFacts {
  return {
    ...engineFacts,
    version: { version, apiVersion, minApiVersion, os: "linux", architecture: "amd64" },
    info: {
      ...engineFacts.info,
      operatingSystem: "Debian GNU/Linux 13 (trixie)",
      kernelVersion: "6.12.48+deb13-amd64",
      storageDriver,
      firewallBackend: "iptables",
      cgroupDriver: "systemd",
      cgroupVersion: "2",
      securityOptions: ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
    },
  };
}
