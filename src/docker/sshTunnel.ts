import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { TsdeployError } from "../model/errors.js";
import type { DockerEndpoint } from "./dockerEndpoint.js";

/** A far Docker's socket, here. */
export interface SshTunnel {
  readonly socketPath: string;
  /** What ssh said on stderr, such as why a connection through it failed. */
  said(): Promise<string>;
  /** Resolves when ssh is gone and the socket is removed. */
  close(): Promise<void>;
}

/**
 * Runs ssh, and ends it when standard input does: with close(), and however this process ends.
 *
 * SIGINT reaches the whole terminal, but a run that is interrupted still needs the tunnel to undo what it did; ssh
 * keeps ignored signals ignored.
 */
const script = `
trap '' INT HUP QUIT
exec 3<&0
folder=$1
shift
ssh "$@" 3<&- &
ssh=$!
{ read -r _ <&3; kill "$ssh"; } >/dev/null 2>&1 &
reader=$!
wait "$ssh"
kill "$reader" 2>/dev/null
rm -rf "$folder"
`;

const connectedMark = "tsdeploy-connected";

/**
 * Forwards the daemon's socket to a private local one by the system's ssh with the person's own configuration, keys,
 * known hosts and jumps.
 *
 * @throws TsdeployError `unreachable`, `DOCKER_UNREACHABLE`, with what ssh said
 */
export async function openSshTunnel(
  endpoint: DockerEndpoint & { kind: "ssh" },
  env: NodeJS.ProcessEnv,
): Promise<SshTunnel> {
  const folder = await mkdtemp(join(tmpdir(), "tsdeploy-"));
  const socketPath = join(folder, "docker.sock");
  const child = spawn("/bin/sh", ["-c", script, "sh", folder, ...sshArguments(endpoint, socketPath)], {
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = (stderr + chunk).slice(-4096);
  });
  child.stdin.on("error", () => undefined);
  const ended = endOf(child).finally(async () => rm(folder, { recursive: true, force: true }));
  const connected = new Promise<true>((resolve) => {
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.includes(connectedMark)) {
        resolve(true);
      }
    });
  });
  if ((await Promise.race([connected, ended])) !== true) {
    const why = stderr.trim() || "ssh ended without a word";
    throw new TsdeployError("unreachable", {
      code: "DOCKER_UNREACHABLE",
      message: `cannot reach Docker at ${endpoint.display}: ${why}`,
      hint: `Have \`ssh ${destination(endpoint).join(" ")}\` work without questions first.`,
    });
  }
  return {
    socketPath,
    said: async () => {
      // ssh writes why before it cuts the connection, so the text is there in the same turn of the loop.
      await setImmediate();
      return stderr.trim();
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  // Not "close": what ssh left in the background by the person's configuration may keep its stderr open.
  await once(child, "exit");
  child.stdin?.end();
  await setImmediate();
}

function sshArguments(endpoint: DockerEndpoint & { kind: "ssh" }, socketPath: string): string[] {
  const options = {
    // Written by ssh itself after it has opened the socket: nothing to poll for. It replaces the person's LocalCommand.
    PermitLocalCommand: "yes",
    LocalCommand: `echo ${connectedMark}`,
    // A shared master would keep our forwarding after we are gone.
    ControlMaster: "no",
    ControlPath: "none",
    // The person's own LocalForward ports may be taken by another session of theirs.
    ExitOnForwardFailure: "no",
    ConnectTimeout: "30",
    ServerAliveInterval: "15",
    // Nobody could answer.
    ...(process.stdin.isTTY ? {} : { BatchMode: "yes" }),
  };
  return [
    "-nNT",
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    "-L",
    `${socketPath}:${endpoint.remoteSocketPath}`,
    ...destination(endpoint),
  ];
}

function destination({ user, port, host }: DockerEndpoint & { kind: "ssh" }): string[] {
  return [
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    host,
  ];
}
