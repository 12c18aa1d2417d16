import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { it } from "vitest";
import { openDockerEngine } from "../../src/docker/dockerEngine.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";

it("a container that runs attached may lose its connection while it is started", async () => {
  let attached: Socket | undefined;
  const server = createServer((request, response) => {
    if (request.url === "/version") {
      response.end(JSON.stringify({ Version: "1.2.3", ApiVersion: "1.41", Os: "linux", Arch: "amd64" }));
    } else if (request.url?.endsWith("/start") === true) {
      attached?.resetAndDestroy();
      response.writeHead(204).end();
    } else {
      response.writeHead(201).end('{"Id":"helper"}');
    }
  });
  server.on("upgrade", (_request, socket: Socket) => {
    attached = socket;
    socket.write("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const engine = await openDockerEngine({
    address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    endpoint: "tcp://fake",
    registryAuth: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  });
  const spec: ContainerSpec = {
    component: "helper",
    image: "a:1",
    command: ["cat"],
    binds: [],
    labels: {},
    hostPid: false,
    privileged: false,
    hostCgroupNamespace: false,
    restartPolicy: "no",
  };
  // Vitest fails for an error event that nobody has handled, as Node.js ends for one.
  const { stdin } = await engine.runAttached("helper", spec);
  await new Promise<void>((resolve) => {
    if (stdin.destroyed) resolve();
    else stdin.once("close", resolve);
  });
  await engine.close();
  server.close();
});
