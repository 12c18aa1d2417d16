import type { Duplex } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { nanoid } from "nanoid";
import { extract, pack } from "tar-stream";
import { type ContainerEngine, EngineError, type ExecResult } from "../docker/containerEngine.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import { TsdeployError } from "../model/errors.js";
import type { ExistingFile, HostFacts } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { cniConfigFiles, containerName, helperHostRoot, labels, lockName, paths } from "../model/hostLayout.js";
import { type HostLock, lockLabels, takeLock } from "./hostLock.js";
import { hostScript, type HostScript } from "./hostScript.js";
import { parseClock, parseHostFacts } from "./parseHostFacts.js";

/** The helper container of one run: everything on the host beside Docker's own API goes through it. */
export interface Helper {
  readonly id: string;
  /**
   * Runs a Bash script, given by its text.
   * @throws TsdeployError `failed` with what it said, if it ends with another status than 0
   */
  run(script: string, args?: readonly string[], options?: HelperRunOptions): Promise<ExecResult>;
  /** The same for one of `scripts/host`, given by its name. */
  runHostScript(name: HostScript, args?: readonly string[], options?: HelperRunOptions): Promise<ExecResult>;
  /** The second tier of facts. `imageCniDir` is the image's label `io.tsdeploy.image.cni`. */
  collectFacts(options: { dockerRootDir: string; imageCniDir?: string; signal?: AbortSignal }): Promise<HostFacts>;
  /** The host's clock, milliseconds since 1970. */
  clockMs(): Promise<number>;
  /** Absolute host path -> file: all below /etc/kubernetes, and the pod network's configuration. */
  readFiles(): Promise<Map<string, ExistingFile>>;
  /**
   * Each is replaced by a rename, with its mode; missing folders are made, 0755. Private keys (`*.key`) come first, so
   * that no certificate is without its key if it is cut off; else the given order holds.
   */
  writeFiles(files: readonly HostFile[]): Promise<void>;
  /** Missing ones are fine. Folders below /etc/kubernetes that are then empty go too. */
  removeFiles(files: readonly string[]): Promise<void>;
  /** A TCP connection from the host's network, such as to its API server on loopback. */
  openTcp(host: string, port: number): Promise<Duplex>;
  /** Resolves when the container is gone. It goes as well when this process dies. */
  close(): Promise<void>;
}

export interface HelperRunOptions {
  readonly stdin?: Buffer;
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
}

/** Begins the name of the folder, beside their targets, where a run's new files lie before they are renamed. */
const stagingPrefix = ".tsdeploy-new";

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
  const { lock } = options;
  const start = async (propagation?: "rslave" | "rshared") => {
    const run = async (name: string) => engine.runAttached(name, helperSpec(image, options, propagation));
    return lock ? takeLock(engine, lock, async () => run(lockName)) : run(containerName("helper", nanoid(6)));
  };
  // Where / is private, Docker refuses propagation. What that means is for preflight to say, by the helper's facts.
  const { id, stdin } = await start(options.propagation ?? "rslave").catch(async (error: unknown) => {
    if (error instanceof EngineError && /not a shared( or slave)? mount/.test(error.message)) {
      return start();
    }
    throw unfit(image, error);
  });
  // The connection ends when the container does; whoever uses the helper then hears it from Docker.
  stdin.on("error", () => undefined);

  const bash = async (name: string, script: string, args: readonly string[], options: HelperRunOptions) => {
    const result = await engine.exec(id, ["bash", "-c", script, name, ...args], options).catch((error: unknown) => {
      throw unfit(image, error);
    });
    if (result.exitCode !== 0) {
      const said = result.stderr.trim().split("\n").slice(-5).join("; ");
      throw new TsdeployError("failed", {
        code: "HOST_SCRIPT_FAILED",
        message: `${name}, run on the host of ${engine.endpoint}, failed with status ${result.exitCode}: ${said}`,
        hint: "Put right on the host what it names, and run the command again: it goes on from what is there.",
      });
    }
    return result;
  };
  const runHostScript: Helper["runHostScript"] = async (name, args = [], options = {}) =>
    bash(`${name}.sh`, await hostScript(name), args, options);

  return {
    id,
    run: async (script, args = [], options = {}) => bash("a script", script, args, options),
    runHostScript,
    collectFacts: async ({ dockerRootDir, imageCniDir, signal }) => {
      const [{ stdout }, container] = await Promise.all([
        runHostScript("facts", [dockerRootDir, imageCniDir ?? ""], signal === undefined ? {} : { signal }),
        engine.inspectContainer(id),
      ]);
      return { ...parseHostFacts(stdout.toString()), defaultIpcMode: container?.ipcMode ?? "" };
    },
    clockMs: async () => {
      // The variable came with Bash 5.
      const { stdout } = await bash("a script", 'echo "${EPOCHREALTIME:-$(date +%s.%N)}"', [], {});
      return parseClock(stdout.toString());
    },
    readFiles: async () => {
      const { stdout } = await runHostScript("read-files", [paths.kubernetes, ...cniConfigFiles]);
      return unpack(stdout);
    },
    writeFiles: async (files) => {
      if (files.length === 0) {
        return;
      }
      const staging = `${stagingPrefix}-${nanoid()}`;
      const archive = await packFiles(files, staging);
      const folders = [...new Set(files.map((file) => split(file.path).folder))];
      await runHostScript("write-files", [String(archive.length), staging, ...folders], { stdin: archive });
    },
    removeFiles: async (files) => {
      if (files.length > 0) {
        await runHostScript("remove-files", files);
      }
    },
    openTcp: async (host, port) => engine.execStream(id, ["socat", "-", `TCP:${host}:${port},nodelay`]),
    close: async () => {
      stdin.end();
      // A slow machine loses nothing by it: the helper is then removed while it ends.
      const deadlineMs = Date.now() + 5_000;
      while ((await engine.inspectContainer(id)) !== undefined) {
        if (Date.now() > deadlineMs) {
          await engine.removeContainer(id);
          return;
        }
        await delay(20);
      }
    },
  };
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
    binds: [{ source: "/", target: helperHostRoot, ...(propagation === undefined ? {} : { propagation }) }],
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
    const { folder, name } = split(file.path);
    archive.entry({ name: `${folder.slice(1)}/${staging}/${name}`, mode: file.mode }, file.content);
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
      files.set(path, { mode: 0o120777, content: linkname });
    }
  }
  return files;
}
