import { addAbortSignal, type Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { nanoid } from "nanoid";
import { extract, pack } from "tar-stream";
import {
  type AttachedContainer,
  type ContainerEngine,
  EngineError,
  type ExecResult,
} from "../docker/containerEngine.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import { defined } from "../model/defined.js";
import { diskFull } from "../model/diskFull.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import type { ExistingFile, HostFacts, InterfaceAddress } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { cniConfigFiles, containerName, helperHostRoot, labels, lockName, paths } from "../model/hostLayout.js";
import { imageLabels, labelledVersions } from "../model/imageLabels.js";
import { controllerForMany, withAnySignal } from "../model/signals.js";
import type { Report } from "../report/events.js";
import { HelperProgram, type Script } from "./helperProgram.js";
import { type HostLock, lockLabels, takeLock } from "./hostLock.js";
import { hostScript, type HostScript } from "./hostScript.js";
import { parseAddress, parseClock, parseHostFacts } from "./parseHostFacts.js";

/**
 * The helper container of one run: everything on the host beside Docker's own API goes through it. When it ends with
 * Docker, another one takes its place and the script that was under way is run again: scripts have to be idempotent.
 * A script finds the host's root at `${HOST_ROOT:-/host}`.
 */
export interface Helper {
  /** Of the container at this moment. */
  readonly id: string;
  /**
   * Runs a Bash script, given by its text.
   * @throws TsdeployError `failed` with what it said, if it ends with another status than 0
   */
  run(script: string, args?: readonly string[], options?: HelperRunOptions): Promise<ExecResult>;
  /** The same for one of `scripts/host`, given by its name. */
  runHostScript(name: HostScript, args?: readonly string[], options?: HelperRunOptions): Promise<ExecResult>;
  /** The second tier of facts. */
  collectFacts(options: CollectFactsOptions): Promise<HostFacts>;
  /** The second tier of facts, and all files that `readFiles` reads, for the price of one program. */
  look(options: CollectFactsOptions): Promise<HostLook>;
  /** The host's clock, milliseconds since 1970. */
  clockMs(): Promise<number>;
  /** Global IPv4 addresses of the host. */
  addresses(): Promise<InterfaceAddress[]>;
  /** Absolute host path -> file: all below /etc/kubernetes, and the pod network's configuration. */
  readFiles(): Promise<Map<string, ExistingFile>>;
  /**
   * Each is replaced by a rename, with its mode; missing folders are made, 0755. Private keys (`*.key`) come first, so
   * that no certificate is without its key if it is cut off; else the given order holds.
   */
  writeFiles(files: readonly HostFile[]): Promise<void>;
  /** Missing ones are fine. Of these folders, in this order, those that are then empty are removed as well. */
  removeFiles(files: readonly string[], folders?: readonly string[]): Promise<void>;
  /** A TCP connection from the host's network, such as to its API server on loopback. */
  openTcp(host: string, port: number): Promise<Duplex>;
  /**
   * Resolves when the container is gone, after ten seconds at most, and never throws: what could not be done is a
   * warning. The container ends as well when this process dies.
   */
  close(): Promise<void>;
}

export interface HostLook {
  readonly host: HostFacts;
  readonly files: Map<string, ExistingFile>;
}

export interface HelperRunOptions {
  readonly stdin?: Buffer;
  readonly signal?: AbortSignal;
  /**
   * For a script that soon comes to its end, whatever happens elsewhere: it may run in the helper's own program, which
   * spares Docker an exec, and goes on to its end if this process dies.
   */
  readonly isBrief?: boolean;
  /** For a script that may take longer than the run's timeout: it is waited for as long as Docker answers. */
  readonly isLong?: boolean;
}

export interface CollectFactsOptions {
  readonly dockerRootDir: string;
  /** Of the image that the helper runs from. What they do not say its programs are asked, 20 to 80 ms each. */
  readonly imageLabels?: ImageDetails["labels"];
  readonly signal?: AbortSignal;
}

export interface HelperOptions {
  readonly clusterName?: string;
  /**
   * `rslave` (default): mounts of the host come and go in the helper as well, so that it keeps none alive.
   * `rshared`: unmounting in the helper unmounts on the host.
   */
  readonly propagation?: "rslave" | "rshared";
  /** For runs that change the host: this helper holds the host's lock for as long as it runs. */
  readonly lock?: HostLock | undefined;
  /**
   * For runs that only look: a container of ours that runs already, privileged and in the host's own namespaces.
   * Scripts run in it, which spares Docker a container. When one fails there, a helper is started after all.
   */
  readonly through?: string | undefined;
  /** What the first `look` will be: it then begins with the container. */
  readonly look?: Script | undefined;
  /** Default: the lock's. */
  readonly report?: Report;
}

/** Where the host's root is in a container that has not bound it, but sees the host's processes. */
const rootOfFirstProcess = "/proc/1/root";

/** Begins the name of the folder, beside their targets, where a run's new files lie before they are renamed. */
const stagingPrefix = ".tsdeploy-new";

/** Type and permissions of a symbolic link, as `ExistingFile` has them. */
const symlinkMode = 0o120777;

/** What of the host's files an earlier run may have written. */
const readPaths = [paths.kubernetes, ...cniConfigFiles];

/** How long the end of the container may take. */
const closeMs = 10_000;

/**
 * Starts the helper container, with a `lock` as the only one of its kind on the host. Throws as the engine does, so an
 * `EngineError` if the image cannot run here.
 *
 * @throws TsdeployError `environment`, `IMAGE_UNFIT`, if the image lacks the programs of a hyperkube image; `conflict`,
 * `HOST_LOCKED`, if another run changes the host
 */
export async function openHelper(
  engine: ContainerEngine,
  image: string,
  options: HelperOptions = {},
): Promise<Helper> {
  const session = new HelperSession(engine, image, options);
  if (options.through === undefined) await session.open();
  return session;
}

/** How often one call starts the helper anew before it gives up. */
const mostRestarts = 3;

class HelperSession implements Helper {
  readonly #engine: ContainerEngine;
  readonly #image: string;
  readonly #options: HelperOptions;
  /** Our own; undefined while another one serves. */
  #container: AttachedContainer | undefined;
  /** Of our container, if it began with a look. */
  #program: HelperProgram | undefined;
  /** Nobody waits any more for the script that it runs, which goes on all the same. */
  #runsUnheard = false;
  #opening: Promise<void> | undefined;
  /** Aborts when our connection to the container has ended, and so the container, or soon. */
  #ended = controllerForMany().signal;
  #forget: (() => void) | undefined;
  #isClosed = false;

  constructor(engine: ContainerEngine, image: string, options: HelperOptions) {
    this.#engine = engine;
    this.#image = image;
    this.#options = options;
  }

  get id(): string {
    return this.#container?.id ?? this.#options.through ?? "";
  }

  async open(): Promise<void> {
    await this.#start(this.#engine, this.#options);
    this.#forget = this.#engine.outages?.onReturn(async (engine) => this.#restart(engine));
  }

  async run(script: string, args: readonly string[] = [], options: HelperRunOptions = {}): Promise<ExecResult> {
    return this.#bash("a script", script, args, options);
  }

  async runHostScript(
    name: HostScript,
    args: readonly string[] = [],
    options: HelperRunOptions = {},
  ): Promise<ExecResult> {
    return this.#bash(`${name}.sh`, await hostScript(name), args, options);
  }

  async collectFacts(options: CollectFactsOptions): Promise<HostFacts> {
    const [{ stdout }, ipcMode] = await Promise.all([
      this.runHostScript("facts", factsArguments(options), defined({ signal: options.signal })),
      this.#ipcMode(),
    ]);
    return this.#hostFacts(stdout, ipcMode, options);
  }

  async look(options: CollectFactsOptions): Promise<HostLook> {
    const [{ stdout }, ipcMode] = await Promise.all([this.#runLook(options), this.#ipcMode()]);
    // Every other line has a key and a value.
    const between = "\nfiles\n";
    const end = stdout.indexOf(between);
    const host = this.#hostFacts(stdout.subarray(0, end), ipcMode, options);
    return { host, files: await unpack(stdout.subarray(end + between.length)) };
  }

  async clockMs(): Promise<number> {
    // The variable came with Bash 5.
    const { stdout } = await this.run('echo "${EPOCHREALTIME:-$(date +%s.%N)}"');
    return parseClock(stdout.toString());
  }

  async addresses(): Promise<InterfaceAddress[]> {
    // What an image lacks, the host may have.
    const ip = `if command -v ip >/dev/null; then ip "$@"; else chroot "\${HOST_ROOT:-${helperHostRoot}}" ip "$@"; fi`;
    const script = `ip_() { ${ip}; }; ip_ -4 -o addr show scope global | while read -r _ name _ cidr _; do echo $name $cidr; done`;
    const { stdout } = await this.run(script);
    return stdout.toString().split("\n").filter(Boolean).map(parseAddress);
  }

  async readFiles(): Promise<Map<string, ExistingFile>> {
    const { stdout } = await this.runHostScript("read-files", readPaths);
    return unpack(stdout);
  }

  async writeFiles(files: readonly HostFile[]): Promise<void> {
    if (files.length === 0) {
      return;
    }
    // What the host was like has to be known before there is anything of ours, a folder for example.
    const isRecord = ({ path }: HostFile): boolean => path === paths.hostBefore;
    const parts = [files.filter(isRecord), files.filter((file) => !isRecord(file))].filter(({ length }) => length > 0);
    const args: string[] = [];
    const archives: Buffer[] = [];
    for (const part of parts) {
      const staging = `${stagingPrefix}-${nanoid()}`;
      const archive = await packFiles(part, staging);
      const folders = [...new Set(part.map((file) => split(file.path).folder))];
      args.push(...(args.length === 0 ? [] : ["--"]), String(archive.length), staging, ...folders);
      archives.push(archive);
    }
    await this.runHostScript("write-files", args, { stdin: Buffer.concat(archives), isBrief: true });
  }

  async removeFiles(files: readonly string[], folders: readonly string[] = []): Promise<void> {
    if (files.length > 0) {
      await this.runHostScript("remove-files", [...files, "--empty", ...folders], { isBrief: true });
    }
  }

  async openTcp(host: string, port: number): Promise<Duplex> {
    return this.#surviving(async () => {
      const stream = await this.#engine.execStream(this.id, ["socat", "-", `TCP:${host}:${port},nodelay`]);
      return addAbortSignal(this.#ended, stream);
    });
  }

  async close(): Promise<void> {
    this.#forget?.();
    const container = this.#container;
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!container) return;
    container.stdin.end();
    const timer = new AbortController();
    const late = delay(closeMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`Docker did not remove it within ${closeMs / 1000} seconds`);
    });
    try {
      await Promise.race([this.#remove(container.id, timer.signal), late]);
    } catch (error) {
      const report = this.#options.report ?? this.#options.lock?.report;
      const name = container.id.slice(0, 12);
      report?.({ kind: "warning", message: `the helper container ${name} may still be there: ${messageOf(error)}` });
    } finally {
      timer.abort();
      late.catch(() => undefined);
    }
  }

  async #runLook(options: CollectFactsOptions): Promise<ExecResult> {
    const look = await prepareLook(options);
    return this.#surviving(async () => {
      const first = this.#program?.takeFirst();
      if (!first) return this.#bash(look.name, look.script, look.args, defined({ signal: options.signal }));
      const answer = withAnySignal([options.signal, this.#ended], first);
      // It may fail before anybody waits for it: while Docker is away, or when the run is stopped.
      answer.catch(() => undefined);
      return this.#succeeded(look.name, await this.#engine.answerOf(this.id, async () => answer));
    });
  }

  /** Docker's own for who asks for none. */
  async #ipcMode(): Promise<string> {
    return this.#surviving(async () => {
      const container = await this.#engine.inspectContainer(this.id);
      if (!container) throw new EngineError(404, `No such container: ${this.id}`);
      return container.ipcMode;
    });
  }

  #hostFacts(printed: Buffer, defaultIpcMode: string, { imageLabels: labels = {} }: CollectFactsOptions): HostFacts {
    // In a container that is there already the host's may lie over the image's own.
    const cni = this.#options.through === undefined ? undefined : labels[imageLabels.cni];
    return { ...parseHostFacts(printed.toString()), ...defined({ imageCniDir: cni }), defaultIpcMode };
  }

  /** Its program has no more input, so it ends, and Docker removes it; one that does not end is killed. */
  async #remove(id: string, signal: AbortSignal): Promise<void> {
    const deadline = AbortSignal.timeout(closeMs / 2);
    const removed = withAnySignal([signal, deadline], (either) => this.#engine.waitUntilRemoved(id, either));
    await removed.catch(async () => {
      if (!signal.aborted) await this.#engine.removeContainer(id);
    });
  }

  async #start(engine: ContainerEngine, options: HelperOptions): Promise<void> {
    const { lock, look } = options;
    const start = async (propagation?: "rslave" | "rshared"): Promise<AttachedContainer> => {
      const run = async (name: string): Promise<AttachedContainer> => {
        const program = look && new HelperProgram(look);
        this.#program = program;
        this.#runsUnheard = false;
        const spec = { ...helperSpec(this.#image, options, propagation), ...(program && { command: program.command }) };
        return engine.runAttached(name, spec, program?.take);
      };
      return lock ? takeLock(engine, lock, async () => run(lockName)) : run(containerName("helper", nanoid(6)));
    };
    // Where / is private, Docker refuses propagation. What that means is for preflight to say, by the helper's facts.
    this.#container = await start(options.propagation ?? "rslave").catch(async (error: unknown) => {
      if (error instanceof EngineError && /not a shared( or slave)? mount/.test(error.message)) {
        return start();
      }
      throw unfit(this.#image, error);
    });
    const ended = controllerForMany();
    this.#ended = ended.signal;
    const { id, stdin } = this.#container;
    stdin.on("error", () => undefined);
    const end = (): void => {
      ended.abort(new EngineError(404, `the helper container ${id.slice(0, 12)} has ended`));
    };
    stdin.on("close", end);
    // Its connection may have broken while it was started.
    if (stdin.closed) end();
  }

  /**
   * After Docker was away: another helper in place of the one that ended with it, and the lock again, if nobody else
   * has taken it. One that goes on without us (live-restore) is removed: nothing would end it.
   */
  async #restart(engine: ContainerEngine): Promise<void> {
    const container = this.#container;
    if (!container || this.#isClosed) return;
    if (!this.#ended.aborted && (await engine.inspectContainer(container.id))?.running === true) return;
    await engine.removeContainer(container.id);
    const { lock } = this.#options;
    // A run that the person has stopped needs the lock as well: it has to be undone.
    const signal = lock?.signal.aborted === false ? lock.signal : new AbortController().signal;
    const again = { ...this.#options, look: undefined, lock: lock && { ...lock, wait: false, signal } };
    await this.#start(engine, again);
  }

  /**
   * Does something in the helper, and once more if the helper ended under it, as it does when dockerd is restarted. So
   * all that is done here has to be idempotent: what a script had done by then is done.
   */
  async #surviving<T>(use: () => Promise<T>): Promise<T> {
    for (let restarts = 0; ; restarts++) {
      const { id } = this;
      try {
        return await use();
      } catch (error) {
        if (restarts === mostRestarts || isAborted(error) || !(await this.#isReplaced(id))) throw error;
      }
    }
  }

  /** Whether there is another helper now in place of that one; starts it, if that one is no more. */
  async #isReplaced(id: string): Promise<boolean> {
    if (this.#isClosed) return false;
    if (!this.#container) {
      this.#opening ??= this.open();
      await this.#opening;
      return true;
    }
    const { outages } = this.#engine;
    if (!outages) return false;
    const container = await this.#engine.inspectContainer(id);
    // Looking may have taken a restart of Docker, and brought another helper.
    if (this.id === id && (this.#ended.aborted || container?.running !== true)) await outages.recover();
    return this.id !== id;
  }

  async #bash(
    name: string,
    script: string,
    args: readonly string[],
    options: HelperRunOptions,
  ): Promise<ExecResult> {
    const { stdin = Buffer.alloc(0), isBrief = false } = options;
    const run = async (signal: AbortSignal): Promise<ExecResult> => {
      const container = this.#container;
      const program = this.#program;
      // What undoes a run must not meet the script that was to do it.
      if (this.#runsUnheard && container && program) {
        await this.#engine.answerOf(container.id, async () => program.untilIdle(signal));
        this.#runsUnheard = false;
      }
      if (isBrief && container && program?.claim() === true) {
        const brief = async () => program.run({ script, name, args }, stdin, container.stdin, signal);
        const answer = await this.#engine
          .answerOf(container.id, brief)
          .catch((error: unknown) => {
            this.#runsUnheard = true;
            throw error;
          })
          .finally(() => {
            program.release();
          });
        return this.#succeeded(name, answer);
      }
      const root = this.#container ? "" : `export HOST_ROOT=${rootOfFirstProcess}\n`;
      const argv = ["bash", "-c", `${root}${script}`, name, ...args];
      const result = await this.#engine.exec(this.id, argv, { ...options, signal }).catch((error: unknown) => {
        throw unfit(this.#image, error);
      });
      return this.#succeeded(name, result);
    };
    // Docker 20.10 leaves the streams of a program open whose container was removed.
    return this.#surviving(() => withAnySignal([options.signal, this.#ended], run));
  }

  #succeeded(name: string, result: ExecResult): ExecResult {
    if (result.exitCode !== 0) throw scriptFailure(name, this.#engine.endpoint, result);
    return result;
  }
}

/** For `HelperOptions.look`. */
export async function prepareLook(options: CollectFactsOptions): Promise<Script> {
  const scripts = [hostScript("look"), hostScript("facts"), hostScript("read-files")] as const;
  const [script, facts, readFiles] = await Promise.all(scripts);
  const forFacts = factsArguments(options);
  const args = [facts, String(forFacts.length), ...forFacts, readFiles, ...readPaths];
  return { script, name: "look.sh", args };
}

function factsArguments({ dockerRootDir, imageLabels: labels = {} }: CollectFactsOptions): string[] {
  const versions = Object.entries(labelledVersions(labels));
  const programs = versions.map(([program, version]) => (version === undefined ? program : `${program}=${version}`));
  return [dockerRootDir, labels[imageLabels.cni] ?? "", ...programs];
}

function scriptFailure(name: string, endpoint: string, { exitCode, stderr }: ExecResult): TsdeployError {
  const lines = stderr.trim().split("\n");
  const noRoom = lines.find((line) => diskFull.test(line));
  if (noRoom !== undefined) {
    return new TsdeployError("failed", {
      code: "HOST_DISK_FULL",
      message: `a disk of the host of ${endpoint} is full: ${noRoom}`,
      hint: "Make room there (`df -h` shows where it lacks), and run the command again.",
    });
  }
  return new TsdeployError("failed", {
    code: "HOST_SCRIPT_FAILED",
    message: `${name}, run on the host of ${endpoint}, failed with status ${exitCode}: ${lines.slice(-5).join("; ")}`,
    hint: "Put right on the host what it names, and run the command again: it goes on from what is there.",
  });
}

function isAborted(error: unknown): boolean {
  if (error instanceof TsdeployError) return error.kind === "aborted";
  return error instanceof Error && (error.name === "AbortError" || error.name === "TimeoutError");
}

/** An image that Docker cannot start these programs of is no hyperkube image; any other error stays as it is. */
function unfit(image: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  const missing = /exec: "([^"]+)": .*(not found|no such file)/.exec(error.message);
  if (missing === null) return error;
  return new TsdeployError(
    "environment",
    {
      code: "IMAGE_UNFIT",
      message: `the image ${image} has no ${missing[1] ?? "program"}: it is not a hyperkube image that tsdeploy can run from`,
      hint: "Name another one by --image.",
    },
    { cause: error },
  );
}

function helperSpec(
  image: string,
  { clusterName, lock }: HelperOptions,
  propagation?: "rslave" | "rshared",
): ContainerSpec {
  return {
    component: "helper",
    image,
    // Ends when its standard input does: with the connection of whoever started it.
    command: ["cat"],
    // Only what is always there: Docker would make a missing folder.
    binds: [{ source: "/", target: helperHostRoot, ...defined({ propagation }) }],
    labels: {
      [labels.component]: "helper",
      ...(clusterName === undefined ? {} : { [labels.cluster]: clusterName }),
      ...(lock === undefined ? {} : lockLabels(lock)),
    },
    hostPid: true,
    privileged: true,
    hostCgroupNamespace: true,
    restartPolicy: "no",
  };
}

function split(path: string): { folder: string; name: string } {
  const slash = path.lastIndexOf("/");
  return { folder: path.slice(0, slash), name: path.slice(slash + 1) };
}

/** In the order in which they are installed: private keys first, because a certificate without its key stops a run. */
async function packFiles(files: readonly HostFile[], staging: string): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  const isKey = ({ path }: HostFile): boolean => path.endsWith(".key");
  for (const file of [...files.filter(isKey), ...files.filter((other) => !isKey(other))]) {
    const { folder, name: base } = split(file.path);
    const name = `${folder.slice(1)}/${staging}/${base}`;
    // What a failed run puts back may have been a symbolic link: see `ExistingFile`.
    if (file.mode === symlinkMode) archive.entry({ name, type: "symlink", linkname: file.content });
    else archive.entry({ name, mode: file.mode }, file.content);
  }
  archive.finalize();
  return bytes;
}

async function unpack(archive: Buffer): Promise<Map<string, ExistingFile>> {
  const files = new Map<string, ExistingFile>();
  const entries = extract();
  entries.end(archive);
  for await (const entry of entries) {
    const { name, type, mode, linkname } = entry.header;
    const content = await text(entry);
    const path = name.replace(/^\./, "");
    if (path.includes(`/${stagingPrefix}`)) {
      continue;
    }
    if (type === "file") {
      files.set(path, { mode: mode & 0o7777, content });
    } else if (type === "symlink") {
      files.set(path, { mode: symlinkMode, content: linkname });
    }
  }
  return files;
}
