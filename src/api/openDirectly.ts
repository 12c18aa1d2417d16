import { connect as tcpConnect } from "node:net";
import type { Duplex } from "node:stream";

/** A TCP connection from the operator's machine. */
export function openDirectly(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    // The network's time, not the machine's: a kernel accepts connections however busy its programs are.
    const socket = tcpConnect({ host, port, timeout: 10_000 });
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(socket);
    });
    socket.once("timeout", () => socket.destroy(new Error(`no answer from ${host}:${port}`)));
    socket.once("error", reject);
  });
}
