import { X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect as tcpConnect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { mergeObject } from "../../src/api/mergeObject.js";
import type { KeyPair } from "../../src/model/identity.js";
import type { KubernetesObject } from "../../src/model/kubernetesObject.js";

/** Who asks: a client certificate's common name, a bearer token, or `anonymous`. */
type Access = (who: string, method: string, path: string) => number;

/** An HTTPS server that keeps objects as Kubernetes does: versions that must match, Status objects for refusals. */
export class TestApiServer {
  readonly objects = new Map<string, KubernetesObject>();
  readonly requests: string[] = [];
  /** HTTP status for a request; 200 lets it through. */
  access: Access = () => 200;
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ca: X509Certificate;
  #version = 0;

  private constructor(keyPair: KeyPair, ca: string) {
    const { certificate: cert, privateKey: key } = keyPair;
    // Given the CA, OpenSSL would show it to clients even if `certificate` does not go on with it.
    this.#ca = new X509Certificate(ca);
    const tls = { cert, key, requestCert: true, rejectUnauthorized: false };
    this.#server = createServer(tls, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
    this.#server.on("connection", (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(keyPair: KeyPair, ca: string): Promise<TestApiServer> {
    const server = new TestApiServer(keyPair, ca);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** `127.0.0.1:12345` */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** A stream to it that is no socket, as an exec of `socat` is none. */
  readonly connect = async (): Promise<Duplex> => {
    const socket = await connectTo(this.port);
    const stream = Duplex.from({ readable: socket, writable: socket });
    stream.once("close", () => socket.destroy());
    return stream;
  };

  /** Cuts all connections, as a restart does. */
  cutConnections(): Promise<unknown> {
    const closed = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    for (const socket of this.#sockets) socket.destroy();
    return Promise.all(closed);
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await this.cutConnections();
    await closed;
  }

  put(path: string, object: KubernetesObject): KubernetesObject {
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.objects.set(path, stored);
    return stored;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    this.requests.push(`${method} ${url}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = text === "" ? undefined : (JSON.parse(text) as KubernetesObject);
    const { socket } = request;
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    const isKnown = certificate?.verify(this.#ca.publicKey);
    const subject = isKnown ? String(certificate?.toLegacyObject().subject.CN) : undefined;
    const status = this.access(subject ?? headers.authorization ?? "anonymous", method, url);
    if (status !== 200) refuse(response, status);
    else if (url === "/healthz") response.end("ok");
    else this.#serve(method, url.split("?", 1)[0] ?? "", body, headers["content-type"], response);
  }

  #serve(
    method: string,
    path: string,
    body: KubernetesObject | undefined,
    type: string | undefined,
    to: ServerResponse,
  ): void {
    const existing = this.objects.get(path);
    if (method === "POST" && body) {
      const created = `${path}/${body.metadata.name}`;
      if (this.objects.has(created)) refuse(to, 409);
      else send(to, 201, this.put(created, body));
    } else if (method === "GET" && !existing && [...this.objects.keys()].some((key) => key.startsWith(`${path}/`))) {
      send(to, 200, { items: [...this.objects].filter(([key]) => key.startsWith(`${path}/`)).map(([, object]) => object) });
    } else if (!existing) {
      refuse(to, 404);
    } else if (method === "PUT" && body) {
      const { resourceVersion } = body.metadata as { resourceVersion?: string };
      if (resourceVersion !== (existing.metadata as { resourceVersion?: string }).resourceVersion) refuse(to, 409);
      else send(to, 200, this.put(path, body));
    } else if (method === "PATCH" && type === "application/merge-patch+json") {
      send(to, 200, this.put(path, mergeObject(existing, body) as KubernetesObject));
    } else if (method === "DELETE") {
      this.objects.delete(path);
      send(to, 200, { kind: "Status", status: "Success" });
    } else {
      send(to, 200, existing);
    }
  }
}

/** A connection to a port of this machine. */
export function connectTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tcpConnect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      resolve(socket);
    });
  });
}

const reasons: Readonly<Record<number, string>> = {
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
};

function refuse(response: ServerResponse, status: number): void {
  const reason = reasons[status] ?? "InternalError";
  send(response, status, { kind: "Status", status: "Failure", reason, message: `refused: ${reason}`, code: status });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
