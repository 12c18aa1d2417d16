import type { RestartPolicy } from "./containerSpec.js";

/** `GET /version`, as far as we use it. */
export interface EngineVersion {
  /** Docker Engine's own version, such as `20.10.24+dfsg1`. */
  readonly version: string;
  /** The newest API the daemon speaks, such as `1.41`. */
  readonly apiVersion: string;
  readonly minApiVersion: string;
  /** `linux` or `windows`. */
  readonly os: string;
  /** Go's name: `amd64`, `arm64`, … */
  readonly architecture: string;
}

/** `GET /info`, as far as we use it. */
export interface EngineInfo {
  readonly id: string;
  readonly hostname: string;
  /** `Debian GNU/Linux 12 (bookworm)`, `Docker Desktop`, … */
  readonly operatingSystem: string;
  readonly osType: string;
  /** The kernel's name: `x86_64`, `aarch64`. */
  readonly machine: string;
  readonly kernelVersion: string;
  readonly dockerRootDir: string;
  readonly storageDriver: string;
  readonly loggingDriver: string;
  readonly cgroupDriver: string;
  /** `1` or `2`; daemons before 20.10 do not say, they know only `1`. */
  readonly cgroupVersion: "1" | "2";
  /** `name=rootless`, `name=userns`, `name=seccomp,profile=default`, … */
  readonly securityOptions: readonly string[];
  readonly cpus: number;
  readonly memoryBytes: number;
  /** `iptables`, `nftables`, or with `+firewalld` behind it; empty before API 1.49. */
  readonly firewallBackend: string;
  readonly liveRestore: boolean;
  /** By which the daemon pulls; empty without one. */
  readonly httpProxy: string;
  readonly httpsProxy: string;
  readonly noProxy: string;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `created`, `running`, `exited`, … */
  readonly state: string;
  /** Docker's human text, such as `Up 3 minutes`. */
  readonly status: string;
  /** Seconds since 1970. */
  readonly createdAt: number;
}

/** `GET /containers/{id}/json`, as far as we use it. */
export interface ContainerDetails {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly command: readonly string[];
  readonly binds: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** The soft limit that it asks for; undefined: none. */
  readonly openFiles?: number;
  /** `created`, `running`, `exited`, … */
  readonly state: string;
  readonly running: boolean;
  readonly exitCode: number;
  readonly pid: number;
  readonly restartCount: number;
  /** RFC 3339; `0001-01-01T00:00:00Z` if it never ran. */
  readonly startedAt: string;
  readonly ipcMode: string;
  readonly restartPolicy: RestartPolicy;
}

/** How a container ended. */
export interface ContainerEnd {
  readonly exitCode: number;
  /** How long its last life was. */
  readonly ranMs: number;
  /**
   * Signals that it was sent through Docker in that life, such as 15; empty if it ended by itself. What the exit code
   * cannot tell: an API server that is stopped may end with 0, 1, 137 or 255, by how far it has come.
   */
  readonly signals: readonly number[];
}

export interface ImageDetails {
  readonly id: string;
  readonly tags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly architecture: string;
  readonly os: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly sizeBytes: number;
  /** RFC 3339; empty if the image does not say. */
  readonly createdAt: string;
  /** `sha256:…` of each layer's tar archive, uncompressed: the same on every Docker, which an id is not. */
  readonly layers: readonly string[];
}

/** Progress of a pull, over all layers; bytes are those known so far. */
export interface PullProgress {
  readonly layersDone: number;
  readonly layersTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}
