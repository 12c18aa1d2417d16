import type { ContainerSpec } from "../../../src/model/containerSpec.js";
import type { ImageDetails } from "../../../src/model/dockerObjects.js";
import type { ExistingFile } from "../../../src/model/hostFacts.js";
import { etcdMember } from "../../../src/model/hostLayout.js";
import type { KubernetesObject } from "../../../src/model/kubernetesObject.js";
import type { EtcdCluster } from "./etcd.js";

export interface MemoryContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly binds: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly restartPolicy: ContainerSpec["restartPolicy"];
  readonly createdAt: number;
  /** `created`, `running`, `restarting` (it ends again and again) or `exited`. */
  state: string;
  exitCode: number;
  restartCount: number;
  startedAt: string;
}

export interface MemoryImage {
  readonly details: ImageDetails;
  /** Version of the etcd in it: `3.4.23`. */
  readonly etcd?: string;
}

/** All of a host that outlives a run. Plain data, so that `structuredClone` makes another host of it. */
export interface HostState {
  /** Its API server is another machine's, which always answers. */
  readonly isWorker: boolean;
  /** It is to be a further master: the cluster's data, and an etcd that votes, are on another one as well. */
  readonly isFurther: boolean;
  readonly containers: Map<string, MemoryContainer>;
  /** By reference and by id. */
  readonly images: Map<string, MemoryImage>;
  /** What a registry would give. */
  readonly registry: Map<string, MemoryImage>;
  /** Absolute path -> file; a symbolic link as `ExistingFile` has it. */
  readonly files: Map<string, ExistingFile>;
  /** Absolute path -> mode. */
  readonly folders: Map<string, number>;
  /** The API's objects by their paths. On a master they are etcd's data and end with it, unless others have it, too. */
  readonly objects: Map<string, KubernetesObject>;
  /** Of a cluster that may have several masters; else no member. */
  readonly etcd: EtcdCluster;
  /** What was in etcd's data when it was copied, by the copy's path. */
  readonly copies: Map<string, ReadonlyMap<string, KubernetesObject>>;
  /** When the kubelet last reported its node, milliseconds since 1970. */
  heartbeatMs: number;
  made: number;
  /** How often somebody has looked for a pod CIDR in vain. */
  looks: number;
}

export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

export function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** `mkdir -p` with mode 0755 for what is missing. */
export function makeFolders(state: HostState, path: string): void {
  for (let folder = path; folder !== "/" && !state.folders.has(folder); folder = parentOf(folder)) {
    state.folders.set(folder, 0o755);
  }
}

export function isEmptyFolder(state: HostState, folder: string): boolean {
  return ![...state.files.keys(), ...state.folders.keys()].some((path) => isBelow(path, folder));
}

/** Paths that a shell pattern means; `*` and `[!.]` within one name are all that is known here. */
export function glob(state: HostState, pattern: string): string[] {
  const source = pattern
    .split(/(\*|\[!\.\])/)
    .map((part) => (part === "*" ? "[^/]*" : part === "[!.]" ? "[^/.]" : part.replace(/[.\\+?^${}()|[\]]/g, "\\$&")))
    .join("");
  // As in a shell, a leading * means no hidden name.
  const expression = new RegExp(`^${source.replaceAll("/[^/]*", "/(?!\\.)[^/]*")}$`);
  return [...state.files.keys(), ...state.folders.keys()].filter((path) => expression.test(path));
}

/** `cp -a`; etcd's data takes the API's objects with it. */
export function copyAll(state: HostState, from: string, to: string): void {
  const target = (path: string): string => to + path.slice(from.length);
  const isOf = (path: string): boolean => path === from || isBelow(path, from);
  for (const [path, file] of [...state.files]) if (isOf(path)) state.files.set(target(path), file);
  for (const [path, mode] of [...state.folders]) if (isOf(path)) state.folders.set(target(path), mode);
  const objects = from === etcdMember ? state.objects : state.copies.get(from);
  if (objects && to === etcdMember) {
    state.objects.clear();
    for (const [path, object] of objects) state.objects.set(path, object);
  } else if (objects) {
    state.copies.set(to, new Map(objects));
  }
}

/** `rm -rf` */
export function removeAll(state: HostState, path: string): void {
  for (const known of [...state.files.keys(), ...state.folders.keys()]) {
    if (known !== path && !isBelow(known, path)) continue;
    state.files.delete(known);
    state.folders.delete(known);
  }
}
