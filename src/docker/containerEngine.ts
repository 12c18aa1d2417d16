import type { Duplex, Readable, Writable } from "node:stream";
import type { ContainerSpec } from "../plan/containerSpec.js";

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
  readonly liveRestore: boolean;
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
  readonly running: boolean;
  readonly exitCode: number;
  readonly pid: number;
  readonly restartCount: number;
  /** RFC 3339; `0001-01-01T00:00:00Z` if it never ran. */
  readonly startedAt: string;
  readonly ipcMode: string;
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

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Progress of a pull, over all layers; bytes are those known so far. */
export interface PullProgress {
  readonly layersDone: number;
  readonly layersTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

/** A running container whose standard input we hold. */
export interface AttachedContainer {
  readonly id: string;
  readonly stdin: Writable;
}

/**
 * The only door to a machine: what tsdeploy asks of a Docker Engine, in our own types.
 *
 * Every method throws a `TsdeployError` of kind `unreachable` when the daemon cannot be reached (codes
 * `DOCKER_UNREACHABLE`, `DOCKER_PERMISSION`), and an `EngineError` with the daemon's status and message otherwise.
 * "Already so" (304 on start and stop, 404 and 409 "removal in progress" on remove) counts as done.
 */
export interface ContainerEngine {
  /** How a person would name the endpoint: `unix:///var/run/docker.sock`, `ssh://root@10.0.0.5`, … */
  readonly endpoint: string;

  version(): Promise<EngineVersion>;
  info(): Promise<EngineInfo>;

  /** Running and stopped ones. `labels` are `key` or `key=value`, all of which must match. */
  listContainers(labels?: readonly string[]): Promise<ContainerSummary[]>;
  /** @returns undefined if there is none */
  inspectContainer(id: string): Promise<ContainerDetails | undefined>;
  /** @returns the container's id */
  createContainer(name: string, spec: ContainerSpec): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  /** Removes it with its anonymous volumes, running or not. */
  removeContainer(id: string): Promise<void>;
  /** Resolves with the exit code when it is not running. */
  waitContainer(id: string, signal?: AbortSignal): Promise<number>;
  /** The last lines of both streams, decoded. */
  containerLogs(id: string, options: { tail: number }): Promise<string>;
  /** Both streams as they come, decoded, until the container ends or the signal aborts. */
  followLogs(id: string, options: { tail: number; signal: AbortSignal }): Promise<Readable>;
  /** Creates and starts a container whose standard input stays open for as long as our connection lives. */
  runAttached(name: string, spec: ContainerSpec): Promise<AttachedContainer>;

  /** Runs a program in a running container; `stdin`, if given, is written whole (it is not closed reliably). */
  exec(id: string, argv: readonly string[], options?: { stdin?: Buffer; signal?: AbortSignal }): Promise<ExecResult>;
  /** A program's stdin and stdout as one byte stream; what it says on stderr goes into the error that ends it. */
  execStream(id: string, argv: readonly string[]): Promise<Duplex>;

  /** @returns undefined if it is not here */
  inspectImage(reference: string): Promise<ImageDetails | undefined>;
  /** Images here that carry all these labels. */
  listImages(labels: readonly string[]): Promise<ImageDetails[]>;
  /**
   * Follows the pull to its end; errors inside the stream become `EngineError`s. Credentials come from the Docker
   * config file.
   */
  pullImage(
    reference: string,
    options: {
      onProgress: (progress: PullProgress) => void;
      signal: AbortSignal;
      /** `linux/arm64`; default: the daemon's own. */
      platform?: string;
    },
  ): Promise<void>;
  /** These images as one archive (`docker save`); a stream that ends is whole, one that is not ends with an error. */
  saveImages(references: readonly string[], signal?: AbortSignal): Promise<Readable>;
  /**
   * Takes an archive of images (`docker load`); nothing of one that is cut stays.
   *
   * @returns the references, or ids, of what was loaded
   */
  loadImages(archive: Readable, signal?: AbortSignal): Promise<string[]>;
  /**
   * Builds an image of a tar archive with a Dockerfile by Docker's classic builder. It pulls a missing base without
   * credentials: `pullImage` before. The `EngineError` of a build that fails carries its last lines.
   */
  buildImage(
    context: Readable,
    options: {
      tag: string;
      /** `linux/arm64`; default: the daemon's own. */
      platform?: string;
      onLine: (line: string) => void;
      signal: AbortSignal;
    },
  ): Promise<void>;
  /** @param tag `name:tag`; taken away from the image that has it */
  tagImage(reference: string, tag: string): Promise<void>;
  /** Takes the name away, and the image with its last one, which is refused (409) while a container is of it. */
  removeImage(reference: string): Promise<void>;

  /** Ends connections and tunnels. */
  close(): Promise<void>;
}

/** The daemon answered, with a refusal. */
export class EngineError extends Error {
  /** HTTP status; 0 for an error inside a stream. */
  readonly status: number;

  constructor(status: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "EngineError";
    this.status = status;
  }
}
