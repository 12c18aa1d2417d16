import pRetry from "p-retry";
import { aborted, isProblem, TsdeployError } from "../model/errors.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";
import type { Report } from "../report/events.js";
import { formatDuration } from "../report/formatDuration.js";
import { type ContainerEngine, EngineError } from "./containerEngine.js";

export interface PatienceOptions {
  /** The run's: calls that are under way when it aborts end. Later ones clean up, and are not ended by it. */
  readonly signal: AbortSignal;
  /** For each call, and for a daemon that is away to come back. */
  readonly timeoutMs: number;
  readonly report: Report;
}

type Method = Exclude<keyof ContainerEngine, "endpoint" | "isReadableOnTheWay" | "outages" | "reconnect" | "close">;

interface Policy {
  /** What a person would call it. */
  readonly what: string;
  /** `none`: it takes as long as it takes, or has a deadline of its own. Default: the run's timeout. */
  readonly deadline?: "none" | "with-grace";
  /** Whether it is made again when the daemon went away under it: twice is as good as once. */
  readonly repeat?: true;
  /**
   * Whether it may change something. What undoes a run must not meet its last call under way, so that call still has
   * `#answerMs` after Ctrl-C.
   */
  readonly changes?: true;
}

const policies: Readonly<Record<Method, Policy>> = {
  version: { what: "docker version", repeat: true },
  info: { what: "docker info", repeat: true },
  listContainers: { what: "docker ps", repeat: true },
  inspectContainer: { what: "docker inspect", repeat: true },
  containerEnd: { what: "docker inspect", repeat: true },
  // Made again if it is not there.
  createContainer: { what: "docker create", changes: true },
  startContainer: { what: "docker start", repeat: true, changes: true },
  stopContainer: { what: "docker stop", deadline: "with-grace", repeat: true, changes: true },
  setRestartPolicy: { what: "docker update", repeat: true, changes: true },
  removeContainer: { what: "docker rm", repeat: true, changes: true },
  waitContainer: { what: "docker wait", deadline: "none", repeat: true },
  waitUntilRemoved: { what: "docker wait", deadline: "none", repeat: true },
  containerLogs: { what: "docker logs", repeat: true },
  followLogs: { what: "docker logs --follow", deadline: "none" },
  runAttached: { what: "docker run", changes: true },
  exec: { what: "docker exec", changes: true },
  // It changes nothing of ours; a person's program may run as long as it likes.
  execFollowed: { what: "docker exec", deadline: "none" },
  execStream: { what: "docker exec" },
  answerOf: { what: "docker attach", changes: true },
  inspectImage: { what: "docker image inspect", repeat: true },
  listImages: { what: "docker images", repeat: true },
  // With the caller's own signal and deadline.
  pullImage: { what: "docker pull", deadline: "none" },
  saveImages: { what: "docker save", deadline: "none" },
  loadImages: { what: "docker load", deadline: "none" },
  buildImage: { what: "docker build", deadline: "none" },
  tagImage: { what: "docker tag", repeat: true, changes: true },
  removeImage: { what: "docker rmi", repeat: true, changes: true },
};

const closeMs = 5_000;

/**
 * An engine whose calls all end, whatever becomes of the daemon:
 *
 * - when the run's signal aborts, a call that is under way ends with `ABORTED`;
 * - a call that is not answered in time ends with `DOCKER_HUNG`;
 * - when the daemon ends, as it does when it is restarted, or the SSH connection to it breaks, calls wait until it is
 *   back. What can be done twice is then done again; the rest fails, for its caller to try again.
 *
 * Made of an engine that has been connected: a daemon that is not there at the beginning is reported at once.
 */
export function patientEngine(engine: ContainerEngine, options: PatienceOptions): ContainerEngine {
  return new Patience(engine, options).engine;
}

type Call = (...args: unknown[]) => Promise<unknown>;
type Around = (method: Method, args: readonly unknown[]) => Promise<unknown>;

class Patience {
  readonly engine: ContainerEngine;
  readonly #inner: ContainerEngine;
  /** Does not wait for a daemon that is away: for those who bring back what went away with it. */
  readonly #direct: ContainerEngine;
  readonly #options: PatienceOptions;
  /** For a changing call to be answered after Ctrl-C, and for a cheap one by a daemon that has not answered. */
  readonly #answerMs: number;
  readonly #listeners = new Set<(engine: ContainerEngine) => Promise<void>>();
  /** For the calls under way: many listeners of one signal make Node.js warn. */
  readonly #onAbort = new Set<() => void>();
  /** Pending while the daemon is away. */
  #recovery: Promise<void> | undefined;
  /** Why nothing more may be done on this host, although the daemon is back. */
  #refusal: Error | undefined;
  /** The last call was not answered: the next one has to wait for an answer to a cheap one, and not for long. */
  #silent = false;
  /** It was away for as long as anybody waits: the next call does not. */
  #isGivenUp = false;
  #isClosed = false;

  constructor(inner: ContainerEngine, options: PatienceOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#answerMs = requestTimeoutMs(options.timeoutMs);
    const endCalls = (): void => {
      for (const end of this.#onAbort) end();
    };
    options.signal.addEventListener("abort", endCalls, { once: true });
    this.#direct = this.#decorate(async (method, args) => this.#bounded(method, args, this.#options.signal.aborted));
    const outages = {
      onReturn: (listener: (engine: ContainerEngine) => Promise<void>) => {
        this.#listeners.add(listener);
        return () => void this.#listeners.delete(listener);
      },
      recover: async () => this.#recover(),
    };
    this.engine = { ...this.#decorate(async (method, args) => this.#patient(method, args)), outages };
  }

  #decorate(around: Around): ContainerEngine {
    const methods = Object.keys(policies).map((method): [string, Call] => [
      method,
      async (...args) => around(method as Method, args),
    ]);
    const decorated: unknown = {
      ...Object.fromEntries(methods),
      endpoint: this.#inner.endpoint,
      isReadableOnTheWay: this.#inner.isReadableOnTheWay,
      close: async () => this.#close(),
    };
    return decorated as ContainerEngine;
  }

  /** What its connection still has to say by then is of no interest. */
  async #close(): Promise<void> {
    this.#isClosed = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, closeMs)));
    await Promise.race([this.#inner.close(), late]).finally(() => {
      clearTimeout(timer);
    });
  }

  async #patient(method: Method, args: readonly unknown[]): Promise<unknown> {
    const isCleanUp = this.#options.signal.aborted;
    const giveUpMs = performance.now() + this.#options.timeoutMs;
    for (;;) {
      await this.#recovery;
      if (this.#refusal) throw this.#refusal;
      try {
        return await this.#bounded(method, args, isCleanUp);
      } catch (error) {
        const canRepeat = policies[method].repeat ?? method === "createContainer";
        const isInVain = isProblem(error, "DOCKER_HUNG") ? this.#silent : this.#isGivenUp;
        if (!canRepeat || !isAway(error) || isInVain || performance.now() > giveUpMs) throw error;
        // Nobody hears it any more: its connection ends with the run.
        if (this.#isClosed) throw error;
        await this.#recover(error);
        const created = method === "createContainer" ? await this.#inner.inspectContainer(String(args[0])) : undefined;
        // Its name is ours alone, so it is the one that we have requested.
        if (created) return created.id;
      }
    }
  }

  /** Waits until the daemon answers, and has what went away with it brought back. One at a time, for all calls. */
  async #recover(cause?: unknown): Promise<void> {
    this.#recovery ??= this.#sitOut(cause).finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #sitOut(cause: unknown): Promise<void> {
    const { report, timeoutMs, signal } = this.#options;
    if (cause !== undefined) {
      report({ kind: "notice", message: `Docker at ${this.#inner.endpoint} does not answer; waiting for it` });
    }
    const isCleanUp = signal.aborted;
    const bringBack = async (): Promise<void> => {
      // Ctrl-C ends the wait, not ssh, which the undo needs as well.
      await this.#unlessAborted(isCleanUp, 0, async () => this.#inner.reconnect?.(timeoutMs));
      await this.#direct.info();
      for (const listener of this.#listeners) await listener(this.#direct);
    };
    try {
      await pRetry(bringBack, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 100,
        maxTimeout: 1_000,
        maxRetryTime: timeoutMs,
        shouldRetry: ({ error }) => isAway(error) && !this.#isClosed,
        ...(isCleanUp ? {} : { signal }),
      });
    } catch (error) {
      if (isAway(error)) this.#silent = this.#isGivenUp = true;
      else if (error instanceof TsdeployError && error.kind === "conflict") this.#refusal = error;
      throw error instanceof Error && error.name === "AbortError" ? aborted() : error;
    }
  }

  /** A call with its deadline; what began before the signal aborted is ended by it. */
  async #bounded(method: Method, args: readonly unknown[], isCleanUp: boolean): Promise<unknown> {
    const { signal, timeoutMs } = this.#options;
    const { what, deadline, changes } = policies[method];
    const call = nameOf(what, args);
    if (!isCleanUp && signal.aborted) {
      this.#silent = true;
      throw aborted();
    }
    const graceMs = deadline === "with-grace" ? Number(args[1]) * 1000 : 0;
    return this.#unlessAborted(isCleanUp, changes ? this.#answerMs : 0, async () => {
      // A cheap request shows whether to give it all its time again.
      if (this.#silent) await this.#within(this.#inner.info(), this.#answerMs, call);
      if (!isCleanUp && signal.aborted) throw aborted();
      const answer = (this.#inner[method] as Call).apply(this.#inner, [...args]);
      if (isLong(method, args)) return this.#whileAlive(answer, call);
      return this.#within(answer, deadline === "none" ? undefined : timeoutMs + graceMs, call);
    });
  }

  /** Ends with the signal, `stillMs` later, unless it cleans up. */
  async #unlessAborted<T>(isCleanUp: boolean, stillMs: number, work: () => Promise<T>): Promise<T> {
    if (isCleanUp) return work();
    let timer: NodeJS.Timeout | undefined;
    let onAbort = (): void => undefined;
    const ended = new Promise<never>((_, reject) => {
      const end = (): void => {
        reject(aborted());
      };
      onAbort = () => {
        // Until it answers again.
        this.#silent = true;
        if (stillMs > 0) timer = setTimeout(end, stillMs);
        else end();
      };
    });
    this.#onAbort.add(onAbort);
    try {
      return await Promise.race([work(), ended]);
    } finally {
      this.#onAbort.delete(onAbort);
      clearTimeout(timer);
    }
  }

  /** As long as it takes, if a cheap request is answered whenever its time is over. */
  async #whileAlive<T>(answer: Promise<T>, call: string): Promise<T> {
    for (;;) {
      try {
        return await this.#within(answer, this.#options.timeoutMs, call);
      } catch (error) {
        if (!isProblem(error, "DOCKER_HUNG")) throw error;
        await this.#within(this.#inner.info(), this.#answerMs, call);
      }
    }
  }

  /** What is answered by then; any answer, a refusal too, shows that the daemon lives. */
  async #within<T>(answer: Promise<T>, withinMs: number | undefined, call: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      if (withinMs === undefined) return;
      timer = setTimeout(() => {
        this.#silent = true;
        reject(hung(this.#inner.endpoint, call, withinMs));
      }, withinMs);
    });
    try {
      const result = await Promise.race([answer, late]);
      this.#silent = this.#isGivenUp = false;
      return result;
    } catch (error) {
      if (error instanceof EngineError) this.#silent = this.#isGivenUp = false;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function isLong(method: Method, args: readonly unknown[]): boolean {
  const [, , options] = args as Parameters<ContainerEngine["exec"]>;
  return method === "exec" && options?.isLong === true;
}

/** The daemon is not there, or no more. */
function isAway(error: unknown): boolean {
  return isProblem(error, "DOCKER_UNREACHABLE") || isProblem(error, "DOCKER_HUNG");
}

/** `docker exec kube_helper_lock`; of what is sent along nothing is said. */
function nameOf(what: string, [subject]: readonly unknown[]): string {
  if (typeof subject !== "string") return what;
  return `${what} ${/^[0-9a-f]{64}$/.test(subject) ? subject.slice(0, 12) : subject}`;
}

function hung(endpoint: string, call: string, withinMs: number): TsdeployError {
  return new TsdeployError("unreachable", {
    code: "DOCKER_HUNG",
    message: `Docker at ${endpoint} has not answered within ${formatDuration(withinMs)}: \`${call}\``,
    hint: "Look whether it answers there (`docker ps`) and at its log; --timeout gives a slow machine more time.",
  });
}
