import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An `ssh` that forwards a socket as the real one does, but to a socket of this machine. */
export interface FakeSsh {
  /** Finds it before the real one. */
  readonly env: NodeJS.ProcessEnv;
  /** Of the ones that were started, the first one first. */
  pids(): number[];
  /** What those do that are started from now on, as Node.js knows it; undefined: connect. */
  behave(code: string | undefined): void;
  remove(): void;
}

/** What it does by itself. */
export const connect = `
if (options.get("StreamLocalBindUnlink") === "yes") fs.rmSync(local, { force: true });
const server = net.createServer((near) => {
  const far = net.connect(remote);
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", () => other.destroy());
    one.pipe(other);
  }
});
server.listen(local, () => execSync(options.get("LocalCommand"), { stdio: "inherit" }));
`;

const program = `#!${process.execPath}
const { execSync, spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const args = process.argv.slice(2);
const after = (name) => args.filter((_, index) => args[index - 1] === name);
const options = new Map(after("-o").map((option) => [option.slice(0, option.indexOf("=")), option.slice(option.indexOf("=") + 1)]));
const [local, remote] = after("-L")[0].split(":");
fs.appendFileSync(__dirname + "/pids", process.pid + "\\n");
eval(fs.readFileSync(__dirname + "/behaviour", "utf8"));
`;

export function fakeSsh(): FakeSsh {
  const folder = mkdtempSync(join(tmpdir(), "ssh-"));
  const file = (name: string): string => join(folder, name);
  const behave = (code = connect): void => {
    writeFileSync(file("behaviour"), code);
  };
  writeFileSync(file("ssh"), program);
  chmodSync(file("ssh"), 0o755);
  behave();
  return {
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"] ?? ""}` },
    pids: () => (existsSync(file("pids")) ? readFileSync(file("pids"), "utf8").trim().split("\n").map(Number) : []),
    behave,
    remove: () => {
      rmSync(folder, { recursive: true });
    },
  };
}
