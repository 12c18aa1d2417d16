import { Readable, Writable } from "node:stream";
import type { KubernetesClient } from "../../../src/api/kubernetesClient.js";
import type { EtcdAccess } from "../../../src/apply/applyContext.js";
import { type ContainerEngine, EngineError } from "../../../src/docker/containerEngine.js";
import type { ContainerSpec } from "../../../src/model/containerSpec.js";
import type { ContainerDetails, ContainerSummary, ImageDetails } from "../../../src/model/dockerObjects.js";
import { aborted } from "../../../src/model/errors.js";
import type { ExistingFile } from "../../../src/model/hostFacts.js";
import { etcdMember, labels } from "../../../src/model/hostLayout.js";
import { kubeletLabels } from "../../../src/model/kubeletLabels.js";
import type { KubernetesObject } from "../../../src/model/kubernetesObject.js";
import { bindText } from "../../../src/plan/diff.js";
import { engineFacts } from "../../host/fixtures.js";
import { memoryApi } from "./api.js";
import { dnsConnection } from "./dns.js";
import { type EtcdCluster, etcdClusterOf, memoryEtcd } from "./etcd.js";
import { Faults } from "./faults.js";
import { answersNames, apiAnswers, isRunning, memberHere, memberLives, othersAnswer, settle } from "./kubernetes.js";
import { isHelper, runInHelper } from "./scripts.js";
import { type HostState, makeFolders, type MemoryContainer, type MemoryImage } from "./state.js";

const usualFolders = [
  ...["/dev", "/etc", "/lib", "/opt", "/run", "/sys", "/tmp", "/usr", "/var"],
  ...["/var/lib", "/var/lib/docker", "/var/log", "/var/run"],
];

export interface MemoryHostInput {
  readonly isWorker?: boolean;
  readonly images?: readonly MemoryImage[];
  /** What can be pulled. */
  readonly registry?: readonly MemoryImage[];
  readonly files?: Readonly<Record<string, ExistingFile>>;
  readonly folders?: Readonly<Record<string, number>>;
  /** Of a host that is to be a further master: what the cluster has. */
  readonly cluster?: MemoryCluster;
}

/** What a cluster of several masters has, wherever it is. */
export interface MemoryCluster {
  readonly etcd: EtcdCluster;
  readonly objects: ReadonlyMap<string, KubernetesObject>;
}

/** What a person could find on the host. Ids and times, which no run can keep, are not in it. */
export interface Snapshot {
  readonly containers: readonly ShownContainer[];
  readonly files: Readonly<Record<string, string>>;
  readonly folders: Readonly<Record<string, string>>;
  readonly objects: Readonly<Record<string, unknown>>;
  /** etcd's members by their peers' URLs. */
  readonly members: Readonly<Record<string, unknown>>;
}

/**
 * A Docker host in memory: containers, images, files, and the API server that a kubelet's static pods make, or on a
 * worker another machine's. What takes time on a machine (a start, a registration) is done when the next one looks.
 */
export class MemoryHost {
  readonly faults = new Faults();
  readonly engine: ContainerEngine;
  readonly api: KubernetesClient;
  /** The API server of another master. */
  readonly others: KubernetesClient;
  readonly etcd: EtcdAccess;
  readonly #state: HostState;

  constructor(state: HostState) {
    this.#state = state;
    this.engine = memoryEngine(state, this.faults);
    this.api = memoryApi(state, this.faults);
    this.others = memoryApi(state, this.faults, othersAnswer);
    this.etcd = memoryEtcd(state.etcd, {
      faults: this.faults,
      here: () => memberHere(state),
      lives: (member) => memberLives(state)(member),
    });
  }

  static of(input: MemoryHostInput = {}): MemoryHost {
    const state: HostState = {
      isWorker: input.isWorker ?? false,
      isFurther: input.cluster !== undefined,
      containers: new Map(),
      images: byName(input.images ?? []),
      registry: byName(input.registry ?? []),
      // Never empty, so that nobody takes /etc away.
      files: new Map([["/etc/hostname", { mode: 0o644, content: "machine\n" }]]),
      folders: new Map(usualFolders.map((path) => [path, path === "/tmp" ? 0o1777 : 0o755])),
      objects: new Map(input.cluster?.objects),
      etcd: input.cluster?.etcd ?? etcdClusterOf(),
      copies: new Map(),
      heartbeatMs: 0,
      made: 0,
      looks: 0,
    };
    for (const [path, mode] of Object.entries(input.folders ?? {})) {
      makeFolders(state, path);
      state.folders.set(path, mode);
    }
    for (const [path, file] of Object.entries(input.files ?? {})) {
      makeFolders(state, path.slice(0, path.lastIndexOf("/")));
      state.files.set(path, file);
    }
    return new MemoryHost(state);
  }

  /** Another host that is as this one is now. No call has failed there yet, and none will. */
  copy(): MemoryHost {
    return new MemoryHost(structuredClone(this.#state));
  }

  /** For a test that is somebody else on this host: what it changes is seen at the next look. */
  get state(): HostState {
    return this.#state;
  }

  snapshot(): Snapshot {
    settle(this.#state);
    const { containers, files, folders, objects, etcd } = this.#state;
    const sorted = <T>(map: ReadonlyMap<string, T>, show: (value: T) => unknown): Record<string, unknown> =>
      Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, show(value)]));
    const own = [...containers.values()].filter((container) => !isHelper(container));
    return {
      containers: own.map(shown).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      files: Object.fromEntries(
        Object.entries(sorted(files, ({ mode, content }) => `${octal(mode)} ${content}`) as Record<string, string>).map(
          // Whose data it is says the list of members.
          ([path, text]) => [path, path === etcdMember ? text.split(" ").slice(0, 2).join(" ") : text],
        ),
      ),
      folders: sorted(folders, octal) as Record<string, string>,
      objects: sorted(objects, (object) => object),
      members: Object.fromEntries(
        etcd.members.map(({ name, peerUrls, isLearner }) => [peerUrls.join(), { name, isLearner }]),
      ),
    };
  }
}

/** What is not as it was, a line each. */
export function differences(before: Snapshot, now: Snapshot): string[] {
  const byName = (snapshot: Snapshot): Record<string, string> => ({
    ...Object.fromEntries(snapshot.containers.map((one) => [`container ${one.name} ${one.spec}`, JSON.stringify(one)])),
    ...Object.fromEntries(
      (["files", "folders", "objects", "members"] as const).flatMap((kind) =>
        Object.entries(snapshot[kind]).map(([name, value]) => [`${kind} ${name}`, JSON.stringify(value)]),
      ),
    ),
  });
  const [old, current] = [byName(before), byName(now)];
  return [...new Set([...Object.keys(old), ...Object.keys(current)])].flatMap((name) => {
    if (old[name] === current[name]) return [];
    if (old[name] === undefined) return [`${name} is new`];
    return [current[name] === undefined ? `${name} is gone` : `${name} was ${old[name]} and is ${current[name]}`];
  });
}

interface ShownContainer {
  readonly name: string;
  /** Which of several of one component it is. */
  readonly spec: string;
  readonly [field: string]: unknown;
}

function shown({ name, image, command, binds, labels: given, restartPolicy, state }: MemoryContainer): ShownContainer {
  // The end of a name of ours is random.
  const spec = (given[labels.spec] ?? "").slice(0, 8);
  return { name: name.replace(/^(kube_[a-z]+)_.*/, "$1"), spec, image, command, binds, labels: given, restartPolicy, state };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function byName(images: readonly MemoryImage[]): Map<string, MemoryImage> {
  return new Map(images.flatMap((image) => [image.details.id, ...image.details.tags].map((name) => [name, image])));
}

/** Only what plans and their undoing need; anything else is missing and fails as such. */
function memoryEngine(state: HostState, faults: Faults): ContainerEngine {
  /** By its id or its name. */
  const find = (id: string): MemoryContainer | undefined =>
    state.containers.get(id) ?? [...state.containers.values()].find(({ name }) => name === id);
  const nameOf = (id: string): string => {
    const container = find(id);
    const known = container?.labels[labels.component] ?? container?.labels[kubeletLabels.containerName];
    return known ?? (container ? container.name : "what is not there");
  };
  const there = (id: string): MemoryContainer => {
    const container = state.containers.get(id);
    if (!container) throw new EngineError(404, `No such container: ${id}`);
    return container;
  };
  /** A change, and all that comes of it. */
  const change = <T>(what: string, effect: () => T): Promise<T> =>
    faults.around(what, () => {
      const result = effect();
      settle(state);
      return result;
    });

  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///memory.sock",
    isReadableOnTheWay: false,
    version: () => faults.around("version", () => engineFacts.version),
    info: () => faults.around("info", () => engineFacts.info),
    listContainers: (wanted = []) =>
      faults.around(`list ${wanted.join(" ")}`.trim(), () => {
        settle(state);
        const found = [...state.containers.values()].filter((container) => hasLabels(container.labels, wanted));
        return found.map(summaryOf(state));
      }),
    inspectContainer: (id) =>
      faults.around(`inspect ${nameOf(id)}`, () => {
        settle(state);
        const container = find(id);
        return container && detailsOf(state, container);
      }),
    createContainer: (name, spec) =>
      change(`create ${spec.component}`, () => create(state, name, spec).id),
    startContainer: (id) =>
      change(`start ${nameOf(id)}`, () => {
        start(state, there(id));
      }),
    stopContainer: (id) =>
      change(`stop ${nameOf(id)}`, () => {
        const container = there(id);
        if (isRunning(container) || container.state === "restarting") Object.assign(container, { state: "exited" });
      }),
    setRestartPolicy: (id, restartPolicy) =>
      change(`set restart policy of ${nameOf(id)}`, () => {
        Object.assign(there(id), { restartPolicy });
      }),
    removeContainer: (id) =>
      change(`remove ${nameOf(id)}`, () => {
        const container = find(id);
        if (container) state.containers.delete(container.id);
      }),
    waitUntilRemoved: (id) =>
      faults.around(`wait for the end of ${nameOf(id)}`, () => {
        if (state.containers.has(id)) throw new Error(`the memory host removes ${nameOf(id)} at once or not at all`);
      }),
    containerEnd: () => Promise.resolve(undefined),
    containerLogs: (id) => faults.around(`logs of ${nameOf(id)}`, () => `the last words of ${nameOf(id)}\n`),
    followLogs: () => Promise.resolve(Readable.from([])),
    runAttached: (name, spec) =>
      change(`run ${spec.component}`, () => {
        const container = create(state, name, spec);
        container.state = "running";
        return { id: container.id, stdin: new Lifeline(() => state.containers.delete(container.id)) };
      }),
    exec: (id, argv, options = {}) =>
      faults.around(execText(argv), async () => {
        if (options.signal?.aborted) throw aborted();
        if (!isRunning(there(id))) throw new EngineError(409, `Container ${id} is not running`);
        settle(state);
        const { exitCode, stdout = Buffer.alloc(0), stderr = "" } = await runInHelper(state, argv, options);
        settle(state);
        return { exitCode, stdout, stderr };
      }),
    answerOf: async (_id, answer) => answer(),
    execStream: (_id, argv) =>
      faults.around(`exec ${argv[0] ?? ""}`, () => {
        settle(state);
        if (argv[2] !== "TCP:10.96.0.10:53,nodelay") throw new Error(`the memory host knows no ${argv.join(" ")}`);
        return dnsConnection(apiAnswers(state) && answersNames(state) ? "10.96.0.1" : undefined);
      }),
    inspectImage: (reference) => faults.around(`inspect image ${reference}`, () => state.images.get(reference)?.details),
    listImages: (wanted) =>
      faults.around("list images", () =>
        [...new Set(state.images.values())]
          .map(({ details }) => details)
          .filter((image) => hasLabels(image.labels, wanted)),
      ),
    pullImage: (reference, { signal }) =>
      faults.around(`pull ${reference}`, () => {
        if (signal.aborted) throw aborted();
        const image = state.registry.get(reference);
        if (!image) throw new EngineError(404, `manifest for ${reference} not found`);
        for (const name of [image.details.id, reference]) state.images.set(name, image);
      }),
    close: () => Promise.resolve(),
  };
  return engine as ContainerEngine;
}

/** Ends what hangs on it as soon as it ends itself, as Docker ends a helper. */
class Lifeline extends Writable {
  readonly #cut: () => void;

  constructor(cut: () => void) {
    super({
      write: (_chunk, _encoding, done) => {
        done();
      },
    });
    this.#cut = cut;
  }

  override end(): this {
    this.#cut();
    return super.end();
  }
}

/** A script of ours by its name and what it is about, anything else by its first words. */
function execText(argv: readonly string[]): string {
  const [program = "", , script = "", name, ...args] = argv;
  if (program !== "bash") return `exec ${program}`;
  if (name?.endsWith(".sh")) return `exec ${name} ${args.find((word) => /^(\/|show|clean)/.test(word)) ?? ""}`;
  return `exec ${script.split("\n")[0] ?? ""}`.slice(0, 60);
}

function hasLabels(given: Readonly<Record<string, string>>, wanted: readonly string[]): boolean {
  return wanted.every((label) => {
    const [name = "", ...value] = label.split("=");
    return name in given && (value.length === 0 || given[name] === value.join("="));
  });
}

function create(state: HostState, name: string, spec: ContainerSpec): MemoryContainer {
  if (!state.images.has(spec.image)) throw new EngineError(404, `No such image: ${spec.image}`);
  if ([...state.containers.values()].some((other) => other.name === name)) {
    throw new EngineError(409, `Conflict. The container name "/${name}" is already in use by container "${name}"`);
  }
  state.made += 1;
  const container: MemoryContainer = {
    id: `id${state.made}`,
    name,
    image: spec.image,
    command: spec.command,
    binds: spec.binds.map(bindText),
    labels: spec.labels,
    restartPolicy: spec.restartPolicy,
    createdAt: state.made,
    state: "created",
    exitCode: 0,
    restartCount: 0,
    startedAt: "0001-01-01T00:00:00Z",
  };
  state.containers.set(container.id, container);
  return container;
}

/** Docker makes the folders that are to be bound and are not there. */
function start(state: HostState, container: MemoryContainer): void {
  if (isRunning(container) || container.state === "restarting") return;
  for (const bind of container.binds) {
    const [source = ""] = bind.split(":");
    if (!state.files.has(source)) makeFolders(state, source);
  }
  // Whether it stays so is for the next look to say: another may run in its place.
  Object.assign(container, { state: "restarting", restartCount: 0, startedAt: new Date().toISOString() });
}

function imageIdOf(state: HostState, image: string): string {
  return state.images.get(image)?.details.id ?? image;
}

function summaryOf(state: HostState): (container: MemoryContainer) => ContainerSummary {
  return ({ id, name, image, labels: given, state: life, createdAt }) => ({
    id,
    name,
    image,
    imageId: imageIdOf(state, image),
    labels: given,
    state: life,
    status: life === "running" ? "Up 1 second" : life,
    createdAt,
  });
}

function detailsOf(state: HostState, container: MemoryContainer): ContainerDetails {
  const { id, name, image, command, binds, labels: given, exitCode, restartCount, startedAt } = container;
  return {
    id,
    name,
    image,
    imageId: imageIdOf(state, image),
    command,
    binds,
    labels: given,
    running: isRunning(container),
    state: container.state,
    exitCode,
    pid: isRunning(container) ? 100 : 0,
    restartCount,
    startedAt,
    ipcMode: "private",
    restartPolicy: container.restartPolicy,
  };
}

/** An image by its reference. */
export function memoryImage(reference: string, etcd?: string, more: Partial<ImageDetails> = {}): MemoryImage {
  return {
    details: {
      id: `sha256:${Buffer.from(reference).toString("hex")}`,
      tags: [reference],
      repoDigests: [],
      architecture: "amd64",
      os: "linux",
      labels: {},
      command: [],
      sizeBytes: 1,
      createdAt: "2026-01-01T00:00:00Z",
      layers: [`sha256:${reference}`],
      ...more,
    },
    ...(etcd !== undefined && { etcd }),
  };
}
