import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Machine, Via } from "./machine.js";
import { describe, run, runOk, type RunOptions, type RunResult } from "./run.js";

/** Where one run of the suite keeps its own things. */
export const workFolder = join(tmpdir(), "tsdeploy-e2e");

/** The home of who runs tsdeploy and kubectl, with the kubeconfig that `tsdeploy master` merges into. */
export const home = join(workFolder, "home");

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

/** Runs the built CLI as a person would. */
export async function tryTsdeploy(args: readonly string[], options: TsdeployOptions = {}): Promise<RunResult> {
  const { machine, via = "socket", withoutNetwork = false, home: HOME = home, ...rest } = options;
  const env = { PATH: process.env["PATH"], HOME, ...(await machine?.environment(via)), ...options.env };
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

let kubectlPath: Promise<string> | undefined;

/** The client of the version under test. */
export async function kubectlProgram(): Promise<string> {
  kubectlPath ??= runOk("scripts/dev/kubernetes", ["--print"]).then((folder) => join(folder.trim(), "kubectl"));
  return kubectlPath;
}

/** kubectl with the operator's own kubeconfig. */
export async function tryKubectl(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const env = { PATH: process.env["PATH"], HOME: home, ...options.env };
  return run(await kubectlProgram(), ["--request-timeout=20s", ...args], { ...options, env });
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
