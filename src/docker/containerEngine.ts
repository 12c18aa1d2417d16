import type { Duplex, Readable, Writable } from "node:stream";
import type { ContainerSpec, RestartPolicy } from "../model/containerSpec.js";
import type {
  ContainerDetails,
  ContainerEnd,
  ContainerSummary,
  EngineInfo,
  EngineVersion,
  ImageDetails,
  PullProgress,
} from "../model/dockerObjects.js";

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A running container whose standard input we hold. */
export interface AttachedContainer {
  readonly id: string;
  readonly stdin: Writable;
}

/** What an engine that waits for its daemon has for who keeps something there that ends with the daemon. */
export interface Outages {
  /**
   * `listener` is called when the daemon is back, before any other call is made; the engine that it gets does not wait.
   * If it throws a `TsdeployError` of kind `conflict`, that is what all later calls fail with.
   *
   * @returns takes the listener away
   */
  onReturn(listener: (engine: ContainerEngine) => Promise<void>): () => void;
  /** Waits until the daemon answers, and calls the listeners. */
  recover(): Promise<void>;
}

/**
 * The only door to a machine: what tsdeploy needs of a Docker Engine, in our own types.
 *
 * Every method throws a `TsdeployError` of kind `unreachable` when the daemon cannot be reached (codes
 * `DOCKER_UNREACHABLE`, `DOCKER_PERMISSION`), and an `EngineError` with the daemon's status and message otherwise.
 * "Already so" (304 on start and stop, 404 and 409 "removal in progress" on remove) counts as done.
 */
export interface ContainerEngine {
  /** How a person would name the endpoint: `unix:///var/run/docker.sock`, `ssh://root@10.0.0.5`, … */
  readonly endpoint: string;
  /** Others can read what passes between this machine and the daemon. */
  readonly isReadableOnTheWay: boolean;

  version(): Promise<EngineVersion>;
  info(): Promise<EngineInfo>;

  /** Running and stopped ones. `labels` are `key` or `key=value`, all of which must match. */
  listContainers(labels?: readonly string[]): Promise<ContainerSummary[]>;
  /** @returns undefined if there is none */
  inspectContainer(id: string): Promise<ContainerDetails | undefined>;
  /**
   * By its state and the events that the daemon remembers (its last 256).
   *
   * @returns undefined if there is none, or if it runs
   */
  containerEnd(id: string): Promise<ContainerEnd | undefined>;
  /** @returns the container's id */
  createContainer(name: string, spec: ContainerSpec): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** SIGTERM, then SIGKILL after `graceSeconds`. */
  stopContainer(id: string, graceSeconds: number): Promise<void>;
  setRestartPolicy(id: string, policy: RestartPolicy): Promise<void>;
  /** Removes it with its anonymous volumes, running or not; with `unlessRunning` a running one is refused (409). */
  removeContainer(id: string, options?: { unlessRunning?: boolean }): Promise<void>;
  /** Resolves with the exit code when it is not running. */
  waitContainer(id: string, signal?: AbortSignal): Promise<number>;
  /** Resolves when there is no such container any more. */
  waitUntilRemoved(id: string, signal?: AbortSignal): Promise<void>;
  /** The last lines of both streams, decoded. */
  containerLogs(id: string, options: { tail: number }): Promise<string>;
  /** Both streams as they come, decoded, until the container ends or the signal aborts. */
  followLogs(id: string, options: { tail: number; signal: AbortSignal }): Promise<Readable>;
  /**
   * Creates and starts a container whose standard input stays open for as long as our connection lives.
   *
   * @param onOutput gets what it says, from the beginning; Docker then keeps no log of it
   */
  runAttached(
    name: string,
    spec: ContainerSpec,
    onOutput?: (chunk: Buffer, stream: "stdout" | "stderr") => void,
  ): Promise<AttachedContainer>;

  /**
   * Runs a program in a running container; `stdin`, if given, is written whole (it is not closed reliably). `isLong`:
   * it may take longer than Docker is waited for otherwise.
   */
  exec(
    id: string,
    argv: readonly string[],
    options?: { stdin?: Buffer; signal?: AbortSignal; isLong?: boolean },
  ): Promise<ExecResult>;
  /**
   * Runs a program in a running container and passes on what it says as it comes.
   *
   * @returns its exit code
   */
  execFollowed(
    id: string,
    argv: readonly string[],
    options: {
      onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => Promise<void>;
      signal: AbortSignal;
    },
  ): Promise<number>;
  /** A program's stdin and stdout as one byte stream; its stderr is in the error that ends it. */
  execStream(id: string, argv: readonly string[]): Promise<Duplex>;
  /** What a container that runs attached answers by its connection: waited for as any other call of Docker is. */
  answerOf<T>(id: string, answer: () => Promise<T>): Promise<T>;

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
      /** Environment of what the build runs; names that Docker predefines leave no trace in the image. */
      buildArgs?: Readonly<Record<string, string>>;
      onLine: (line: string) => void;
      signal: AbortSignal;
    },
  ): Promise<void>;
  /** @param tag `name:tag`; taken away from the image that has it */
  tagImage(reference: string, tag: string): Promise<void>;
  /** Takes the name away, and the image with its last one, which is refused (409) while a container is of it. */
  removeImage(reference: string): Promise<void>;

  readonly outages?: Outages;

  /** Makes anew what its connections run through, such as ssh, if that has ended. Throws as if Docker were away. */
  reconnect?(withinMs: number): Promise<void>;
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
