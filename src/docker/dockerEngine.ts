import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Socket } from "node:net";
import { type Duplex, PassThrough, type Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import Docker from "dockerode";
import type { ContainerSpec, RestartPolicy } from "../model/containerSpec.js";
import { defined } from "../model/defined.js";
import type {
  ContainerDetails,
  ContainerEnd,
  ContainerSummary,
  EngineInfo,
  EngineVersion,
  ImageDetails,
  PullProgress,
} from "../model/dockerObjects.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { withAnySignal } from "../model/signals.js";
import { containerBody } from "./containerBody.js";
import { type AttachedContainer, type ContainerEngine, EngineError, type ExecResult } from "./containerEngine.js";
import { decodeLog, demultiplex } from "./demultiplexer.js";
import { dialWhole } from "./dialWhole.js";
import type { EndpointTls } from "./dockerEndpoint.js";
import { engineFailure, type FailureContext } from "./engineFailure.js";
import {
  containerDetails,
  containerSummaries,
  endedContainer,
  engineInfo,
  engineVersion,
  execDetails,
  imageDetails,
  imageSummaries,
  killEvent,
  waitResult,
} from "./engineResponses.js";
import { collectExec, type ExecSession, ExecStream, followExec } from "./execSession.js";
import { followBuild } from "./followBuild.js";
import { followLoad } from "./followLoad.js";
import { followPull } from "./followPull.js";
import { parseImageReference } from "./imageReference.js";
import { negotiateApiVersion } from "./negotiateApiVersion.js";
import type { RegistryAuth } from "./registryAuth.js";
import { WholeArchive } from "./wholeArchive.js";

/**
 * How long the first answer may take: a host that drops packets never refuses. It is the network's time, not the
 * machine's: the daemon has its version ready, and 20 times as slow takes milliseconds.
 */
const connectTimeoutMs = 30_000;

/** An open way to a daemon. */
export interface EngineConnection extends FailureContext {
  readonly address:
    | { readonly socketPath: string }
    | { readonly host: string; readonly port: number; readonly tls?: EndpointTls };
  /** Whether others can read what passes; default false. */
  readonly isReadableOnTheWay?: boolean;
  /** Credentials for a registry. */
  readonly registryAuth: (registry: string, signal: AbortSignal) => Promise<RegistryAuth | undefined>;
  /** Ends the wait for the first answer. */
  readonly signal?: AbortSignal;
  /** See `ContainerEngine`. */
  readonly reconnect?: (withinMs: number) => Promise<void>;
  /** Ends what the connection needs beside sockets. */
  readonly close: () => Promise<void>;
}

/**
 * Speaks to the daemon and settles on an API version.
 *
 * @throws TsdeployError `unreachable` (see `ContainerEngine`), or `environment`, `DOCKER_TOO_NEW`
 */
export async function openDockerEngine(connection: EngineConnection): Promise<ContainerEngine> {
  const agent = makeAgent(connection);
  try {
    const version = await firstVersion(makeDocker(connection, agent), connection);
    const docker = makeDocker(connection, agent, `v${negotiateApiVersion(version, connection.endpoint)}`);
    return new DockerEngine(docker, version, agent, connection);
  } catch (error) {
    agent.destroy();
    throw error;
  }
}

function makeAgent({ address }: EngineConnection): HttpAgent {
  const options = { keepAlive: true, keepAliveMsecs: 10_000 };
  // Without TLS no name is of use; Node.js would take five milliseconds to find one.
  const noName = { ...options, servername: "" };
  const agent = "tls" in address ? new HttpsAgent({ ...options, ...tlsOptions(address.tls) }) : new HttpAgent(noName);
  // For a line of its debug log, docker-modem inspects all options of each request to the last detail, even when it
  // logs nothing: ten milliseconds a request with the sockets in an agent.
  return Object.assign(agent, { [inspect.custom]: () => "Agent" });
}

function tlsOptions({ verify, ...certificates }: EndpointTls): object {
  return { ...certificates, rejectUnauthorized: verify };
}

function makeDocker({ address }: EngineConnection, agent: HttpAgent, version?: string): Docker {
  const protocol: "http" | "https" = agent instanceof HttpsAgent ? "https" : "http";
  const options = { ...address, protocol, agent, version };
  // docker-modem reads DOCKER_HOST and DOCKER_CERT_PATH by itself, prefers that host to our socket, and throws if
  // they are no good.
  const { DOCKER_HOST } = process.env;
  delete process.env["DOCKER_HOST"];
  try {
    const docker = new Docker(options);
    dialWhole(docker.modem as Parameters<typeof dialWhole>[0]);
    return docker;
  } finally {
    if (DOCKER_HOST !== undefined) {
      process.env["DOCKER_HOST"] = DOCKER_HOST;
    }
  }
}

async function firstVersion(docker: Docker, connection: EngineConnection): Promise<EngineVersion> {
  const deadline = AbortSignal.timeout(connectTimeoutMs);
  const ask = docker.version.bind(docker) as (options: object) => Promise<unknown>;
  const asked = withAnySignal([deadline, connection.signal], (abortSignal) => ask({ abortSignal }));
  const answer = await asked.catch(async (error: unknown) => {
    if (deadline.aborted) {
      throw notDocker(connection.endpoint, `no answer within ${connectTimeoutMs / 1000} seconds`);
    }
    const failure = await engineFailure(error, connection);
    // It answers, but not as Docker does: a port of something else, or HTTP where the daemon wants TLS.
    throw failure instanceof EngineError ? notDocker(connection.endpoint, failure.message) : failure;
  });
  const version = engineVersion.safeParse(answer);
  if (!version.success) {
    throw notDocker(connection.endpoint, "what answers there is not Docker");
  }
  return version.data;
}

function notDocker(endpoint: string, why: string): TsdeployError {
  return new TsdeployError("unreachable", {
    code: "DOCKER_UNREACHABLE",
    message: `cannot reach Docker at ${endpoint}: ${why}`,
    hint: /HTTPS/.test(why)
      ? "That port speaks TLS: set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH."
      : "Compare host and port with what dockerd listens on.",
  });
}

class DockerEngine implements ContainerEngine {
  readonly endpoint: string;
  readonly isReadableOnTheWay: boolean;
  readonly #docker: Docker;
  readonly #version: EngineVersion;
  readonly #agent: HttpAgent;
  readonly #connection: EngineConnection;
  /** Hijacked connections, which have left the agent, and streams over them. */
  readonly #open = new Set<Duplex>();

  constructor(docker: Docker, version: EngineVersion, agent: HttpAgent, connection: EngineConnection) {
    this.endpoint = connection.endpoint;
    this.isReadableOnTheWay = connection.isReadableOnTheWay ?? false;
    this.#docker = docker;
    this.#version = version;
    this.#agent = agent;
    this.#connection = connection;
  }

  version(): Promise<EngineVersion> {
    return Promise.resolve(this.#version);
  }

  async info(): Promise<EngineInfo> {
    return engineInfo.parse(await this.#ask(this.#docker.info()));
  }

  async listContainers(labels: readonly string[] = []): Promise<ContainerSummary[]> {
    const filters = { label: [...labels] };
    return containerSummaries.parse(await this.#ask(this.#docker.listContainers({ all: true, filters })));
  }

  async inspectContainer(id: string): Promise<ContainerDetails | undefined> {
    const container = await this.#ifThere(this.#docker.getContainer(id).inspect());
    return container === undefined ? undefined : containerDetails.parse(container);
  }

  async containerEnd(id: string): Promise<ContainerEnd | undefined> {
    const container = await this.#ifThere(this.#docker.getContainer(id).inspect());
    const ended = endedContainer.optional().parse(container);
    if (!ended) return undefined;
    // By the daemon's own clock, in whole seconds.
    const [since, until] = [Math.floor(ended.startedMs / 1000), Math.ceil(ended.finishedMs / 1000) + 1];
    const filters = { container: [id], event: ["kill"] };
    const read = async (): Promise<string> => text(asReadable(await this.#docker.getEvents({ since, until, filters })));
    const events = await this.#ask(read());
    const lines = events.split("\n").filter((line) => line !== "");
    return {
      exitCode: ended.exitCode,
      ranMs: ended.finishedMs - ended.startedMs,
      signals: lines.map((line) => killEvent.parse(JSON.parse(line)).Actor.Attributes.signal),
    };
  }

  async createContainer(name: string, spec: ContainerSpec): Promise<string> {
    return this.#create(name, containerBody(spec));
  }

  async startContainer(id: string): Promise<void> {
    await this.#done(this.#docker.getContainer(id).start(), isAlreadySo);
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    await this.#done(this.#docker.getContainer(id).stop({ t: graceSeconds }), isStopped);
  }

  async setRestartPolicy(id: string, policy: RestartPolicy): Promise<void> {
    await this.#ask(this.#docker.getContainer(id).update({ RestartPolicy: { Name: policy } }));
  }

  async removeContainer(id: string, { unlessRunning = false }: { unlessRunning?: boolean } = {}): Promise<void> {
    await this.#done(this.#docker.getContainer(id).remove({ force: !unlessRunning, v: true }), isGone);
  }

  async waitContainer(id: string, signal?: AbortSignal): Promise<number> {
    const options = signal ? { abortSignal: signal } : {};
    return waitResult.parse(await this.#ask(this.#docker.getContainer(id).wait(options), signal)).StatusCode;
  }

  async waitUntilRemoved(id: string, signal?: AbortSignal): Promise<void> {
    const options = { condition: "removed" as const, ...(signal ? { abortSignal: signal } : {}) };
    await this.#done(this.#docker.getContainer(id).wait(options), isGone, signal);
  }

  async containerLogs(id: string, { tail }: { tail: number }): Promise<string> {
    const log: unknown = await this.#ask(this.#docker.getContainer(id).logs({ stdout: true, stderr: true, tail }));
    // What looks like JSON is parsed, as the log of a container with a terminal may do.
    return Buffer.isBuffer(log) ? decodeLog(log) : JSON.stringify(log);
  }

  async followLogs(id: string, { tail, signal }: { tail: number; signal: AbortSignal }): Promise<Readable> {
    const options = { follow: true, stdout: true, stderr: true, tail } as const;
    const log = asReadable(await this.#ask(this.#docker.getContainer(id).logs(options)));
    const output = new PassThrough({ encoding: "utf8" });
    demultiplex(log, (chunk) => {
      if (!output.write(chunk)) {
        log.pause();
      }
    });
    const end = () => {
      output.end();
      log.destroy();
    };
    output.on("drain", () => log.resume());
    output.on("close", () => {
      signal.removeEventListener("abort", end);
      log.destroy();
    });
    log.on("end", end);
    log.on("error", (error) => void this.#failure(error).then((failure) => output.destroy(failure)));
    signal.addEventListener("abort", end);
    if (signal.aborted) {
      end();
    }
    return output;
  }

  async runAttached(
    name: string,
    spec: ContainerSpec,
    onOutput?: (chunk: Buffer, stream: "stdout" | "stderr") => void,
  ): Promise<AttachedContainer> {
    const body = containerBody(spec);
    // There may be secrets in it, which belong into no log on the host's disk.
    const HostConfig = { ...body.HostConfig, ...(onOutput && { LogConfig: { Type: "none" } }) };
    const id = await this.#create(name, {
      ...body,
      HostConfig,
      OpenStdin: true,
      // Docker closes the program's stdin when our connection ends, however it ends.
      StdinOnce: true,
      AttachStdin: true,
    });
    const container = this.#docker.getContainer(id);
    let socket: Socket | undefined;
    try {
      const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
      socket = this.#hijacked(await this.#ask(container.attach(options)));
      if (onOutput) demultiplex(socket, onOutput);
      // Nobody reads what it says: it is in its log.
      else socket.resume();
      await this.#ask(container.start());
      return { id, stdin: socket };
    } catch (error) {
      socket?.destroy();
      await this.removeContainer(id).catch(() => undefined);
      throw error;
    }
  }

  async exec(
    id: string,
    argv: readonly string[],
    options: { stdin?: Buffer; signal?: AbortSignal } = {},
  ): Promise<ExecResult> {
    return collectExec(await this.#startExec(id, argv, options.stdin !== undefined, options.signal), options);
  }

  async execFollowed(
    id: string,
    argv: readonly string[],
    {
      onOutput,
      signal,
    }: { onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => Promise<void>; signal: AbortSignal },
  ): Promise<number> {
    return followExec(await this.#startExec(id, argv, false, signal), onOutput, signal);
  }

  async execStream(id: string, argv: readonly string[]): Promise<Duplex> {
    return this.#untilClosed(new ExecStream(await this.#startExec(id, argv, true)));
  }

  async answerOf<T>(_id: string, answer: () => Promise<T>): Promise<T> {
    return answer();
  }

  async inspectImage(reference: string): Promise<ImageDetails | undefined> {
    // Not only for the message: it becomes a part of the request's path.
    parseImageReference(reference);
    const image = await this.#ifThere(this.#docker.getImage(reference).inspect());
    return image === undefined ? undefined : imageDetails.parse(image);
  }

  async listImages(labels: readonly string[]): Promise<ImageDetails[]> {
    const images = imageSummaries.parse(await this.#ask(this.#docker.listImages({ filters: { label: [...labels] } })));
    const details = await Promise.all(images.map(async ({ Id }) => this.inspectImage(Id)));
    return details.filter((image) => image !== undefined);
  }

  async pullImage(
    reference: string,
    {
      onProgress,
      signal,
      platform,
    }: { onProgress: (progress: PullProgress) => void; signal: AbortSignal; platform?: string },
  ): Promise<void> {
    const { registry, repository, tag, digest } = parseImageReference(reference);
    let withoutCredentials = "";
    const auth = await this.#connection.registryAuth(registry, signal).catch((error: unknown) => {
      if (error instanceof TsdeployError) {
        throw error;
      }
      withoutCredentials = ` (no credentials were sent: ${messageOf(error)})`;
      return undefined;
    });
    signal.throwIfAborted();
    try {
      const options = {
        fromImage: `${registry}/${repository}`,
        tag: digest ?? tag,
        ...defined({ platform }),
        abortSignal: signal,
      };
      await followPull(asReadable(await this.#docker.createImage(auth, options)), onProgress);
    } catch (error) {
      signal.throwIfAborted();
      const failure = await this.#failure(error);
      throw failure instanceof EngineError && withoutCredentials !== ""
        ? new EngineError(failure.status, failure.message + withoutCredentials, { cause: failure })
        : failure;
    }
  }

  async saveImages(references: readonly string[], signal?: AbortSignal): Promise<Readable> {
    references.forEach(parseImageReference);
    // Its types do not know it.
    const docker = this.#docker as unknown as { getImages(options: object): Promise<unknown> };
    const abort = signal ? { abortSignal: signal } : {};
    const body = asReadable(await this.#ask(docker.getImages({ names: [...references], ...abort }), signal));
    const archive = this.#untilClosed(new WholeArchive());
    body.on("error", (error) => void this.#failure(error).then((failure) => archive.destroy(failure)));
    archive.on("close", () => body.destroy());
    return body.pipe(archive);
  }

  async loadImages(archive: Readable, signal?: AbortSignal): Promise<string[]> {
    return this.#upload(archive, signal, async (abortSignal) =>
      followLoad(asReadable(await this.#docker.loadImage(archive, { quiet: "1", abortSignal }))),
    );
  }

  async buildImage(
    context: Readable,
    { tag, platform, buildArgs, onLine, signal }: Parameters<ContainerEngine["buildImage"]>[1],
  ): Promise<void> {
    parseImageReference(tag);
    const options = {
      t: tag,
      // The classic builder's containers go, also those of a build that fails.
      forcerm: true,
      ...defined({ platform, buildargs: buildArgs }),
    };
    await this.#upload(context, signal, async (abortSignal) =>
      followBuild(asReadable(await this.#docker.buildImage(context, { ...options, abortSignal })), onLine),
    );
  }

  async tagImage(reference: string, tag: string): Promise<void> {
    parseImageReference(reference);
    const { registry, repository, tag: name = "latest" } = parseImageReference(tag);
    await this.#ask(this.#docker.getImage(reference).tag({ repo: `${registry}/${repository}`, tag: name }));
  }

  async removeImage(reference: string): Promise<void> {
    parseImageReference(reference);
    await this.#done(this.#docker.getImage(reference).remove(), isGone);
  }

  async reconnect(withinMs: number): Promise<void> {
    await this.#connection.reconnect?.(withinMs);
  }

  async close(): Promise<void> {
    for (const stream of this.#open) {
      stream.destroy();
    }
    // A request may be about to open another.
    this.#agent.createConnection = () => {
      throw new Error("the connection was closed");
    };
    this.#agent.destroy();
    await this.#connection.close();
  }

  async #create(name: string, body: object): Promise<string> {
    // Else docker-modem puts the whole body into the URL as well.
    const options = { _query: { name }, _body: body };
    return (await this.#ask(this.#docker.createContainer(options as Docker.ContainerCreateOptions))).id;
  }

  async #startExec(
    id: string,
    argv: readonly string[],
    withStdin: boolean,
    signal?: AbortSignal,
  ): Promise<ExecSession> {
    const abort = signal ? { abortSignal: signal } : {};
    const options = { Cmd: [...argv], AttachStdin: withStdin, AttachStdout: true, AttachStderr: true };
    const exec = await this.#ask(this.#docker.getContainer(id).exec({ ...options, ...abort }), signal);
    const socket = this.#hijacked(await this.#ask(exec.start({ hijack: true, stdin: withStdin, ...abort }), signal));
    return {
      program: argv[0] ?? "",
      socket,
      exitCode: async (askSignal) => {
        // Docker ends the stream a little before it knows the exit code.
        for (let pauseMs = 5; ; pauseMs = Math.min(2 * pauseMs, 200)) {
          const details = execDetails.parse(await this.#ask(exec.inspect(), askSignal));
          if (!details.Running && typeof details.ExitCode === "number") {
            return details.ExitCode;
          }
          await delay(pauseMs, undefined, askSignal ? { signal: askSignal } : {});
        }
      },
      failure: async (error) => this.#failure(error),
    };
  }

  #hijacked(stream: unknown): Socket {
    // Whoever reads it listens later, when it may have broken already; it is closed then.
    return this.#untilClosed((stream as Socket).on("error", () => undefined));
  }

  #untilClosed<T extends Duplex>(stream: T): T {
    this.#open.add(stream);
    stream.on("close", () => this.#open.delete(stream));
    return stream;
  }

  async #failure(error: unknown): Promise<Error> {
    return engineFailure(error, this.#connection);
  }

  /** A request that sends a stream; either's end by an error is the other's. */
  async #upload<T>(
    body: Readable,
    signal: AbortSignal | undefined,
    request: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController();
    const broken = new Promise<never>((_, reject) => {
      body.once("error", reject);
      if (body.errored) reject(body.errored);
    });
    try {
      return await Promise.race([withAnySignal([signal, stop.signal], request), broken]);
    } catch (error) {
      stop.abort();
      signal?.throwIfAborted();
      throw await this.#failure(error);
    } finally {
      body.destroy();
    }
  }

  async #ask<T>(request: Promise<T>, signal?: AbortSignal): Promise<T> {
    return request.catch(async (error: unknown) => {
      signal?.throwIfAborted();
      throw await this.#failure(error);
    });
  }

  async #done(
    request: Promise<unknown>,
    isDone: (error: EngineError) => boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    await this.#ask(request, signal).catch((error: unknown) => {
      if (!(error instanceof EngineError && isDone(error))) {
        throw error;
      }
    });
  }

  async #ifThere<T>(request: Promise<T>): Promise<T | undefined> {
    return this.#ask(request).catch((error: unknown) => {
      if (error instanceof EngineError && error.status === 404) {
        return undefined;
      }
      throw error;
    });
  }
}

/** dockerode declares less than it returns. */
function asReadable(stream: unknown): Readable {
  return stream as Readable;
}

function isAlreadySo(error: EngineError): boolean {
  return error.status === 304;
}

function isStopped(error: EngineError): boolean {
  return isAlreadySo(error) || isGone(error);
}

function isGone(error: EngineError): boolean {
  return error.status === 404 || (error.status === 409 && /removal of container .* in progress/.test(error.message));
}
