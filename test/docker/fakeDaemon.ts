import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { openDockerEngine } from "../../src/docker/dockerEngine.js";

export interface FakeDaemon {
  readonly engine: ContainerEngine;
  readonly socketPath: string;
  /** `GET /v1.41/images/a/json`, decoded, without that for the version. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Something on a socket that answers as we want, after it has said its version, and an engine that speaks to it. */
export async function fakeDaemon(answer: Answer, versions = { api: "1.41", min: "1.12" }): Promise<FakeDaemon> {
  const folder = mkdtempSync(join(tmpdir(), "daemon-"));
  const socketPath = join(folder, "docker.sock");
  const requests: string[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/version") {
      const version = { Version: "1.2.3", ApiVersion: versions.api, MinAPIVersion: versions.min, Os: "linux", Arch: "amd64" };
      response.end(JSON.stringify(version));
      return;
    }
    requests.push(`${request.method ?? ""} ${decodeURIComponent(request.url ?? "")}`);
    answer(request, response);
  }).listen(socketPath);
  await once(server, "listening");
  const engine = await openDockerEngine({
    address: { socketPath },
    endpoint: "unix:///fake.sock",
    registryAuth: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  });
  return {
    engine,
    socketPath,
    requests,
    close: async () => {
      await engine.close();
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true });
    },
  };
}
