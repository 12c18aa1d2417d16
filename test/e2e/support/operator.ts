import { type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Machine, Via } from "./machine.js";
import { patience } from "./patience.js";
import { describe, run, type RunOptions, type RunResult } from "./run.js";

/** Where one run of the suite keeps its own things. */
export const workFolder = join(tmpdir(), "tsdeploy-e2e");

/** The home of who runs tsdeploy and kubectl, with the kubeconfig that `tsdeploy master` merges into. */
export const home = join(workFolder, "home");

/** The Kubernetes that the suite runs on; `TSDEPLOY_E2E_VERSION` names another one whose image is in this Docker. */
export const version = process.env["TSDEPLOY_E2E_VERSION"] ?? "v1.20.2";
export const image = process.env["TSDEPLOY_E2E_IMAGE"] ?? `tsdeploy/hyperkube:${version}`;

/** How flannel brings packets to other nodes: `host-gw`, which every kernel has, or another. `bridge`: without. */
export const networkBackend = process.env["TSDEPLOY_E2E_BACKEND"] ?? "host-gw";

/** A version of the neighbouring minor, of which there is no image. */
export const otherVersion = version.replace(/\d+\.\d+$/, (rest) => `${Number(rest.split(".")[0]) - 1}.0`);

/** The programs of that image: cri-dockerd where it has one, the client that the suite uses. */
export const programsFolder = join(workFolder, "programs");
const kubectlProgram = join(programsFolder, "kubectl");

/** Whether flannel is wanted and in that image. Else cases run on `--network bridge`, and the machines get routes. */
export function hasFlannel(): boolean {
  return networkBackend !== "bridge" && existsSync(join(programsFolder, "flanneld"));
}

/** Whether that image has CoreDNS. Else clusters are made without DNS: there is no registry to pull it from. */
export function hasCoredns(): boolean {
  return existsSync(join(programsFolder, "coredns"));
}

export interface TsdeployOptions extends Omit<RunOptions, "env"> {
  /** Default: none, so Docker's own default. */
  readonly machine?: Machine;
  /** Default: socket. */
  readonly via?: Via;
  readonly env?: NodeJS.ProcessEnv;
  /** Another operator, who has nothing of the first one's. */
  readonly home?: string;
  /** In a network namespace where nothing can be reached: what works does so through Docker's socket alone. */
  readonly withoutNetwork?: boolean;
}

/** Runs the built CLI as a person would. `master` gets version, network and DNS by variables, `worker` learns them. */
export async function tryTsdeploy(args: readonly string[], options: TsdeployOptions = {}): Promise<RunResult> {
  const { machine, via = "socket", withoutNetwork = false, home: HOME = home, ...rest } = options;
  const network = hasFlannel() ? { TSDEPLOY_NETWORK_BACKEND: networkBackend } : { TSDEPLOY_NETWORK: "bridge" };
  const dns = hasCoredns() ? {} : { TSDEPLOY_DNS: "false" };
  const told = args[0] === "master" ? { TSDEPLOY_K8S_VERSION: version, ...network, ...dns } : {};
  const env = { PATH: process.env["PATH"], HOME, ...told, ...(await machine?.environment(via)), ...options.env };
  mkdirSync(HOME, { recursive: true });
  const command = ["node", "dist/cli.js", ...args];
  if (withoutNetwork) command.unshift("unshare", "--net");
  const [program = "node", ...programArgs] = command;
  return run(program, programArgs, { ...rest, env });
}

/** The same for what has to succeed. @throws Error with all that it said */
export async function tsdeploy(args: readonly string[], options: TsdeployOptions = {}): Promise<RunResult> {
  const result = await tryTsdeploy(args, options);
  if (result.exitCode !== 0) throw new Error(describe(`tsdeploy ${args.join(" ")}`, result));
  return result;
}

/** All that a person sees of a run. */
export function said({ stdout, stderr }: RunResult): string {
  return `${stdout}\n${stderr}`;
}

/** kubectl with the operator's own kubeconfig, not yet ended. */
export function startKubectl(args: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const env = { PATH: process.env["PATH"], HOME: home };
  return spawn(kubectlProgram, args, { env, stdio: ["ignore", "pipe", "pipe"] });
}

/** The same, to its end. */
export async function tryKubectl(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const env = { PATH: process.env["PATH"], HOME: home, ...options.env };
  return run(kubectlProgram, [`--request-timeout=${20 * patience}s`, ...args], { ...options, env });
}

/** The same for what has to succeed. @returns its stdout */
export async function kubectl(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await tryKubectl(args, options);
  if (result.exitCode !== 0) throw new Error(describe(`kubectl ${args.join(" ")}`, result));
  return result.stdout;
}

/** `kubectl get … -o json`. */
export async function kubectlJson<T>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl([...args, "-o", "json"])) as T;
}

/** `kubectl apply` of objects. */
export async function apply(...items: readonly object[]): Promise<void> {
  await kubectl(["apply", "-f", "-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });
}
