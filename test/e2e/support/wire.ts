import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Machine } from "./machine.js";

/** A way to a machine's Docker, by TCP with TLS over this machine's loopback, that can be cut. */
export class Wire {
  /** As `DOCKER_HOST` has it. */
  readonly dockerHost: string;
  readonly #server: Server;
  readonly #port: number;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, port: number, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#port = port;
    this.#sockets = sockets;
    this.dockerHost = `tcp://127.0.0.1:${port}`;
  }

  static async to(machine: Machine): Promise<Wire> {
    const { hostname, port } = new URL((await machine.environment("tcp"))["DOCKER_HOST"] ?? "");
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      for (const [one, other] of [[near, far], [far, near]] as const) {
        sockets.add(one);
        one.on("error", () => other.destroy()).on("close", () => sockets.delete(one)).pipe(other);
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Wire(server, (server.address() as AddressInfo).port, sockets);
  }

  /** Ends all connections, and refuses others. */
  cut(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#server.listen(this.#port, "127.0.0.1");
  }
}
