import { readdirSync, readFileSync, statSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

/** Releases between which kubectl's commands differ. */
export const dialects = ["v1.3", "v1.6", "v1.20"] as const;
export type Dialect = (typeof dialects)[number];

/** `tainted`: Ready, but Kubernetes has not yet let pods go there. */
export type NodeStatus = "Ready" | "NotReady" | "tainted";

export interface FakeObject {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly unknown[];
  };
  readonly data?: unknown;
  readonly spec?: { readonly replicas?: number };
  /** Of a node. */
  readonly status?: NodeStatus;
  /** Whether it has the annotation that `kubectl apply` leaves. */
  readonly applied?: boolean;
}

/** Flags of a command: before v1.6, in v1.6, in v1.20; undefined where there is no such command. */
const flagsOf: Readonly<Record<string, Readonly<Record<Dialect, readonly string[] | undefined>>>> = {
  create: {
    "v1.3": ["-f", "--validate"],
    "v1.6": ["-f", "--validate", "--dry-run", "-o", "--template"],
    "v1.20": ["-f", "--validate", "--dry-run", "-o", "--template"],
  },
  convert: {
    "v1.3": ["-f", "--validate", "--local", "-o", "--template"],
    "v1.6": ["-f", "--validate", "--local", "-o", "--template"],
    "v1.20": undefined,
  },
  apply: { "v1.3": ["-f"], "v1.6": ["-f"], "v1.20": ["-f"] },
  get: {
    "v1.3": ["--all-namespaces", "--namespace", "-l", "-o", "--watch-only"],
    "v1.6": ["--all-namespaces", "--namespace", "-l", "-o", "--watch-only"],
    "v1.20": ["--all-namespaces", "--namespace", "-l", "-o", "--watch-only"],
  },
  scale: {
    "v1.3": ["--namespace", "--replicas"],
    "v1.6": ["--namespace", "--replicas"],
    "v1.20": ["--namespace", "--replicas"],
  },
  delete: {
    "v1.3": ["--ignore-not-found", "--namespace"],
    "v1.6": ["--ignore-not-found", "--namespace"],
    "v1.20": ["--ignore-not-found", "--namespace", "--wait"],
  },
  "api-resources": { "v1.3": undefined, "v1.6": undefined, "v1.20": ["--cached", "--verbs", "-o"] },
};

const withValue = ["-f", "-o", "-l", "--template"];

const plurals: Readonly<Record<string, string>> = {
  Namespace: "namespaces",
  ConfigMap: "configmaps",
  Service: "services",
  Deployment: "deployments",
  Node: "nodes",
};

/** What ends the program with code 1. */
class Failure extends Error {}

/**
 * As much of kubectl, and of a cluster behind it, as kube-addons.sh uses, in the dialects of its releases (as seen with
 * v1.3.0, v1.6.0 and v1.20.2). The program itself only asks this object, by a socket: it is started often.
 */
export class FakeKubectl {
  /** `Kind/namespace/name` -> object */
  readonly objects = new Map<string, FakeObject>();
  readonly calls: string[] = [];
  dialect: Dialect = "v1.20";
  /** An API that somebody has added, as metrics-server does, does not answer: its kinds are not listed. */
  lacksAnApi = false;
  /** Identities of what the API server refuses to apply. */
  readonly refuses = new Set<string>();
  readonly #server: Server;
  /** Those who want to be told of nodes. */
  readonly #watches = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      let asked = "";
      socket.setEncoding("utf8").on("data", (text: string) => {
        asked += text;
        // Words end with NUL, the last one is empty.
        if (!asked.endsWith("\0\0")) return;
        const words = asked.slice(0, -2).split("\0");
        try {
          const isPartial = this.#isPartial(words);
          const said = `${isPartial ? "partial" : "0"}\n${this.#run(words)}`;
          if (words.includes("--watch-only")) this.#watch(socket, said);
          else socket.end(said);
        } catch (error) {
          socket.end(`1\n${error instanceof Failure ? error.message : String(error)}\n`);
        }
      });
    });
  }

  /** Starts it, and lays the program `kubectl` into a folder. */
  static async start(folder: string): Promise<FakeKubectl> {
    const fake = new FakeKubectl();
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    const { port } = fake.#server.address() as AddressInfo;
    const program = `#!/usr/bin/env bash
exec 3<>/dev/tcp/127.0.0.1/${port}
printf '%s\\0' "$@" '' >&3
read -r code <&3
# One that watches ends when it is told to.
if [[ $code == 0 ]]; then exec cat <&3; fi
if [[ $code == partial ]]; then
  cat <&3
  echo 'error: not all of it' >&2
  exit 1
fi
cat <&3 >&2
exit "$code"
`;
    await writeFile(join(folder, "kubectl"), program);
    await chmod(join(folder, "kubectl"), 0o755);
    return fake;
  }

  stop(): Promise<unknown> {
    this.endWatches();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  put(object: FakeObject): void {
    this.objects.set(idOf(object), object);
  }

  putNode(name: string, status: NodeStatus = "Ready"): void {
    this.put({ kind: "Node", metadata: { name }, status });
  }

  /** How many watch nodes. */
  get watches(): number {
    return this.#watches.size;
  }

  /** As when a node joins, and when it says how it is. */
  tellOfNode(name: string, status: NodeStatus = "Ready"): void {
    this.putNode(name, status);
    for (const socket of this.#watches) socket.write(`${nodeText(this.dialect, name)}\n`);
  }

  /** As an API server does now and then. */
  endWatches(): void {
    for (const socket of this.#watches) socket.end();
    this.#watches.clear();
  }

  #watch(socket: Socket, said: string): void {
    this.#watches.add(socket);
    // It has nothing more to ask, so that this is its end.
    socket.on("end", () => {
      this.#watches.delete(socket);
      socket.end();
    });
    socket.on("error", () => undefined);
    socket.write(said);
  }

  #run([, command = "", ...rest]: readonly string[]): string {
    this.calls.push([command, ...rest].join(" "));
    const known = flagsOf[command]?.[this.dialect];
    if (rest.includes("--help")) return `${(known ?? []).join("\n")}\n`;
    if (!known) throw new Failure(`error: unknown command "${command}" for "kubectl"`);
    const { words, flags } = parse(rest, known);
    switch (command) {
      case "create":
        return this.#create(words, flags);
      case "convert":
        return `running in local mode...\n${objectsIn(flags, false).map(described).join("")}`;
      case "apply":
        return this.#apply(flags);
      case "get":
        return this.#get(words, flags);
      case "delete":
        return this.#delete(words, flags);
      case "scale":
        return this.#scale(words, flags);
      default:
        return Object.values(plurals).map((plural) => `${plural === "deployments" ? "deployments.apps" : plural}\n`).join("");
    }
  }

  /** Whether the command does what it can, and ends with code 1. */
  #isPartial([, command, ...rest]: readonly string[]): boolean {
    if (rest.includes("--help")) return false;
    if (command === "apply") return objectsIn(parse(rest, ["-f"]).flags).some((object) => this.refuses.has(idOf(object)));
    return command === "api-resources" && this.lacksAnApi;
  }

  #create(words: readonly string[], flags: Flags): string {
    const [kind, name] = words;
    if (kind === "namespace" && name !== undefined) {
      this.put({ kind: "Namespace", metadata: { name } });
      return `namespace "${name}" created\n`;
    }
    const dryRun = flags.get("--dry-run");
    if (dryRun === "client" && this.dialect !== "v1.20") throw new Failure('invalid argument "client" for --dry-run');
    const objects = objectsIn(flags);
    if (dryRun !== undefined) return objects.map(described).join("");
    const present = objects.filter((object) => this.objects.has(idOf(object)));
    for (const object of objects) if (!present.includes(object)) this.put(object);
    if (present.length === 0) return objects.map((object) => `${idOf(object)} created\n`).join("");
    throw new Failure(present.map((object) => `Error from server: "${object.metadata.name}" already exists`).join("\n"));
  }

  #apply(flags: Flags): string {
    const objects = objectsIn(flags).filter((object) => !this.refuses.has(idOf(object)));
    const said = objects.map((object) => {
      const before = this.objects.get(idOf(object));
      const after = withReplicas({ ...object, applied: true }, before);
      this.put(after);
      const isKept = this.dialect === "v1.20" && JSON.stringify(before) === JSON.stringify(after);
      return this.#said(object, before ? (isKept ? "unchanged" : "configured") : "created");
    });
    return said.join("");
  }

  /** What a kubectl says of an object that it has applied. */
  #said({ kind, metadata: { name } }: FakeObject, what: string): string {
    const type = kind.toLowerCase();
    if (this.dialect !== "v1.20") return `${type} "${name}" ${what}\n`;
    return `${type}${kind === "Deployment" ? ".apps" : ""}/${name} ${what}\n`;
  }

  #get([kinds = "", name]: readonly string[], flags: Flags): string {
    if (name !== undefined) {
      if (this.objects.has(`Namespace//${name}`)) return "";
      throw new Failure("Error from server (NotFound)");
    }
    if (flags.get("--watch-only") === "true") return "";
    if (flags.get("-o")?.includes("tsdeploy-addons") === true) return this.#applied();
    if (kinds === "nodes" && flags.get("-o")?.includes(".status.conditions") === true) return this.#nodes();
    if (kinds === "deployments" && flags.get("-l") === "kubernetes.io/cluster-service=true") return this.#deployments();
    const wanted = kinds.split(",").map((kind) => kind.replace(/\..*/, ""));
    const unknown = wanted.find((kind) => !Object.values(plurals).includes(kind));
    if (unknown !== undefined) throw new Failure(`the server doesn't have a resource type "${unknown}"`);
    if (flags.get("-l")?.endsWith("=none")) return "";
    return [...this.objects.values()]
      .filter(({ kind }) => wanted.includes(plurals[kind] ?? ""))
      .filter((object) => serviceOf(object) === "true" && modeOf(object) !== "EnsureExists")
      .map((object) => `${object.applied && !object.metadata.ownerReferences ? "+" : ""}${idOf(object)}\n`)
      .join("");
  }

  /** What it finds of its own list of what it has applied, and of whose folder. */
  #applied(): string {
    const report = this.objects.get("ConfigMap/kube-system/tsdeploy-addons");
    const { keeper = "", applied = "" } = (report?.data ?? {}) as { readonly keeper?: string; readonly applied?: string };
    return report ? `${keeper}\n${applied}` : "";
  }

  /** What kube-addons.sh's other template makes of them. */
  #deployments(): string {
    const all = [...this.objects.values()].filter((object) => object.kind === "Deployment" && serviceOf(object) === "true");
    const lines = all.map(({ metadata: { annotations, namespace, name }, spec }) => {
      const range = annotations?.["io.tsdeploy.replicas"] ?? "";
      return `${range} ${spec?.replicas ?? 1} ${namespace ?? "default"} ${name}\n`;
    });
    return lines.join("");
  }

  /** What another template of its makes of them. */
  #nodes(): string {
    const all = [...this.objects.values()].filter(({ kind }) => kind === "Node");
    const lines = all.map(({ metadata: { name }, status }) => {
      const taints = status === "Ready" ? "" : "node.kubernetes.io/not-ready,";
      return `${name} ${status === "NotReady" ? "False" : "True"} ${taints}\n`;
    });
    return lines.join("");
  }

  #scale([kind, name]: readonly string[], flags: Flags): string {
    const id = `Deployment/${flags.get("--namespace") ?? ""}/${name ?? ""}`;
    const object = kind === "deployment" ? this.objects.get(id) : undefined;
    if (!object) throw new Failure(`${id} not found`);
    this.put({ ...object, spec: { ...object.spec, replicas: Number(flags.get("--replicas")) } });
    return `${id} scaled\n`;
  }

  #delete([kind, name]: readonly string[], flags: Flags): string {
    const id = `${kind ?? ""}/${flags.get("--namespace") ?? ""}/${name ?? ""}`;
    if (!this.objects.delete(id)) throw new Failure(`${id} not found`);
    return `${id} deleted\n`;
  }
}

type Flags = ReadonlyMap<string, string>;

function parse(rest: readonly string[], known: readonly string[]): { words: string[]; flags: Flags } {
  const flags = new Map<string, string>();
  const words: string[] = [];
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index] ?? "";
    const [, name, value] = /^(--?[a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) {
      words.push(word);
      continue;
    }
    if (!known.includes(name)) throw new Failure(`Error: unknown flag: ${name}`);
    if (value === undefined && withValue.includes(name)) index += 1;
    flags.set(name, value ?? (withValue.includes(name) ? (rest[index] ?? "") : "true"));
  }
  return { words, flags };
}

/** The objects of `-f`; most commands put those that name no namespace into `default`. */
function objectsIn(flags: Flags, hasDefault = true): FakeObject[] {
  const from = flags.get("-f") ?? "";
  const files = statSync(from).isDirectory() ? readdirSync(from).sort().map((name) => join(from, name)) : [from];
  return files.flatMap((file) => objectsOf(file)).map((object) => {
    if (plurals[object.kind] === undefined) throw new Failure(`error: no matches for kind "${object.kind}"`);
    if (!hasDefault || object.kind === "Namespace") return object;
    return { ...object, metadata: { namespace: "default", ...object.metadata } };
  });
}

function objectsOf(file: string): FakeObject[] {
  const documents = parseAllDocuments(readFileSync(file, "utf8"));
  if (!Array.isArray(documents)) throw new Failure("error: no objects passed");
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw new Failure(`error converting YAML to JSON: ${file}`);
    const object = document.toJS() as FakeObject & { readonly items?: readonly FakeObject[] } | null;
    if (!object) throw new Failure("error: no objects passed");
    return object.kind === "List" ? [...(object.items ?? [])] : [object];
  });
}

function idOf({ kind, metadata }: FakeObject): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
}

/** How a kubectl writes a node's name. */
function nodeText(dialect: Dialect, name: string): string {
  return `${dialect === "v1.3" ? "nodes" : "node"}/${name}`;
}

/** `apply` leaves what the file does not say. */
function withReplicas(object: FakeObject, before: FakeObject | undefined): FakeObject {
  return before?.spec === undefined || object.spec !== undefined ? object : { ...object, spec: before.spec };
}

function modeOf({ metadata }: FakeObject): string | undefined {
  return metadata.labels?.["addonmanager.kubernetes.io/mode"];
}

function serviceOf({ metadata }: FakeObject): string | undefined {
  return metadata.labels?.["kubernetes.io/cluster-service"];
}

/** What kube-addons.sh's template makes of an object. */
function described(object: FakeObject): string {
  return `${modeOf(object) ?? "-"} ${serviceOf(object) ?? "-"} ${idOf(object)}\n`;
}
