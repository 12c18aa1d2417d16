import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface ScriptResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The path of a script of scripts/pod/. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`../../../scripts/pod/${name}.sh`, import.meta.url));
}

/** Starts a script of scripts/pod/; `done` resolves when it has ended. Programs in `bin` are found before others. */
export function startScript(name: string, args: readonly string[], bin?: string) {
  const env = bin === undefined ? process.env : { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` };
  const child = spawn("bash", [scriptPath(name), ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const done = new Promise<ScriptResult>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, stdout, stderr });
    });
  });
  return { child, done };
}

export function runScript(name: string, ...args: readonly string[]): Promise<ScriptResult> {
  return startScript(name, args).done;
}
