import { buffer, text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { extract, pack } from "tar-stream";
import { aborted } from "../../../src/model/errors.js";
import { cniConfigFiles, criSocket, etcdMember, helperHostRoot, labels, paths } from "../../../src/model/hostLayout.js";
import { componentsOf, isRunning, listens, settle } from "./kubernetes.js";
import { copyAll, glob, type HostState, isBelow, isEmptyFolder, makeFolders, parentOf, removeAll } from "./state.js";

export interface Answer {
  readonly exitCode: number;
  readonly stdout?: Buffer;
  readonly stderr?: string;
}

const done: Answer = { exitCode: 0 };

function said(words: string): Answer {
  return { exitCode: 0, stdout: Buffer.from(words) };
}

/** What the helper's programs would do to a host. The scripts of scripts/host are known by their names. */
export async function runInHelper(
  state: HostState,
  argv: readonly string[],
  { stdin, signal }: { readonly stdin?: Buffer; readonly signal?: AbortSignal },
): Promise<Answer> {
  const [program = "", option, script = "", name, ...args] = argv;
  if (program !== "bash" || option !== "-c") throw new Error(`the memory host knows no ${program}`);
  const port = /\/dev\/tcp\/127\.0\.0\.1\/(\d+)/.exec(script)?.[1];
  if (port !== undefined && script.startsWith("until ")) return untilListening(state, Number(port), signal);
  if (port !== undefined) return said(listens(state, Number(port)) ? "yes\n" : "");
  if (script.includes(`UNIX-CONNECT:${helperHostRoot}${criSocket}`)) {
    return said(componentsOf(state, "cri").some(isRunning) ? "yes\n" : "");
  }
  switch (name ?? "") {
    case "read-files.sh":
      return { exitCode: 0, stdout: await readFiles(state) };
    case "write-files.sh":
      await writeFiles(state, stdin ?? Buffer.alloc(0));
      return done;
    case "remove-files.sh":
      removeFiles(state, args);
      return done;
    case "teardown.sh":
      return said(teardown(state, args));
    default:
      break;
  }
  const [first = "", second = "", third = "", fourth = ""] = args;
  if (script.includes("mkdir -m")) return said(makeFolder(state, first, second));
  if (script.includes("cp -a")) return makeCopy(state, first, second, third);
  if (script.endsWith("|| echo there")) return said(isThere(state, first) && isThere(state, second) ? "there\n" : "");
  if (script.includes('mv -T "$copy" "$folder"')) return undoCopy(state, first, second, third, fourth);
  if (script.startsWith("rm -rf ")) removeAll(state, first);
  else if (script.startsWith("rmdir ")) removeIfEmpty(state, first);
  else throw new Error(`the memory host does not know this script: ${script.slice(0, 200)}`);
  return done;
}

/** One that is there stays as it is. */
function makeFolder(state: HostState, folder: string, mode: string): string {
  if (state.folders.has(folder)) return "";
  makeFolders(state, folder);
  state.folders.set(folder, Number.parseInt(mode, 8));
  return "made\n";
}

function isThere(state: HostState, path: string): boolean {
  return state.files.has(path) || state.folders.has(path);
}

function makeCopy(state: HostState, folder: string, copy: string, scrap: string): Answer {
  if (!isThere(state, folder) && isThere(state, copy)) {
    copyAll(state, copy, folder);
    removeAll(state, copy);
  }
  removeAll(state, scrap);
  if (!isThere(state, copy) && isThere(state, folder)) copyAll(state, folder, copy);
  return done;
}

function undoCopy(state: HostState, folder: string, copy: string, scrap: string, comesBack: string): Answer {
  removeAll(state, scrap);
  if (comesBack === "" || !isThere(state, copy)) return done;
  removeAll(state, folder);
  copyAll(state, copy, folder);
  removeAll(state, copy);
  return done;
}

function removeIfEmpty(state: HostState, folder: string): void {
  if (isEmptyFolder(state, folder)) state.folders.delete(folder);
}

async function untilListening(state: HostState, port: number, signal?: AbortSignal): Promise<Answer> {
  for (;;) {
    settle(state);
    if (listens(state, port)) return done;
    if (signal?.aborted) throw aborted();
    await delay(2);
  }
}

async function readFiles(state: HostState): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  for (const [path, { mode, content }] of state.files) {
    if (!isBelow(path, paths.kubernetes) && !cniConfigFiles.includes(path)) continue;
    const name = `.${path}`;
    if (isLink(mode)) archive.entry({ name, mode: mode & 0o7777, type: "symlink", linkname: content });
    else archive.entry({ name, mode }, content);
  }
  archive.finalize();
  return bytes;
}

export function isLink(mode: number): boolean {
  return (mode & 0o170000) === 0o120000;
}

async function writeFiles(state: HostState, archive: Buffer): Promise<void> {
  const entries = extract();
  entries.end(archive);
  const files = new Map<string, { mode: number; content: string }>();
  for await (const entry of entries) {
    const { name, type, mode, linkname } = entry.header;
    const content = await text(entry);
    const path = `/${name.replace(/\/\.tsdeploy-new[^/]*\//, "/")}`;
    files.set(
      path,
      type === "symlink" ? { mode: 0o120777, content: linkname } : { mode: mode & 0o7777, content },
    );
  }
  for (const [path, file] of files) {
    makeFolders(state, parentOf(path));
    state.files.set(path, file);
  }
}

function removeFiles(state: HostState, args: readonly string[]): void {
  const files = args.slice(0, args.indexOf("--empty"));
  for (const path of files) state.files.delete(path);
  for (const folder of args.slice(files.length + 1)) removeIfEmpty(state, folder);
}

function teardown(state: HostState, [mode = "", ...args]: readonly string[]): string {
  const values = (option: string): string[] =>
    args.flatMap((word, index) => (word === option && index % 2 === 0 ? [args[index + 1] ?? ""] : []));
  const patterns = values("--path");
  const records = values("--record");
  const kept = new Set(values("--keep"));
  const folders = values("--empty-folder");
  const matches = (): string[] =>
    [...patterns, ...records].flatMap((pattern) => glob(state, pattern)).filter((path) => !kept.has(path));
  if (mode === "clean") {
    for (const path of matches()) removeAll(state, path);
    for (const folder of folders) removeIfEmpty(state, folder);
  }
  const kubelets = componentsOf(state, "kubelet").filter(isRunning);
  return [
    ...matches().map((path) => `path ${path}`),
    ...folders
      .filter((folder) => state.folders.has(folder) && isEmptyFolder(state, folder))
      .map((folder) => `empty-folder ${folder}`),
    ...kubelets.map(({ id }) => `kubelet 123 ${id}`),
    ...(state.files.has(etcdMember) ? [`etcd-data ${paths.etcd}`] : []),
    "",
  ].join("\n");
}

export function isHelper(container: { readonly labels: Readonly<Record<string, string>> }): boolean {
  return container.labels[labels.component] === "helper";
}
