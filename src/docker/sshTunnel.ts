import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { aborted, TsdeployError } from "../model/errors.js";
import { withAnySignal } from "../model/signals.js";
import type { DockerEndpoint } from "./dockerEndpoint.js";

/** A far Docker's socket, here. */
export interface SshTunnel {
  readonly socketPath: string;
  /** What ssh said on stderr, such as why a connection through it failed. */
  said(): Promise<string>;
  /**
   * Connects again, at the same path, if ssh has ended. Who asks while it connects waits for the same connection.
   *
   * @throws TsdeployError `unreachable`, `DOCKER_UNREACHABLE`, with what ssh said
   */
  reconnect(withinMs: number): Promise<void>;
  /** Resolves when ssh is gone and the socket is removed. */
  close(): Promise<void>;
}

/**
 * Removes the folder when standard input ends: with close(), and however this process ends. The folder outlives ssh:
 * nobody else can put a socket where we connect again.
 */
const keepFolder = `
trap '' INT HUP QUIT
read -r _
rm -rf "$1"
`;

/**
 * Runs ssh, and ends it when standard input does.
 *
 * SIGINT reaches the whole terminal, but a run that is interrupted still needs the tunnel to undo what it did; ssh
 * keeps ignored signals ignored.
 */
const runSsh = `
trap '' INT HUP QUIT
exec 3<&0
ssh "$@" 3<&- &
ssh=$!
{ read -r _ <&3; kill "$ssh"; } >/dev/null 2>&1 &
reader=$!
wait "$ssh"
kill "$reader" 2>/dev/null
`;

const connectedMark = "tsdeploy-connected";

type SshEndpoint = DockerEndpoint & { kind: "ssh" };

/**
 * Forwards the daemon's socket to a private local one by the system's ssh with the person's own configuration, keys,
 * known hosts and jumps.
 *
 * @param signal ends an ssh that has not connected yet; else close() does, because an undo needs it
 * @throws TsdeployError `unreachable`, `DOCKER_UNREACHABLE`, with what ssh said; `aborted`
 */
export async function openSshTunnel(
  endpoint: SshEndpoint,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<SshTunnel> {
  const folder = await mkdtemp(join(tmpdir(), "tsdeploy-"));
  const socketPath = join(folder, "docker.sock");
  const keeper = spawn("/bin/sh", ["-c", keepFolder, "sh", folder], { stdio: ["pipe", "ignore", "ignore"] });
  keeper.stdin.on("error", () => undefined);
  const removed = once(keeper, "exit").catch(() => undefined);
  const removeFolder = async (): Promise<void> => {
    keeper.stdin.end();
    await removed;
  };
  const closing = new AbortController();
  const connect = async (signal: AbortSignal): Promise<SshConnection> => connectSsh(endpoint, socketPath, env, signal);
  let connection = await connect(signal ?? closing.signal).catch(async (error: unknown) => {
    await removeFolder();
    throw signal?.aborted === true ? aborted() : error;
  });
  let connecting: Promise<void> | undefined;
  const connectAgain = async (withinMs: number): Promise<void> => {
    connection = await withAnySignal([AbortSignal.timeout(withinMs), closing.signal], connect);
  };
  return {
    socketPath,
    said: async () => connection.said(),
    reconnect: async (withinMs) => {
      if (!connection.hasEnded() || closing.signal.aborted) return;
      connecting ??= connectAgain(withinMs).finally(() => {
        connecting = undefined;
      });
      return connecting;
    },
    close: async () => {
      closing.abort();
      await connecting?.catch(() => undefined);
      await connection.end();
      await removeFolder();
    },
  };
}

interface SshConnection {
  said(): Promise<string>;
  hasEnded(): boolean;
  end(): Promise<void>;
}

/** @param signal ends an ssh that has not connected yet */
async function connectSsh(
  endpoint: SshEndpoint,
  socketPath: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<SshConnection> {
  const child = spawn("/bin/sh", ["-c", runSsh, "sh", ...sshArguments(endpoint, socketPath)], {
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr = (stderr + chunk).slice(-4096);
  });
  child.stdin.on("error", () => undefined);
  const ended = endOf(child);
  const connected = new Promise<true>((resolve) => {
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      if (stdout.includes(connectedMark)) {
        resolve(true);
      }
    });
  });
  const stop = (): void => {
    child.stdin.end();
  };
  let why = "";
  const giveUp = (): void => {
    why = stderr.trim() || "ssh did not connect in time";
    stop();
  };
  signal.addEventListener("abort", giveUp);
  if (signal.aborted) giveUp();
  const isConnected = await Promise.race([connected, ended]).finally(() => {
    signal.removeEventListener("abort", giveUp);
  });
  if (isConnected !== true) {
    why ||= stderr.trim() || "ssh ended without a word";
    throw new TsdeployError("unreachable", {
      code: "DOCKER_UNREACHABLE",
      message: `cannot reach Docker at ${endpoint.display}: ${why}`,
      hint: `Have \`ssh ${destination(endpoint).join(" ")}\` work without questions first.`,
    });
  }
  return {
    said: async () => {
      // ssh writes why before it cuts the connection, so the text is there in the same turn of the loop.
      await setImmediate();
      return stderr.trim();
    },
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    end: async () => {
      stop();
      await ended;
    },
  };
}

async function endOf(child: ChildProcess): Promise<void> {
  // Not "close": what ssh left in the background by the person's configuration may keep its stderr open.
  await once(child, "exit");
  child.stdin?.end();
  await setImmediate();
  // They would keep this process, too.
  child.stdout?.destroy();
  child.stderr?.destroy();
}

function sshArguments(endpoint: SshEndpoint, socketPath: string): string[] {
  const options = {
    // Written by ssh itself after it has opened the socket: nothing to poll for. It replaces the person's LocalCommand.
    PermitLocalCommand: "yes",
    LocalCommand: `echo ${connectedMark}`,
    // A shared master would keep our forwarding after we are gone.
    ControlMaster: "no",
    ControlPath: "none",
    // The person's own LocalForward ports may be taken by another session of theirs.
    ExitOnForwardFailure: "no",
    // An ssh that broke off leaves its socket.
    StreamLocalBindUnlink: "yes",
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

function destination({ user, port, host }: SshEndpoint): string[] {
  return [
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    host,
  ];
}
